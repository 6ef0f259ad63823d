package prove

// What twin sessions notice alone: of the faults that clients can see, how many make a generated session differ.

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msc4014/faults"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

// likeOrdinaryRooms is the requirement of twin sessions. What else clients see broken breaks it, too, if a session happens to show it: any
// fault may make it fail, and only the rows that are about it name it.
const likeOrdinaryRooms = "client-view/like-ordinary-rooms"

// twinChapters are the chapters whose faults twin sessions are to notice.
var twinChapters = []string{"client-view", "membership"}

// fewestNoticedByTwins is the percentage of these faults that they must notice.
const fewestNoticedByTwins = 60

// TwinOptions describe a proof of twin sessions as requested.
type TwinOptions struct {
	Run      string // a regular expression for faults and requirements; "" for all of twinChapters
	Results  string // the folder for results; "" for results/prove-twins
	Parallel int    // trials in parallel; 0 for the default
	Sessions int    // with each fault, of seeds from 1 on
	Verbose  bool
}

// TwinsFile is the name of the proof of twin sessions in its results folder.
const TwinsFile = "twins.json"

// earlierTwinsFile is the TwinsFile of an earlier proof.
const earlierTwinsFile = "twins-earlier.json"

// TwinsProof is twins.json.
type TwinsProof struct {
	Schema     int          `json:"schema"`
	Suite      report.Suite `json:"suite"`
	Started    time.Time    `json:"started"`
	DurationMS int64        `json:"duration_ms"`
	Run        string       `json:"run,omitempty"`
	Sessions   int          `json:"sessions"` // with each fault
	Honest     []TwinsTrial `json:"honest"`   // without faults: none may be noticed
	Noticed    Part         `json:"noticed"`
	Faults     []TwinsTrial `json:"faults"`
}

// TwinsTrial is the reference with one fault, or none, on which only twin sessions are played.
type TwinsTrial struct {
	ID      string `json:"id"` // of the fault, or the dialect
	Does    string `json:"does,omitempty"`
	Noticed bool   `json:"noticed"`
	By      string `json:"by,omitempty"` // the check that noticed it
	// Words is the reason of that check, or of the one without a verdict if none noticed it.
	Words      string `json:"words,omitempty"`
	DurationMS int64  `json:"duration_ms"`
}

// Twins plays twin sessions on the reference with each fault of twinChapters, and returns its exit status, like Prove.
func (p *Prover) Twins(ctx context.Context, options TwinOptions) (status int, err error) {
	under, err := p.begin(options.Run, options.Results, "prove-twins", options.Parallel, defaultParallel, options.Verbose)
	if err != nil {
		return StatusCannot, err
	}
	end, err := under.start(ctx, TwinsFile, earlierTwinsFile)
	if err != nil {
		return StatusCannot, err
	}
	defer func() { err = errors.Join(err, end()) }()
	trials, err := under.twinTrials(options.Sessions)
	if err != nil {
		return StatusCannot, err
	}
	outcomes, started, err := under.tryUntilDone(ctx, trials)
	if err != nil {
		return StatusCannot, err
	}
	proof := TwinsProof{
		Schema: 1, Suite: p.Suite, Started: started.UTC(), DurationMS: time.Since(started).Milliseconds(), Run: options.Run,
		Sessions: options.Sessions, Faults: []TwinsTrial{},
	}
	for _, one := range outcomes {
		next := one.twins()
		if one.fault == nil {
			proof.Honest = append(proof.Honest, next)
			continue
		}
		proof.Noticed.count(next.Noticed)
		proof.Faults = append(proof.Faults, next)
	}
	file := filepath.Join(under.results, TwinsFile)
	if err := writeJSON(file, proof); err != nil {
		return StatusCannot, fmt.Errorf("cannot write the proof: %w", err)
	}
	return proof.status(), proof.write(p, file)
}

