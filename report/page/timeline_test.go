package page

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

func TestTimeline(t *testing.T) {
	at := func(name string, v verdict.Verdict, start, end int64, died bool) verdict.CheckResult {
		return verdict.CheckResult{
			Name: name, Requirements: []string{"mapping/" + name}, Verdict: v, StartMS: start, EndMS: end, DurationMS: end - start, Died: died, Started: time.Unix(0, 0),
		}
	}
	drawn := timeline([]verdict.CheckResult{
		at("late", verdict.Fail, 61_000, 101_000, true), at("first", verdict.Pass, 1000, 51_000, false), at("beside", verdict.Unsupported, 2000, 12_000, false),
		at("after", verdict.Pass, 12_000, 12_000, false), {Name: "left out", Verdict: verdict.NotRun},
	})
	require.NotNil(t, drawn)
	assert.Equal(t, 2, drawn.Rows, "what ran after another takes its row")
	assert.Equal(t, []Bar{{Verdict: verdict.Pass, Path: "M0 0h500v5h-500zM110 6h1v5h-1z"}, {Verdict: verdict.Unsupported, Path: "M10 6h100v5h-100z"}}, drawn.Quiet)
	assert.Equal(t, []Bar{{Verdict: verdict.Fail, Died: true, Path: "M600 0h400v5h-400z", Title: "late: fail, 40s at 1m1s", Link: "mapping/late"}}, drawn.Bars)
	assert.Equal(t, []string{"1s", "26s", "51s", "1m16s", "1m41s"}, drawn.Marks)
	assert.Equal(t, "first", drawn.Longest[0].Title)
	assert.Nil(t, timeline([]verdict.CheckResult{{Name: "of an older schema", Verdict: verdict.Pass}}))
}
