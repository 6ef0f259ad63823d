// Package page makes the report for reviewers of one or many results folders: one HTML file, the same as Markdown for a pull request,
// and W3C EARL as JSON-LD. All of it comes from the results folders alone.
//
// What a server said is in reasons, details, logs and transcripts. It is foreign text: each form escapes it in its own way.
package page

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"msc4014/helpers/verdict"
	"msc4014/report"
)

// Source is one results folder.
type Source struct {
	Results report.Results
	Folder  string // where its evidence is
	Link    string // relative URL of Folder as seen from the report, with a slash at its end; "" if the report is in it
	Alone   bool   // the report has no links to files of Folder: it is published without them
}

// Report is what all forms show.
type Report struct {
	Title      string
	MSC        report.MSC
	Candidates []*Candidate
	Sections   []Section
	Open       []Question
	evidence   *collector
}

// Candidate is one column.
type Candidate struct {
	Index      int
	Label      string // its name, and what distinguishes it from others of the same name
	Results    report.Results
	Link       string
	Alone      bool
	Conditions []Fact
	Counts     []Count // of the proposal's requirements
	OwnCounts  []Count
	Answered   int // open questions
	Questions  int
	Timeline   *Timeline // nil without times
	checks     map[string]verdict.CheckResult
	byID       map[string]report.Requirement
	expected   map[[2]string]string // reasons of the baseline, by what and name
}

// Fact is a name and its value.
type Fact struct{ Name, Value string }

// Count is a verdict and how often it occurs.
type Count struct {
	Verdict verdict.Verdict
	Number  int
}

// Section is a place in the texts, with the requirements that come from it.
type Section struct {
	Title string
	Link  string
	Rows  []Row
}

// Row is one requirement.
type Row struct {
	report.Requirement
	Number int // in the report, for anchors
	Cells  []Cell
}

// Cell is the result of one requirement for one candidate.
type Cell struct {
	ID        string // for anchors
	Candidate *Candidate
	Present   bool // the candidate's catalogue has the requirement
	Verdict   verdict.Verdict
	Word      string // what the cell says: the verdict, or the readings
	Class     string // of the style sheet
	Reason    string
	Told      bool // the first check gives the same reason
	Checks    []Check
	Findings  []verdict.Finding
	Expected  string // reason of the baseline for findings
	Command   string // that judges it again
}

// Check is one check in a cell.
type Check struct {
	verdict.CheckResult
	Title    string
	Expected string // the baseline's reason
	Command  string // that runs it again
	Evidence string // ID of its evidence, if there is any
	Log, HAR string // links
	Took     string
	Ran      string // when it began
	Open     bool   // it is the first that explains the cell
	Plain    bool   // there is nothing to tell but its verdict
}

// Question is one open requirement.
type Question struct {
	report.Requirement
	Answers []Answer // one for each candidate
}

// Answer is what one candidate chose.
type Answer struct {
	Candidate *Candidate
	Readings  []string
	Detail    string
}

// New makes a report of sources, which must not be empty.
func New(sources []Source) *Report {
	r := &Report{Title: fmt.Sprintf("MSC%d conformance", sources[0].Results.MSC.Number), MSC: sources[0].Results.MSC}
	names := map[string]int{}
	for _, source := range sources {
		names[source.Results.Candidate.Name]++
	}
	for i, source := range sources {
		label := source.Results.Candidate.Name
		if names[label] > 1 {
			label += " (" + filepath.Base(source.Folder) + ", " + source.Results.Started.UTC().Format("2006-01-02 15:04") + ")"
		}
		r.Candidates = append(r.Candidates, candidate(i, label, source))
	}
	r.evidence = newCollector(sources)
	number := 0
	for _, section := range sections(sources) {
		shown := Section{Title: section.title, Link: section.link}
		for _, requirement := range section.requirements {
			number++
			row := Row{Requirement: requirement, Number: number}
			for _, one := range r.Candidates {
				row.Cells = append(row.Cells, r.cell(one, requirement.ID, number))
			}
			shown.Rows = append(shown.Rows, row)
			if requirement.Kind == report.KindOpen {
				r.Open = append(r.Open, question(r.Candidates, requirement))
			}
		}
		r.Sections = append(r.Sections, shown)
	}
	return r
}

