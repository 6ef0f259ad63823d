package main

// The figures as text.

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// figures returns the figures of one run in one line.
func figures(label string, run measured) string {
	text := fmt.Sprintf("%-7s %7.1f s wall  %7.1f s CPU  %7.1f ms CPU a check  %5.1f %% idle  %5.1f %% steal",
		label, run.wall.Seconds(), run.spent.busy.Seconds(), milliseconds(run.perCheck()), run.spent.part(run.spent.idle), run.spent.part(run.spent.steal))
	if len(run.drawn) > 0 {
		text += fmt.Sprintf("  %d drawn in", len(run.drawn))
	}
	return text
}

// write writes the figures of each run, then their minimum, median and maximum with the ratio of the medians.
func write(out io.Writer, wanted options, sides []*side) error {
	var text strings.Builder
	line := func(format string, arguments ...any) { fmt.Fprintf(&text, format+"\n", arguments...) }
	judging := strings.Join(append([]string{wanted.candidate}, wanted.flags...), " ")
	line("%s: checks %d, runs of each %d", judging, len(sides[0].runs[0].checks)-len(sides[0].runs[0].drawn), wanted.runs)
	for _, each := range sides {
		line("%-7s is %s", each.label, each.commit)
	}
	line("")
	for i := range wanted.runs {
		for _, each := range sides {
			line("%3d  %s", i+1, figures(each.label, each.runs[i]))
		}
	}
	line("")
	line("                             min    median       max   of before")
	type row struct {
		what string
		of   func(measured) float64
	}
	rows := []row{
		{"wall, s", func(run measured) float64 { return run.wall.Seconds() }},
		{"CPU, s", func(run measured) float64 { return run.spent.busy.Seconds() }},
		{"CPU a check, ms", func(run measured) float64 { return milliseconds(run.perCheck()) }},
	}
	drawn := drawnIn(sides)
	if drawn != "" {
		rows = append(rows, row{"checks drawn in", func(run measured) float64 { return float64(len(run.drawn)) }})
	}
	for _, row := range rows {
		before := 0.0
		for i, each := range sides {
			least, median, greatest := spread(each.runs, row.of)
			ratio := ""
			if i == 0 {
				before = median
			} else if before > 0 {
				ratio = fmt.Sprintf("%.3f", median/before)
			}
			line("%s", strings.TrimRight(fmt.Sprintf("%-16s %-7s %9.1f %9.1f %9.1f   %9s", row.what, each.label, least, median, greatest, ratio), " "))
		}
	}
	_, err := io.WriteString(out, text.String()+drawn)
	return err
}

// drawnIn says which checks each side judged, in any of its runs, in addition to those in common; "" if none.
func drawnIn(sides []*side) string {
	var text strings.Builder
	for _, each := range sides {
		var names []string
		for _, run := range each.runs {
			names = append(names, run.drawn...)
		}
		slices.Sort(names)
		if names = slices.Compact(names); len(names) > 0 {
			fmt.Fprintf(&text, "%s: %s\n", each.label, strings.Join(names, "; "))
		}
	}
	if text.Len() == 0 {
		return ""
	}
	return "\nThe figures are not over the same checks: steps that failed drew further ones in, which count.\n" + text.String()
}

// spread returns the minimum, median and maximum of a figure over runs; the median of an even number of runs is the mean of
// the middle two.
func spread(runs []measured, of func(measured) float64) (least, median, greatest float64) {
	var all []float64
	for _, run := range runs {
		all = append(all, of(run))
	}
	slices.Sort(all)
	middle := len(all) / 2
	median = all[middle]
	if len(all)%2 == 0 {
		median = (all[middle-1] + all[middle]) / 2
	}
	return all[0], median, all[len(all)-1]
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
