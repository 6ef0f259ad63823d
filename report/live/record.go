// Package live shows a run in a browser while it goes: the run records what happens into a file of its folder, and a server on
// loopback follows that file and passes it on as server-sent events. In the end it serves the report.
package live

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"msc4014/helpers/verdict"
)

// file is where a run records what happens, in its own folder inside the results folder. It goes with that folder.
const file = "live.jsonl"

// entry is one line of the record.
type entry struct {
	Time time.Time `json:"time"`
	// Activity is what the run does before its first check.
	Activity string         `json:"activity,omitempty"`
	Event    *verdict.Event `json:"event,omitempty"`
	// Unexpected reports that the result in Event is not what the baseline expects.
	Unexpected bool `json:"unexpected,omitempty"`
	// Ended reports that the results of the run are in its results folder.
	Ended bool `json:"ended,omitempty"`
}

// Recorder records a run. Its methods are safe for concurrent use. What it cannot write is not recorded: a run does not fail by it.
type Recorder struct {
	expected func(check verdict.CheckResult, final bool) bool
	mu       sync.Mutex
	file     *os.File
}

// Record begins a record in the folder of a run's files; expected tells expected results from others.
func Record(staging string, expected func(check verdict.CheckResult, final bool) bool) (*Recorder, error) {
	opened, err := os.Create(filepath.Join(staging, file))
	if err != nil {
		return nil, fmt.Errorf("cannot record the run: %w", err)
	}
	return &Recorder{expected: expected, file: opened}, nil
}

// Doing records what the run does before its first check.
func (r *Recorder) Doing(activity string) { r.write(entry{Activity: activity}) }

// Handle records an event of the suite's binary.
func (r *Recorder) Handle(event verdict.Event) {
	one := entry{Event: &event}
	switch event.Kind {
	case verdict.KindCheckDone, verdict.KindCheckFinal:
		if event.Result == nil {
			return
		}
		result := *event.Result
		one.Unexpected = !event.Again && !r.expected(result, event.Kind == verdict.KindCheckFinal)
		event.Result = &verdict.CheckResult{ // of which the page shows all
			Name: result.Name, Verdict: result.Verdict, Reason: result.Reason, BlockedBy: result.BlockedBy, Died: result.Died, DurationMS: result.DurationMS,
		}
	case verdict.KindPlan, verdict.KindCheckStart, verdict.KindServerDied:
	default:
		return
	}
	r.write(one)
}

// Ended records that the run has kept its results.
func (r *Recorder) Ended() { r.write(entry{Ended: true}) }

// Close ends the record.
func (r *Recorder) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.file.Close()
}

func (r *Recorder) write(one entry) {
	one.Time = time.Now().UTC()
	line, err := json.Marshal(one)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	_, _ = r.file.Write(append(line, '\n'))
}