// candidate collects what is looked up in a source.
func candidate(index int, label string, source Source) *Candidate {
	results := source.Results
	one := &Candidate{
		Index: index, Label: label, Results: results, Link: source.Link, Alone: source.Alone, Conditions: conditions(results), Counts: counts(results.RequirementCounts),
		OwnCounts: counts(results.OwnCounts), checks: map[string]verdict.CheckResult{}, byID: map[string]report.Requirement{}, expected: map[[2]string]string{},
	}
	for _, check := range results.Checks {
		one.checks[check.Name] = check
	}
	for _, requirement := range results.Requirements {
		one.byID[requirement.ID] = requirement
	}
	one.Timeline = timeline(results.Checks)
	one.Answered, one.Questions = report.OpenQuestions(results)
	if results.Baseline != nil {
		for _, expected := range results.Baseline.Expected {
			one.expected[[2]string{expected.What, expected.Name}] = expected.Reason
		}
	}
	return one
}

func counts(all report.Counts) []Count {
	var shown []Count
	for _, v := range verdict.All {
		if all[v] > 0 {
			shown = append(shown, Count{v, all[v]})
		}
	}
	return shown
}

// cell collects the result of one requirement.
func (r *Report) cell(one *Candidate, id string, number int) Cell {
	requirement, present := one.byID[id] // verdict, reason and checks are the candidate's own
	cell := Cell{
		ID: fmt.Sprintf("d%d-%d", number, one.Index), Candidate: one, Present: present, Verdict: requirement.Verdict, Word: string(requirement.Verdict),
		Class: string(requirement.Verdict), Reason: requirement.Reason,
	}
	switch {
	case !present:
		cell.Word, cell.Class = "not in its catalogue", "absent"
		return cell
	case requirement.Kind == report.KindOpen && len(requirement.Readings) > 0:
		cell.Word, cell.Class = strings.Join(requirement.Readings, ", "), "reading"
	case requirement.Verdict == verdict.NotRun && requirement.Reason == report.ReasonNoCheckYet:
		cell.Word = "no check yet"
	}
	for _, name := range requirement.Checks {
		if check, ok := one.checks[name]; ok {
			cell.Checks = append(cell.Checks, r.check(one, check))
		}
	}
	slices.SortStableFunc(cell.Checks, func(a, b Check) int { return rank(a.Verdict) - rank(b.Verdict) })
	if len(cell.Checks) > 0 && cell.Checks[0].Evidence != "" {
		cell.Checks[0].Open = true
		cell.Told = cell.Checks[0].Reason == cell.Reason
	}
	for i, check := range cell.Checks {
		if check.Plain && check.Reason != "" && strings.HasPrefix(cell.Reason, check.Reason) {
			cell.Checks[i].Reason = "" // the cell has it
		}
	}
	for _, finding := range one.Results.Findings {
		if finding.Requirement == id {
			cell.Findings = append(cell.Findings, finding)
		}
	}
	if len(cell.Checks) > 0 {
		cell.Command = Command(one.Results, "^"+regexp.QuoteMeta(id)+"$")
	}
	cell.Expected = one.expected[[2]string{report.WhatMonitor, id}]
	return cell
}

// rank puts what did not pass first.
func rank(v verdict.Verdict) int {
	return slices.Index([]verdict.Verdict{verdict.Fail, verdict.Error, verdict.Inconclusive, verdict.Blocked, verdict.Unsupported, verdict.Pass, verdict.NotRun}, v)
}

func (r *Report) check(one *Candidate, check verdict.CheckResult) Check {
	shown := Check{
		CheckResult: check, Title: report.CheckTitle(check.Name, check.Path), Expected: one.expected[[2]string{report.WhatCheck, check.Name}],
		Log: one.link(check.Log), HAR: one.link(check.Transcript),
	}
	if check.DurationMS > 0 {
		shown.Took = took(check.DurationMS)
	}
	if check.EndMS > 0 {
		shown.Ran = fmt.Sprintf("%s after the start of the run, at %s", since(check.StartMS), check.Started.UTC().Format("15:04:05.000"))
	}
	shown.Evidence = r.evidence.of(one.Index, check)
	quiet := check.Verdict == verdict.Pass || check.Verdict == verdict.NotRun || check.Verdict == verdict.Unsupported
	shown.Plain = quiet && shown.Evidence == "" && check.First == nil && (len(check.Details) == 0 || check.Verdict == verdict.Pass)
	if check.Verdict == verdict.Pass && shown.Evidence == "" {
		shown.Details = nil // results.json has what a check noted that nothing rests on
	}
	if !quiet && !report.LeftOut(check.Verdict, check.Reason) {
		shown.Command = Command(one.Results, "^"+regexp.QuoteMeta(check.Name)+"$")
	}
	return shown
}

