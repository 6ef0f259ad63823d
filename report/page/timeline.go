package page

// The timeline of a run: when each check ran, in as many rows as ran side by side.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"msc4014/helpers/verdict"
)

// Timeline is when the checks of a run ran. Its unit is a thousandth of the time in which they did.
type Timeline struct {
	Rows    int
	Height  int   // of the drawing
	Quiet   []Bar // one for all that passed, and one for all that the server does not support: there is nothing to tell of each
	Bars    []Bar // of the others
	Marks   []string
	Longest []Span
}

// Bar is a check, or several of one verdict.
type Bar struct {
	Verdict verdict.Verdict
	Died    bool
	Path    string // of an SVG drawing
	Title   string
	Link    string // ID of its first requirement
}

// Span is when a check ran.
type Span struct {
	Title      string
	Verdict    verdict.Verdict
	Link       string
	Start      string // since the start of the run
	Took       string
	start, end int64
	check      verdict.CheckResult
}

const (
	rowHeight   = 6 // of which a bar has rowHeight-1
	longestMost = 10
)

// timeline returns the timeline of a run; nil if its results have no times.
func timeline(checks []verdict.CheckResult) *Timeline {
	var spans []Span
	for _, check := range checks {
		if check.EndMS > 0 && check.Verdict != verdict.NotRun {
			spans = append(spans, spanOf(check))
		}
	}
	if len(spans) == 0 {
		return nil
	}
	slices.SortStableFunc(spans, func(a, b Span) int { return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(b.end, a.end)) })
	begin, end := spans[0].start, int64(0)
	for _, one := range spans {
		end = max(end, one.end)
	}
	length := max(end-begin, 1)
	drawn := &Timeline{}
	quiet := map[verdict.Verdict]*strings.Builder{verdict.Pass: {}, verdict.Unsupported: {}}
	var free []int64 // when each row is free
	for _, one := range spans {
		row := slices.IndexFunc(free, func(at int64) bool { return at <= one.start })
		if row < 0 {
			row = len(free)
			free = append(free, 0)
		}
		free[row] = max(one.end, one.start+1)
		from := (one.start - begin) * 1000 / length
		width := max((one.end-one.start)*1000/length, 1)
		path := fmt.Sprintf("M%d %dh%dv%dh-%dz", from, row*rowHeight, width, rowHeight-1, width)
		if several, ok := quiet[one.Verdict]; ok {
			several.WriteString(path)
			continue
		}
		drawn.Bars = append(drawn.Bars, Bar{
			Verdict: one.Verdict, Died: one.check.Died, Path: path, Link: one.Link,
			Title: fmt.Sprintf("%s: %s, %s at %s", one.Title, one.Verdict, one.Took, one.Start),
		})
	}
	drawn.Rows, drawn.Height = len(free), len(free)*rowHeight
	for _, v := range verdict.All {
		if several, ok := quiet[v]; ok && several.Len() > 0 {
			drawn.Quiet = append(drawn.Quiet, Bar{Verdict: v, Path: several.String()})
		}
	}
	for quarter := range int64(5) {
		drawn.Marks = append(drawn.Marks, since(begin+length*quarter/4))
	}
	slices.SortStableFunc(spans, func(a, b Span) int { return cmp.Compare(b.end-b.start, a.end-a.start) })
	drawn.Longest = spans[:min(len(spans), longestMost)]
	return drawn
}

func spanOf(check verdict.CheckResult) Span {
	one := Span{
		Title: check.Name, Verdict: check.Verdict, Start: since(check.StartMS), Took: took(check.DurationMS), start: check.StartMS, end: check.EndMS, check: check,
	}
	if len(check.Requirements) > 0 {
		one.Link = check.Requirements[0]
	}
	return one
}

// since returns a time since the start of a run: "1m5s".
func since(ms int64) string {
	return (time.Duration(ms) * time.Millisecond).Round(time.Second).String()
}

// took returns a duration: "1.25s".
func took(ms int64) string {
	return (time.Duration(ms) * time.Millisecond).Round(10 * time.Millisecond).String()
}