// status returns the exit status: that of differences without a fault, which prove nothing, then that of what was noticed, or
// StatusCannot if trials without a verdict leave it open.
func (t TwinsProof) status() int {
	enough := func(noticed int) bool { return noticed*100 >= t.Noticed.Of*fewestNoticedByTwins }
	unknown := func(of []TwinsTrial) (count int) {
		for _, one := range of {
			if !one.Noticed && one.Words != "" {
				count++
			}
		}
		return count
	}
	switch {
	case slices.ContainsFunc(t.Honest, func(one TwinsTrial) bool { return one.Noticed }):
		return StatusUnproven
	case unknown(t.Honest) > 0:
		return StatusCannot
	case enough(t.Noticed.Proven):
		return StatusProven
	case enough(t.Noticed.Proven + unknown(t.Faults)):
		return StatusCannot
	}
	return StatusUnproven
}

// TwinSessions is how the names of the checks that play twin sessions begin.
const TwinSessions = "twin sessions "

func isTwins(check string) bool { return strings.HasPrefix(check, TwinSessions) }

// twinTrials returns a trial of so many twin sessions for each fault of twinChapters that plain processes can show, unless its row names
// them, and one for the reference without faults in each dialect.
func (p *proving) twinTrials(sessions int) (trials []trial, err error) {
	checks := slices.DeleteFunc(p.of(likeOrdinaryRooms), func(name string) bool { return !isTwins(name) })
	if len(checks) == 0 {
		return nil, fmt.Errorf("no check of %s has a name that begins with %q", likeOrdinaryRooms, TwinSessions)
	}
	for _, dialect := range dialects {
		honest := honestTrial(dialect)
		honest.checks, honest.sessions = checks, sessions
		trials = append(trials, honest)
	}
	controls := len(trials)
	all, err := p.faultTrials(p.coverage)
	for _, one := range all {
		seen := slices.ContainsFunc(one.fault.Requirements, func(id string) bool {
			chapter, _, _ := strings.Cut(id, "/")
			return slices.Contains(twinChapters, chapter)
		})
		named := slices.ContainsFunc(one.fault.Kills, func(kill faults.Kill) bool { return isTwins(kill.Check) })
		if !seen || named {
			continue
		}
		one.sessions, one.fails, one.checks = sessions, nil, checks
		trials = append(trials, one)
	}
	if err == nil && len(trials) == controls {
		err = fmt.Errorf("--run %q matches no fault of %s", p.selected.Pattern, strings.Join(twinChapters, " or "))
	}
	return trials, err
}

// twins returns what came of a trial of twin sessions.
func (o *outcome) twins() TwinsTrial {
	result := TwinsTrial{ID: string(o.dialect), DurationMS: o.results.DurationMS}
	if o.fault != nil {
		result.ID, result.Does = o.fault.ID, o.fault.Does
	}
	for _, check := range o.results.Checks {
		if !slices.Contains(o.checks, check.Name) {
			continue
		}
		switch {
		case check.Verdict == verdict.Fail && !result.Noticed:
			result.Noticed, result.By, result.Words = true, check.Name, oneLine(check.Reason)
		case check.Verdict != verdict.Fail && check.Verdict != verdict.Pass && !result.Noticed:
			result.Words = described(check.Verdict, oneLine(check.Reason))
		}
	}
	result.Words = cmp.Or(result.Words, o.results.Incomplete, strings.Join(o.problems, "; "))
	return result
}

// write writes the proof as text for users.
func (t TwinsProof) write(p *Prover, file string) error {
	style := report.StyleFor(p.Stdout, p.Environment)
	var text page
	text.line("")
	text.line("The reference without faults")
	for _, one := range t.Honest {
		text.line("  %s  dialect %-9s %s", mark(style, !one.Noticed && one.Words == ""), one.ID, shortened(one.Words))
	}
	text.line("")
	text.line("Faults that clients can see, and the twin sessions that notice them")
	for _, one := range t.Faults {
		if one.Noticed {
			text.line("  %s  %-31s %s", style.Good("ok "), one.ID, shortened(one.Words))
		} else {
			text.line("  -    %-31s %s", one.ID, shortened(one.Words))
		}
	}
	text.line("")
	text.line("  faults that twin sessions notice      %s, %d sessions with each; at least %d %% must be noticed", t.Noticed, t.Sessions, fewestNoticedByTwins)
	text.line("  time                                  %s", duration(t.DurationMS))
	text.line("  complete proof                        %s", p.shown(file))
	if _, err := io.WriteString(p.Stdout, text.String()); err != nil {
		return fmt.Errorf("cannot write the proof: %w", err)
	}
	return nil
}
