package report

// Turns the stream of events into Results: which verdict counts, the verdicts of requirements, and what was left out.

import (
	"fmt"
	"slices"
	"sort"
	"strings"
	"time"

	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
)

// Reasons that the assembly itself gives; readers of results.json may compare against them.
const (
	ReasonNoCheckYet     = "no check yet"
	ReasonLeftOutByRun   = leftOut + "run"
	ReasonLeftOutByShard = leftOut + "shard"
	ReasonLeftOutByPair  = leftOut + "pair: it uses one server only"
	ReasonSuiteEnded     = "the suite ended before it was judged"
	// ReasonRunEnded is the prefix of the reasons of checks that an unfinished run gave no final verdict.
	ReasonRunEnded = "the run ended before this check"
)

// leftOut is the prefix of the reason of everything that an option left out.
const leftOut = "left out by --"

// findingsKept bounds how many findings of one requirement are kept: a server that breaks a requirement with every event
// would fill the report with the same sentence.
const findingsKept = 10

// KindOpen is the kind of requirement that the texts leave open; a server cannot fail it.
const KindOpen = "open"

// Catalogue is the part of the catalogue of requirements that the report needs.
type Catalogue struct {
	Version      int
	MSCNumber    int
	MSCCommit    string
	Requirements []CatalogueEntry // in the catalogue's order
}

// CatalogueEntry is one requirement of the catalogue.
type CatalogueEntry struct {
	ID      string
	Chapter string
	Kind    string
	Own     bool // the suite's demand, not the proposal's
	Since   int  // the version of the catalogue that first had it
	Demand  string
	Source  string
	// Links lead to what Source names; Readings are all that the catalogue lists.
	Links    []Link
	Readings []Reading
	// Faults are the deviations of the reference that make it fail.
	Faults []Fault
	// Consequence is what it means for users when a server breaks it.
	Consequence string
}

// Run is what is known about a run besides its events.
type Run struct {
	Suite     Suite
	Candidate verdict.Candidate // as known before the run; events add to it
	Started   time.Time
	Duration  time.Duration
	// Registered are all checks of the suite, in its order.
	Registered []selection.Check
	Selection  selection.Selection
	// Incomplete says why the run ended early, such as "interrupted by SIGINT"; empty if the stream has an end event.
	Incomplete string
	// Notes are what the command line reported before the first event.
	Notes []string
	// AllEvidence reports that the evidence of checks that passed was kept, too.
	AllEvidence bool
}

// LeftOut reports whether a check or requirement was not asked for, rather than impossible to run.
func LeftOut(v verdict.Verdict, reason string) bool {
	return v == verdict.NotRun && (strings.HasPrefix(reason, leftOut) || reason == verdict.WithoutClients)
}

// Unfinished reports whether the run ended before the verdict of a check was final.
func Unfinished(check verdict.CheckResult) bool {
	return check.Verdict == verdict.NotRun && strings.HasPrefix(check.Reason, ReasonRunEnded)
}

// Assemble builds the results of a run from its events. A planned check without a final verdict becomes not-run in a run
// that ended early, and error in a complete one; a check that was not planned becomes not-run, with the option that left it
// out. Assemble reads no clock and no file.
func Assemble(run Run, catalogue Catalogue, events []verdict.Event) Results {
	a := assembly{
		notes: slices.Clone(run.Notes), run: run, planned: map[string]bool{}, begun: map[string]bool{}, done: map[string]verdict.Verdict{}, final: map[string]verdict.CheckResult{},
	}
	a.candidate = run.Candidate
	for _, event := range events {
		a.take(event)
	}
	if a.run.Incomplete == "" && !a.ended {
		a.run.Incomplete = ReasonSuiteEnded
	}
	results := Results{
		Schema:       Schema,
		Suite:        run.Suite,
		MSC:          MSC{Number: catalogue.MSCNumber, Commit: catalogue.MSCCommit, Catalogue: catalogue.Version},
		Candidate:    a.candidate,
		Environment:  a.environment,
		Started:      run.Started.UTC(),
		DurationMS:   run.Duration.Milliseconds(),
		Incomplete:   a.run.Incomplete,
		Checks:       a.checks(),
		Observations: a.distinctObservations(),
		Notes:        a.notes,
	}
	if run.AllEvidence {
		results.EvidenceKept = EvidenceAll
	}
	if selected := run.Selection; !selected.Whole() {
		results.Selection = &Selection{Shard: selected.Shard, Pair: selected.Pair}
		if selected.Pattern != nil {
			results.Selection.Run = selected.Pattern.String()
		}
	}
	results.Findings = a.selectedFindings(results.Checks)
	results.Requirements = a.requirements(catalogue, results)
	if refuseUnfounded(&results) {
		results.Requirements = a.requirements(catalogue, results)
	}
	nameRootVerdicts(&results)
	nameEvidence(&results)
	findUnsteady(&results)
	results.count()
	return results
}