// Command returns the command line that runs the checks that match a pattern again, under the conditions of results.
func Command(results report.Results, pattern string) string {
	arguments := []string{"./run.sh"}
	name := results.Candidate.Name
	if results.Selection != nil && results.Selection.Pair {
		arguments = append(arguments, "--pair", quoted(name))
	} else {
		for _, word := range strings.Fields(name) { // a reference with faults names them after a space
			arguments = append(arguments, quoted(word))
		}
	}
	arguments = append(arguments, "--run", quoted(pattern))
	if results.Candidate.Runtime != "" {
		arguments = append(arguments, "--runtime", quoted(results.Candidate.Runtime))
	}
	if environment := results.Environment; environment != nil && environment.Seed != 1 {
		arguments = append(arguments, "--seed", strconv.FormatUint(environment.Seed, 10))
	}
	return strings.Join(arguments, " ")
}

// plainWord needs no quotes in a shell.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9@%+=:,./_-]+$`)

// quoted returns a word as a POSIX shell reads it.
func quoted(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// question collects what each candidate chose.
func question(candidates []*Candidate, requirement report.Requirement) Question {
	open := Question{Requirement: requirement}
	for _, one := range candidates {
		answer := Answer{Candidate: one, Readings: one.byID[requirement.ID].Readings}
		var details []string
		for _, observed := range one.Results.Observations {
			if observed.ID == requirement.ID && observed.Detail != "" {
				details = append(details, observed.Detail)
			}
		}
		answer.Detail = strings.Join(details, "; ")
		if len(answer.Readings) == 0 && answer.Detail == "" {
			answer.Detail = one.byID[requirement.ID].Reason
		}
		open.Answers = append(open.Answers, answer)
	}
	return open
}

// conditions describes the environment of a run.
func conditions(results report.Results) []Fact {
	var facts []Fact
	add := func(name, value string) {
		if value != "" {
			facts = append(facts, Fact{name, value})
		}
	}
	c := results.Candidate
	add("candidate", c.Name)
	add("version", c.Version)
	add("image", c.Image)
	add("digest", c.Digest)
	add("runtime", map[string]string{"docker": "containers", "process": "plain processes"}[c.Runtime])
	add("room version", cmp.Or(c.RoomVersion, "none: the candidate does not have it"))
	add("dialect", c.Dialect)
	for _, server := range c.Servers {
		text := server.Name
		if server.Digest != "" && server.Digest != c.Digest {
			text += ", " + server.Digest
		}
		if server.Format != "" {
			text += "; " + server.Format
		}
		add("server "+server.Host, text)
	}
	if e := results.Environment; e != nil {
		add("machine", e.OS+"/"+e.Arch)
		add("built with", e.Go)
		if e.Engine != nil {
			add("container engine", fmt.Sprintf("%s, API %s", e.Engine.Version, e.Engine.APIVersion))
		}
		add("seed", strconv.FormatUint(e.Seed, 10))
		if e.Shuffle != 0 {
			add("shuffled by", strconv.FormatInt(e.Shuffle, 10))
		}
		add("checks at a time", strconv.Itoa(e.Parallel))
		for _, name := range sortedKeys(e.Variables) {
			add(name, e.Variables[name])
		}
	}
	add("started", results.Started.UTC().Format(time.RFC3339))
	add("took", (time.Duration(results.DurationMS) * time.Millisecond).Round(time.Second).String())
	add("suite", strings.TrimSpace(results.Suite.Version+" "+results.Suite.Commit))
	add("text", fmt.Sprintf("MSC%d at %s; catalogue %d", results.MSC.Number, results.MSC.Commit, results.MSC.Catalogue))
	add("only a part", part(results))
	add("incomplete", results.Incomplete)
	for _, note := range results.Notes {
		add("note", note)
	}
	return facts
}

// link returns the URL of a file of the results folder; "" if there is none, or if the report is published without them.
func (c *Candidate) link(file string) string {
	if c.Alone {
		return ""
	}
	return link(c.Link, file)
}

// Part says which part of the suite a run was asked for; "" if it was the whole.
func (c *Candidate) Part() string { return part(c.Results) }

func part(results report.Results) string {
	s := results.Selection
	if s == nil {
		return ""
	}
	chosen := []string{prefixed("--run ", s.Run), prefixed("--shard ", s.Shard)}
	if s.Pair {
		chosen = append(chosen, "--pair")
	}
	left := 0
	for _, check := range results.Checks {
		if report.LeftOut(check.Verdict, check.Reason) {
			left++
		}
	}
	return fmt.Sprintf("%s; %d of %d checks were left out", strings.Join(strings.Fields(strings.Join(chosen, " ")), " "), left, len(results.Checks))
}

func prefixed(prefix, text string) string {
	if text == "" {
		return ""
	}
	return prefix + text
}
