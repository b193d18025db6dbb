# Prints bench.json for people: jq -r -f table.jq bench.json
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later

# A number with so many digits after the point.
def digits($count):
    if . < 0 then "-" + (-. | digits($count))
    else (pow(10; $count) as $power | . * $power | round | tostring) as $all
    | (if ($all | length) > $count then $all else "0" * ($count + 1 - ($all | length)) + $all end)
    | if $count == 0 then . else .[:-$count] + "." + .[-$count:] end
    end;

def time:
    if . < 1e3 then digits(0) + " ns"
    elif . < 1e6 then (. / 1e3 | digits(1)) + " µs"
    else (. / 1e6 | digits(2)) + " ms" end;

def amount($unit):
    if . == null then "-"
    elif $unit == "ns" then time
    elif $unit == "bytes" and . >= 1e6 then (. / 1e6 | digits(1)) + " MB"
    elif $unit == "bytes" then digits(1) + " B"
    else digits(0) end;

def signed: if . < 0 then digits(0) else "+" + digits(0) end;

def comparison:
    if .ratio != null then .ratio | digits(3)
    elif .beyond != null then .beyond | signed
    else "-" end;

def limit:
    if .budget == null then "-"
    elif .plus > 0 then "≤ \(.budget)+\(.plus / 1e6)ms"
    elif .kind == "same" then .budget | digits(2)
    elif .kind == "ratio" then "≤ " + (.budget | digits(2))
    elif .kind == "beyond" then "≤ " + (.budget | signed)
    else "≤ " + (.budget | tostring) + " B" end;

def verdict:
    if .ours == null then "not measured" elif .budget == null then ""
    elif .holds == null then "not measured" elif .holds then "holds" else "OVER" end;

# Puts neighbours together that are alike.
def group_by_order(f):
    reduce .[] as $item ([]; if length > 0 and (.[-1][0] | f) == ($item | f)
                             then .[-1] += [$item] else . + [[$item]] end);

def pad_right($width): . + " " * ([$width - length, 0] | max);
def pad_left($width): " " * ([$width - length, 0] | max) + .;

def line($what; $ours; $reference; $ratio; $budget; $samples):
    ($what | pad_right(54)) + ($ours | pad_left(11)) + ($reference | pad_left(11))
    + ($ratio | pad_left(8)) + ($budget | pad_left(8)) + ($samples | pad_left(9)) + "  ";

# The numbers of a curve in columns below those of its group.
def columns($what; $values): ($what | pad_right(54)) + ($values | map(pad_left(11)) | add // "");

def thousands: if . < 1000 then tostring else tostring | .[:-3] + "," + .[-3:] end;

def curve:
    columns("  " + .title; .points | map(.ours | time)),
    if any(.points[]; has("reference"))
    then columns("    reference"; .points | map(.reference | time)),
         columns("    ratio"; .points | map(.ratio | digits(3)))
    else empty end;

def curves:
    group_by_order(.group)[]
    | "", .[0].group,
      (group_by_order(.points | map(.x))[]
       | columns("  " + .[0].x_label; .[0].points | map(.x | thousands)), (.[] | curve));

(reduce .rows[] as $row ([]; if any(. == $row.group) then . else . + [$row.group] end)) as $groups
| "\(.wine), \(.host), on \(.placement); medians of samples taken by turns, in \(.seconds) s.",
  "The ratio is the median over pairs of neighbours.",
  "",
  line(""; "ours"; "reference"; "ratio"; "budget"; "samples"),
  ($groups[] as $group
   | "", $group,
     (.rows[] | select(.group == $group)
      | line("  " + .what; .unit as $unit | .ours | amount($unit);
             .unit as $unit | .reference | amount($unit); comparison; limit;
             .samples | tostring) + verdict)),
  "",
  ([.rows[] | verdict] | "\(map(select(. == "holds")) | length) hold, "
   + "\(map(select(. == "OVER")) | length) over budget, "
   + "\(map(select(. == "not measured")) | length) not measured."),
  (.curves | map(select(.points != [])) | curves)
