package prove

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
)

// TestDuring: checks of which mutants run first, from what servers recorded and when checks ran.
func TestDuring(t *testing.T) {
	at := func(milliseconds int64) time.Time { return time.UnixMilli(1_000_000 + milliseconds) }
	event := func(kind verdict.EventKind, check string, milliseconds int64) verdict.Event {
		return verdict.Event{Kind: kind, Check: check, Time: at(milliseconds)}
	}
	ran := spans([]verdict.Event{
		event(verdict.KindCheckStart, "a", 100),
		event(verdict.KindCheckStart, "b", 150),
		event(verdict.KindCheckDone, "a", 200),
		event(verdict.KindCheckStart, "c", 210),
		event(verdict.KindCheckDone, "b", 300),
		event(verdict.KindCheckDone, "c", 400),
		event(verdict.KindCheckStart, "a", 900), // again, on a server of its own
		event(verdict.KindCheckDone, "a", 950),
		event(verdict.KindCheckStart, "cut short", 960),
	})
	file := filepath.Join(t.TempDir(), "reached")
	require.NoError(t, os.WriteFile(file, []byte("1 1000350\n2 1000290\n1 1000210\n3 1000190\n4 1000600\n3 1000205\n"), 0o644))
	reached, err := readReach(file)
	require.NoError(t, err)
	assert.Equal(t, map[int][]string{1: {"b", "c"}, 2: {"b", "c"}, 3: {"a", "b", "c"}, 4: nil}, reached.during(ran),
		"the interval that begins at 205 may last until c begins")

	for _, line := range []string{"x", "1", "1 now"} {
		require.NoError(t, os.WriteFile(file, []byte(line+"\n"), 0o644))
		_, err = readReach(file)
		assert.ErrorContains(t, err, "which is not a number and a time", line)
	}
}

// TestRecordingLeavesThePlan: the plan without a record is still as it was.
func TestRecordingLeavesThePlan(t *testing.T) {
	environment := append(make([]string, 0, 2), "a=b")
	before := plan.Plan{Artifact: runtime.Artifact{Environment: environment}}
	recorded, file := recording(before, "folder")
	assert.Len(t, recorded.Artifact.Environment, 2)
	assert.Equal(t, filepath.Join("folder", "reached"), file)
	assert.Equal(t, []string{"a=b", ""}, environment[:2], "nothing was written behind it")
}
