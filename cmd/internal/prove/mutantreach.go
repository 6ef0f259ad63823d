package prove

// Which mutants the servers of a run reach, and while which checks run.

import (
	"bufio"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"msc4014/faults/mutation"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
)

// reach has the times at which mutants were reached, by number.
type reach map[int][]time.Time

// recording returns a plan whose servers record which mutants they reach, and the file where they do. folder is for temporary files.
func recording(wanted plan.Plan, folder string) (recorded plan.Plan, file string) {
	file = filepath.Join(folder, "reached")
	wanted.Artifact.Environment = append(slices.Clone(wanted.Artifact.Environment), mutation.ReachedVariable+"="+file)
	return wanted, file
}

// readReach reads what servers recorded.
func readReach(name string) (reached reach, err error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("no server recorded which mutants are reached: %w", err)
	}
	defer func() { _ = file.Close() }()
	reached = reach{}
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var number int
		var milliseconds int64
		if _, err := fmt.Sscanf(lines.Text(), "%d %d", &number, &milliseconds); err != nil {
			return nil, fmt.Errorf("a server recorded that it reached mutant %q, which is not a number and a time", lines.Text())
		}
		reached[number] = append(reached[number], time.UnixMilli(milliseconds))
	}
	return reached, lines.Err()
}

// span is the time while a check ran.
type span struct{ begin, end time.Time }

// spans returns when the checks of a run ran for the first time.
func spans(events []verdict.Event) map[string]span {
	all := map[string]span{}
	for _, event := range events {
		one, known := all[event.Check]
		switch {
		case event.Kind == verdict.KindCheckStart && !known:
			all[event.Check] = span{begin: event.Time}
		case event.Kind == verdict.KindCheckDone && known && one.end.IsZero():
			all[event.Check] = span{one.begin, event.Time}
		}
	}
	return all
}

// during returns the checks that ran while mutants were reached, by the mutants' numbers: those that ran while the fewest mutants were
// reached first. As checks run side by side, some of them do not reach it themselves.
func (r reach) during(ran map[string]span) map[int][]string {
	checks, counts := map[int][]string{}, map[string]int{}
	for number, times := range r {
		checks[number] = nil // reached, but perhaps between checks
		times = slices.SortedFunc(slices.Values(times), time.Time.Compare)
		for name, one := range ran {
			at, _ := slices.BinarySearchFunc(times, one.begin.Add(-mutation.RecordInterval), time.Time.Compare)
			if at < len(times) && !times[at].After(one.end) {
				checks[number] = append(checks[number], name)
				counts[name]++
			}
		}
	}
	for _, names := range checks {
		slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(counts[a], counts[b]), cmp.Compare(a, b)) })
	}
	return checks
}
