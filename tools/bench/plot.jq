# Turns the curves of bench.json that have a panel into commands for gnuplot:
# jq -r -f plot.jq bench.json
#
# Copyright 2026 the Tawny authors
# SPDX-License-Identifier: LGPL-2.1-or-later

def quoted: "'" + gsub("'"; "''") + "'";

def scaled($unit): . / {"ns": 1, "µs": 1e3, "ms": 1e6}[$unit];

# Where evenly spaced, the x are numbered, and only named by their values.
def place($panel; $index): if $panel.scale == "log" then .x else $index end;

def ticks($panel):
    if $panel.scale == "log" then "set logscale x", "set xtics auto"
    else "unset logscale x",
         ([.[0].points | to_entries[] | "'\(.value.x)' \(.key)"] | "set xtics (" + join(", ") + ")"),
         "set xrange [-0.3:\((.[0].points | length) - 0.7)]"
    end;

# The points of one side, as a block of data.
def data($name; $panel; $side):
    "$\($name) << END",
    (.points | to_entries[] | select(.value[$side] != null)
     | .key as $index | .value | "\(place($panel; $index)) \(.[$side] | scaled($panel.unit))"),
    "END";

def colour: ["#0072b2", "#d55e00", "#009e73", "#cc79a7"][.];

# One line a side: ours full, the reference's dashed and of the same colour.
def lines($panel):
    to_entries | map(
        .key as $key | .value
        | "$ours\($key) with linespoints lc rgb '\($key | colour)' lw 2 pt 7 ps 0.5 title "
          + (.legend | quoted),
          (select(.points | any(has("reference"))) | select($panel.references != false)
           | "$reference\($key) with lines lc rgb '\($key | colour)' lw 1.5 dt 2 notitle"))
    | "plot " + join(", ");

def panel($panel):
    map(select(.panel == $panel.panel and .points != []))
    | select(length > 0)
    | (to_entries[] | .key as $key | .value
       | data("ours\($key)"; $panel; "ours"), data("reference\($key)"; $panel; "reference")),
      "set title \($panel.title | quoted)",
      "set xlabel \($panel.x | quoted)",
      "set ylabel \($panel.unit | quoted)",
      "set xrange [*:*]",
      ticks($panel),
      (if $panel.log then "set" else "unset" end) + " logscale y",
      "set yrange [\($panel.from):*]",
      "set key left \($panel.key) reverse Left",
      lines($panel);

. as $all
| "set terminal svg size 900,680 fixed noenhanced font 'sans-serif,13' background '#ffffff'",
  "set multiplot layout 2,2 title \("full: Tawny; dashed: the reference. \($all.wine), \($all.host)" | quoted)",
  "set grid lc rgb '#dddddd'",
  "unset mxtics",
  "unset mytics",
  "set tics nomirror scale 0",
  "set border 3",
  "set format x '%.0f'",
  ($all.panels[] as $panel | $all.curves | panel($panel)),
  "unset multiplot"