// count counts checks and requirements by verdict.
func (results *Results) count() {
	results.Counts, results.RequirementCounts, results.OwnCounts = newCounts(), newCounts(), newCounts()
	for _, check := range results.Checks {
		results.Counts[check.Verdict]++
	}
	for _, requirement := range results.Requirements {
		switch {
		case requirement.Kind == KindOpen:
		case requirement.Own:
			results.OwnCounts[requirement.Verdict]++
		default:
			results.RequirementCounts[requirement.Verdict]++
		}
	}
}

// Unmade returns the results of a run that has no verdicts, or none yet, for the reason why.
func Unmade(run Run, catalogue Catalogue, why string) Results {
	catalogue.Requirements = nil
	run.Registered, run.Incomplete = nil, why
	results := Assemble(run, catalogue, nil)
	exit := ExitOf(results)
	results.Exit = &exit
	return results
}

// assembly collects the events of one run.
type assembly struct {
	run          Run
	candidate    verdict.Candidate
	environment  *verdict.Environment
	planned      map[string]bool
	plannedOrder []string
	begun        map[string]bool
	done         map[string]verdict.Verdict // provisional
	final        map[string]verdict.CheckResult
	observations []verdict.Observation
	findings     []verdict.Finding
	notes        []string
	ended        bool
}

// take adds one event.
func (a *assembly) take(event verdict.Event) {
	if event.Candidate != nil {
		mergeCandidate(&a.candidate, *event.Candidate)
	}
	if event.Environment != nil {
		a.environment = event.Environment
	}
	switch event.Kind {
	case verdict.KindPlan:
		for _, name := range event.Checks {
			a.plan(name)
		}
	case verdict.KindCheckStart:
		a.begun[event.Check] = true
	case verdict.KindCheckDone:
		if event.Result != nil {
			a.done[event.Check] = event.Result.Verdict
		}
	case verdict.KindCheckFinal:
		if event.Result == nil {
			return
		}
		result := *event.Result
		if result.Name == "" {
			result.Name = event.Check
		}
		if !result.Verdict.Valid() {
			result.Reason = fmt.Sprintf("the suite reported an invalid verdict: %q (%s)", result.Verdict, result.Reason)
			result.Verdict = verdict.Error
		}
		a.plan(result.Name)
		a.fixTimes(&result)
		a.final[result.Name] = result
	case verdict.KindObservation:
		if event.Observation != nil {
			observed := *event.Observation
			observed.Check = event.Check
			a.observations = append(a.observations, observed)
		}
	case verdict.KindFinding:
		if event.Finding != nil {
			a.findings = append(a.findings, *event.Finding)
		}
	case verdict.KindServerDied, verdict.KindNote:
		if event.Message != "" {
			note := event.Message
			if event.Kind == verdict.KindServerDied && event.Check != "" {
				note += fmt.Sprintf(" (by %q)", event.Check)
			}
			a.notes = append(a.notes, note)
		}
	case verdict.KindEnd:
		a.ended = true
	}
}

// plan records that this run includes a check.
func (a *assembly) plan(name string) {
	if !a.planned[name] {
		a.planned[name] = true
		a.plannedOrder = append(a.plannedOrder, name)
	}
}

// mergeCandidate overwrites fields of known with the fields of more that are set.
func mergeCandidate(known *verdict.Candidate, more verdict.Candidate) {
	for _, field := range []struct {
		known *string
		more  string
	}{
		{&known.Name, more.Name}, {&known.Version, more.Version}, {&known.Image, more.Image},
		{&known.Digest, more.Digest}, {&known.Runtime, more.Runtime}, {&known.Dialect, more.Dialect},
		{&known.RoomVersion, more.RoomVersion}, {&known.Configuration, more.Configuration},
	} {
		if field.more != "" {
			*field.known = field.more
		}
	}
	if len(more.Servers) > 0 {
		known.Servers = more.Servers
	}
}

