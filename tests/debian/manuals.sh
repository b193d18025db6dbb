#!/bin/sh
# The manual pages: whether they are well formed, and say of the tools what these say themselves
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Functions are called by way of check.
# shellcheck disable=SC2317

manuals=$(cd "$(dirname "$0")/../../tools" && pwd)
# shellcheck source=tests/tawny/common.sh
. "$(dirname "$0")/../tawny/common.sh"

suite="manuals"

# Prints a page as plain text, in lines so long that nothing is divided.
text()
{
    mandoc -T ascii -O width=500 "$manuals/$1" | sed 's/.\x08//g'
}

well_formed()
{
    mandoc -T lint -W style "$manuals/$1"
}

# Whether a page is that of the section and name which its file has, with a line for whatis.
is_named()
{
    text "$1" | head -n 1 | grep -qi "^${1%.*}(${1##*.})" &&
        text "$1" | grep -A 1 '^NAME' | grep -q "^ *${1%.*} - "
}

# Whether what a pattern finds in a file is just what it finds in a page.
same()
{
    grep -oE -e "$1" "$2" | LC_ALL=C sort -u >"$work/said"
    text "$3" | grep -oE -e "$1" | LC_ALL=C sort -u >"$work/written"
    [ -s "$work/said" ] && diff "$work/said" "$work/written"
}

# Whether the page of tawny has a synopsis of each command that there is, and of no other.
has_commands()
{
    text tawny.1 | sed -n '/^SYNOPSIS/,/^[A-RT-Z]/s/^ *tawny \([a-z]*\).*/\1/p' |
        grep . | LC_ALL=C sort >"$work/written"
    printf '%s\n' "$commands" | LC_ALL=C sort | diff - "$work/written"
}

explains()
{
    text tawny.1 | sed -n '/^COMMANDS/,/^OPTIONS/p' | grep -q "^ *tawny $1\>"
}

# Prints the other manuals of ours that a page speaks of.
others()
{
    text "$1" | grep -oE 'tawny[a-z-]*\([0-9]\)' | tr -d ')' | tr '(' . | LC_ALL=C sort -u
}

leads_to_manuals()
{
    for other in $(others "$1"); do
        [ -f "$manuals/$other" ] || return 1
    done
}

for page in tawny.1 tawny-netsh.7 tawny-wine-links.1; do
    check "$page is well formed" well_formed "$page"
    check "$page has a name" is_named "$page"
    check "$page leads to manuals that there are" leads_to_manuals "$page"
done

links=$build/tools/tawny-wine-links
commands=$("$tawny" --help | sed -n 's/^  \([a-z][a-z]*\) .*/\1/p')
"$tawny" --help >"$work/help"
for command in $commands; do "$tawny" "$command" --help >>"$work/help"; done
sed -n '/^usual_wines=/,/^.$/p' "$links" >"$work/usual-wines"

check "tawny(1) has all commands, and no others" has_commands
for command in $commands; do
    check "tawny(1) explains $command" explains "$command"
done
check "tawny(1) has all options, and no others" same '--[a-z][a-z-]*' "$work/help" tawny.1
for variable in WINEPREFIX WINE NO_COLOR; do
    check "tawny(1) has $variable" sh -c "grep -q '^\.B $variable$' '$manuals/tawny.1'"
done
check "tawny-wine-links(1) has all directories, and no others" \
    same '/(usr/lib|opt)[^ ,]*/wine' "$work/usual-wines" tawny-wine-links.1
check "tawny-netsh(7) has all commands, and no others" \
    same '(add|delete|show) [a-z]+portrange' "$manuals/netsh/help.c" tawny-netsh.7

finish
