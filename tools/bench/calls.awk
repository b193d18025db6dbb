# Prints the system calls of one draw from lines "WHO SIDE PROTOCOL DRAWS CALLS NAME", sorted by NAME:
# what more draws make more
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# awk -v few=DRAWS -v many=DRAWS -f calls.awk

{
    calls[$1, $3, $2, $6] += ($4 == many ? $5 : -$5) / (many - few)
    if (!($6 in seen)) names[++count] = $6
    seen[$6] = 1
}

# A line, unless it is of something that happens now and then.
function print_row(who, name,    column, line, value, largest)
{
    line = sprintf("  %-16s", name)
    for (column = 1; column <= 4; column++) {
        value = calls[who, protocol[column], side[column], name]
        sum[who, column] += value
        if (value > largest) largest = value
        line = line sprintf("%12.2f", value)
    }
    if (largest >= 0.02) print line
}

function print_table(who,    i, line)
{
    printf "%-18s%12s%12s%12s%12s\n", "in the " who, "TCP, ours", "reference", "UDP, ours",
        "reference"
    for (i = 1; i <= count; i++) print_row(who, names[i])
    line = sprintf("  %-16s", "together")
    for (i = 1; i <= 4; i++) line = line sprintf("%12.2f", sum[who, i])
    print line
}

END {
    split("tcp tcp udp udp", protocol)
    split("ours reference ours reference", side)
    print_table("process")
    print_table("wineserver")
}
