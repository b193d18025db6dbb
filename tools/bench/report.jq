# Turns samples into bench.json: "ROW SIDE VALUE", a line each, judged by budgets.json; and what is
# called CURVE@X in the place of ROW, into the curves of curves.json.
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# jq -nR -f report.jq --slurpfile budgets budgets.json --slurpfile curves curves.json \
#     --arg NAME VALUE … <samples
#
# A row without samples has no "holds": it was not measured. One without a budget has none either.

def median:
    sort | if length % 2 == 1 then .[length / 2 | floor]
           else (.[length / 2 - 1] + .[length / 2]) / 2 end;

# The one figure that stands for all samples of a side.
def figure($kind):
    if length == 0 then null
    elif $kind == "same" then add
    elif $kind == "beyond" then max
    else median end;

# A sample of ours and one of the reference that were taken one after the other met the same
# conditions. So the median of their ratios is steadier than the ratio of the medians.
def ratio($ours; $reference):
    [$ours, $reference] | transpose | map(select(all(. != null)) | .[0] / .[1]) | median;

# One may be allowed something beside the ratio, whose share of the reference depends on its size.
def allowed($budget; $plus; $reference): $budget + $plus / $reference;

def judge($kind; $budget; $plus; $ours; $reference):
    ($ours | figure($kind)) as $our | ($reference | figure($kind)) as $their
    | {ours: $our, reference: $their}
    + if $our == null then {}
      elif $budget == null and $kind == "bytes" then {}
      elif $kind == "bytes" then {holds: ($our <= $budget)}
      elif $kind == "beyond" then ($our - ($their // 0)) | {beyond: ., holds: (. <= $budget)}
      elif $their == null then {}
      elif $kind == "same" then {ratio: ($our / $their), holds: ($our / $their == $budget)}
      else ratio($ours; $reference) | {ratio: .}
        + if $budget == null then {} else {holds: (. <= allowed($budget; $plus; $their))} end
      end;

# The points of a curve; without a reference, they have no ratio. One may be named as a row, too.
def points($samples; $curve):
    [$samples | to_entries[] | (.key | split("@")) as $name | select($name[0] == $curve)
     | (.value.ours // []) as $ours | (.value.reference // []) as $reference
     | {x: ($name[1] | tonumber), ours: ($ours | figure("ratio")),
        reference: ($reference | figure("ratio")), samples: ($ours | length)}
       | if .reference == null then del(.reference)
         else .ratio = ratio($ours; $reference) end]
    | sort_by(.x);

def unit: {same: "functions", beyond: "requests", bytes: "bytes", ratio: "ns"};

(reduce (inputs | split(" ") | select(length == 3)) as [$row, $side, $value]
    ({}; .[$row][$side] += [$value | tonumber])) as $samples
| {
    wine: $wine,
    host: $host,
    placement: $placement,
    seconds: ($seconds | tonumber),
    rows: [
        $budgets[0][] | .group as $group | .rows[] | . as {$kind, $budget}
        | (.plus // 0) as $plus
        | ($samples[.row].ours // []) as $ours
        | ($samples[.row].reference // []) as $reference
        | {row, group: $group, what, unit: unit[$kind], kind: $kind, budget: $budget, plus: $plus,
           samples: ($ours | length)}
          + judge($kind; $budget; $plus; $ours; $reference)
    ],
    panels: $curves[0].panels,
    curves: [
        $curves[0].groups[] | {group, x_label: .x} as $group | .curves[]
        | {name: .curve, title: .what} + $group
          + {unit: "ns", panel, legend, points: points($samples; .curve)}
        | del(.[] | nulls)
    ]
}
