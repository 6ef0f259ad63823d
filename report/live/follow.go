package live

// Following the record of a run.

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msc4014/helpers/verdict"
	"msc4014/report"
)

// The bounds of what the page shows of one run. The report has everything.
const (
	mostResults = 200
	mostRunning = 40
	mostDeaths  = 20
	longestText = 600 // bytes of one text
)

// phase is how far a run is.
type phase string

const (
	waiting   phase = "waiting" // for other candidates of the same run
	preparing phase = "preparing"
	running   phase = "running"
	ended     phase = "ended"
	brokeOff  phase = "broke off" // the run was killed
)

// state is what the page shows of one run, as JSON.
type state struct {
	Candidate  string                  `json:"candidate"`
	Phase      phase                   `json:"phase"`
	Activity   string                  `json:"activity,omitempty"`
	Started    time.Time               `json:"started,omitzero"` // of the checks
	Over       time.Time               `json:"over,omitzero"`
	Total      int                     `json:"total"`
	Done       int                     `json:"done"`
	Counts     map[verdict.Verdict]int `json:"counts"`
	Unexpected int                     `json:"unexpected"`
	Running    []runningCheck          `json:"running"`
	Results    []result                `json:"results"` // the newest first
	Deaths     []string                `json:"deaths"`
}

type runningCheck struct {
	Check string    `json:"check"`
	Since time.Time `json:"since"`
}

// result is the result of one check; it is provisional until Final.
type result struct {
	Check      string          `json:"check"`
	Verdict    verdict.Verdict `json:"verdict"`
	Reason     string          `json:"reason,omitempty"`
	Unexpected bool            `json:"unexpected,omitempty"`
	Again      bool            `json:"again,omitempty"` // it is judged again
	Final      bool            `json:"final,omitempty"`
	TookMS     int64           `json:"took_ms,omitempty"`
	at         int             // the number of results before it
}

// follower follows the runs in one results folder, one after the other.
type follower struct {
	folder    string
	candidate string // the name in its results
	staging   string // of the run that it follows; "" before the first
	record    *os.File
	lines     *bufio.Reader
	partial   []byte

	phase    phase
	activity string
	started  time.Time
	over     time.Time
	total    int
	results  map[string]result
	starts   map[string]time.Time
	deaths   []string
}

func newFollower(folder string) *follower {
	return &follower{folder: folder, phase: ended}
}

// update reads what happened since the last update.
func (f *follower) update() error {
	staging, alive, err := report.Running(f.folder)
	if err != nil {
		return err
	}
	if alive && staging != f.staging {
		f.begin(staging)
	}
	if results, err := report.Read(f.folder); err == nil && (f.candidate == "" || !alive) {
		f.candidate = results.Candidate.Name
	}
	if f.staging == "" {
		return nil
	}
	if f.record == nil {
		opened, err := os.Open(filepath.Join(f.staging, file))
		if err == nil {
			f.record, f.lines = opened, bufio.NewReader(opened)
		} else if !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	if f.record != nil {
		f.read()
	}
	if !alive && f.phase != ended {
		f.phase = brokeOff
		if results, err := report.Read(f.folder); err == nil && !report.Unended(results) {
			f.phase = ended // it could not be made, or was killed when its results were kept
		}
	}
	return nil
}

// begin follows another run.
func (f *follower) begin(staging string) {
	f.close()
	*f = follower{folder: f.folder, phase: waiting, staging: staging, results: map[string]result{}, starts: map[string]time.Time{}}
}

func (f *follower) close() {
	if f.record != nil {
		_ = f.record.Close()
	}
	f.record = nil
}

// read takes the whole lines that the record has by now.
func (f *follower) read() {
	for {
		line, err := f.lines.ReadBytes('\n')
		f.partial = append(f.partial, line...)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				f.close()
			}
			return
		}
		var one entry
		if json.Unmarshal(f.partial, &one) == nil {
			f.take(one)
		}
		f.partial = f.partial[:0]
	}
}

// take takes one line of the record.
func (f *follower) take(one entry) {
	switch {
	case one.Ended:
		f.phase, f.over, f.activity = ended, one.Time, ""
		f.starts = map[string]time.Time{}
	case one.Activity != "":
		f.phase, f.activity = preparing, one.Activity
	case one.Event != nil:
		f.event(*one.Event, one)
	}
}

func (f *follower) event(event verdict.Event, of entry) {
	switch event.Kind {
	case verdict.KindPlan:
		if f.started.IsZero() {
			f.started = of.Time
		}
		f.phase, f.activity = running, ""
		f.total = cmp.Or(event.Total, len(event.Checks))
	case verdict.KindCheckStart:
		f.starts[event.Check] = of.Time
	case verdict.KindCheckDone, verdict.KindCheckFinal:
		delete(f.starts, event.Check)
		if event.Result == nil {
			return
		}
		reason := event.Result.Reason
		if event.Result.BlockedBy != "" {
			reason = strings.TrimSuffix("by "+event.Result.BlockedBy+": "+reason, ": ")
		}
		at := len(f.results)
		before, known := f.results[event.Check]
		final := event.Kind == verdict.KindCheckFinal
		if known && (before.Verdict == event.Result.Verdict && before.Unexpected == of.Unexpected) {
			at = before.at // it stays where it was
		} else {
			for _, other := range f.results {
				at = max(at, other.at+1)
			}
		}
		f.results[event.Check] = result{
			Check: event.Check, Verdict: event.Result.Verdict, Reason: short(reason), Unexpected: of.Unexpected, Again: event.Again,
			Final: final, TookMS: event.Result.DurationMS, at: at,
		}
	case verdict.KindServerDied:
		if len(f.deaths) < mostDeaths {
			death := short(event.Message)
			if event.Check != "" {
				death += " (by " + event.Check + ")"
			}
			f.deaths = append(f.deaths, death)
		}
	}
}

// short bounds a text of a server, and takes what would hide others from it.
func short(text string) string {
	if len(text) > longestText {
		text = text[:longestText] + "…"
	}
	return strings.Join(strings.Fields(report.Visible(text)), " ")
}

// state returns what the page shows.
func (f *follower) state() state {
	shown := state{
		Candidate: cmp.Or(short(f.candidate), filepath.Base(f.folder)), Phase: f.phase, Activity: short(f.activity), Started: f.started, Over: f.over,
		Total: f.total, Done: len(f.results), Counts: map[verdict.Verdict]int{}, Running: []runningCheck{}, Results: []result{}, Deaths: slices.Clone(f.deaths),
	}
	for _, one := range f.results {
		shown.Counts[one.Verdict]++
		if one.Unexpected {
			shown.Unexpected++
		}
		shown.Results = append(shown.Results, one)
	}
	slices.SortFunc(shown.Results, func(a, b result) int {
		return cmp.Or(boolOrder(b.Unexpected)-boolOrder(a.Unexpected), b.at-a.at)
	})
	shown.Results = shown.Results[:min(len(shown.Results), mostResults)]
	for name, since := range f.starts {
		shown.Running = append(shown.Running, runningCheck{name, since})
	}
	slices.SortFunc(shown.Running, func(a, b runningCheck) int { return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Check, b.Check)) })
	shown.Running = shown.Running[:min(len(shown.Running), mostRunning)]
	return shown
}

func boolOrder(b bool) int {
	if b {
		return 1
	}
	return 0
}