// checks returns the result of every registered check in the suite's order, followed by those of planned checks that are
// not registered.
func (a *assembly) checks() []verdict.CheckResult {
	results := []verdict.CheckResult{}
	seen := map[string]bool{}
	for _, registered := range a.run.Registered {
		seen[registered.Name] = true
		result := a.judged(registered.Name)
		if len(result.Requirements) == 0 {
			result.Requirements = registered.Requirements
		}
		if result.Path == "" {
			result.Path = registered.Path
		}
		if !a.planned[registered.Name] {
			result.Verdict, result.Reason = verdict.NotRun, a.whyLeftOut(registered)
		}
		results = append(results, result)
	}
	for _, name := range a.plannedOrder {
		if !seen[name] {
			results = append(results, a.judged(name))
		}
	}
	for i := range results {
		if results[i].Requirements == nil {
			results[i].Requirements = []string{}
		}
	}
	return results
}

// judged returns the final result of a check. A check without one is not-run if the run ended early, else an error.
func (a *assembly) judged(name string) verdict.CheckResult {
	if result, ok := a.final[name]; ok {
		return result
	}
	if a.run.Incomplete == "" {
		return verdict.CheckResult{Name: name, Verdict: verdict.Error, Reason: ReasonSuiteEnded}
	}
	when := " began"
	if provisional, done := a.done[name]; done {
		when = fmt.Sprintf("'s verdict was final (%s, until its servers have passed their closing health check)", provisional)
	} else if a.begun[name] {
		when = " did"
	}
	return verdict.CheckResult{Name: name, Verdict: verdict.NotRun, Reason: ReasonRunEnded + when + ": " + a.run.Incomplete}
}

// whyLeftOut names the option that kept a registered check from being planned.
func (a *assembly) whyLeftOut(check selection.Check) string {
	selected := a.run.Selection
	switch {
	case !selected.Matches(check):
		return ReasonLeftOutByRun
	case selected.Pair && !check.Mixed:
		return ReasonLeftOutByPair
	case selected.Shard != "":
		return ReasonLeftOutByShard + " " + selected.Shard
	default:
		return "the suite did not plan it"
	}
}

// distinctObservations returns the observations sorted by identifier, each reading once, and "none seen" only if no check
// saw a reading.
func (a *assembly) distinctObservations() []verdict.Observation {
	seen := map[[2]string]bool{}
	read := map[string]bool{}
	for _, observation := range a.observations {
		if observation.Reading != verdict.NoneSeen {
			read[observation.ID] = true
		}
	}
	distinct := []verdict.Observation{}
	for _, observation := range a.observations {
		key := [2]string{observation.ID, observation.Reading}
		if seen[key] || observation.Reading == verdict.NoneSeen && read[observation.ID] {
			continue
		}
		seen[key] = true
		distinct = append(distinct, observation)
	}
	sort.SliceStable(distinct, func(i, j int) bool {
		if distinct[i].ID != distinct[j].ID {
			return distinct[i].ID < distinct[j].ID
		}
		return distinct[i].Reading < distinct[j].Reading
	})
	return distinct
}

// asked reports whether a requirement that no check of this run judges was asked for anyway: by name, or because
// everything was. A pair is judged by its checks alone; each candidate's own run judges the rest.
func (a *assembly) asked(requirement string) bool {
	if pattern := a.run.Selection.Pattern; pattern != nil {
		return pattern.MatchString(requirement)
	}
	return !a.run.Selection.Pair
}

// selectedFindings returns the findings of requirements that this run was asked to judge. Findings of the monitors about others
// would depend on which checks happened to run. A step that blocked a check counts whichever requirement it names.
func (a *assembly) selectedFindings(checks []verdict.CheckResult) []verdict.Finding {
	covered := map[string]bool{}
	for _, check := range checks {
		if a.planned[check.Name] {
			for _, id := range check.Requirements {
				covered[id] = true
			}
		}
	}
	kept := map[string]int{}
	type identity struct{ requirement, check, detail string }
	seen := map[identity]bool{}
	selected := []verdict.Finding{}
	for _, finding := range a.findings {
		if !finding.Step && !covered[finding.Requirement] && !a.asked(finding.Requirement) {
			continue
		}
		same := identity{finding.Requirement, finding.Check, finding.Detail}
		if seen[same] || kept[finding.Requirement] == findingsKept {
			continue
		}
		seen[same] = true
		kept[finding.Requirement]++
		selected = append(selected, finding)
	}
	sort.SliceStable(selected, func(i, j int) bool { return selected[i].Requirement < selected[j].Requirement })
	return selected
}
