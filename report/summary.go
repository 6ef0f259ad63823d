package report

// The console summary, derived from results.json alone: by chapter, what did not pass and why, with the paths of its log
// and transcript.

import (
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msc4014/helpers/verdict"
)

// Summarised holds the results of one candidate and their folder, which the summary prepends to the names of logs.
type Summarised struct {
	Results Results
	Folder  string
}

// indent aligns the lines below an entry with its name.
const indent = "                 "

// reasonShown is the number of characters of a reason that the console shows.
const reasonShown = 400

// grouped is the number of checks in a chapter with the same verdict and reason from which they share one line.
const grouped = 3

// WriteSummary writes one summary of all candidates: a section for each and, if there are several, a table. Only what was not expected is
// told in full, unless verbose.
func WriteSummary(w io.Writer, style Style, candidates []Summarised, verbose bool) error {
	s := summary{style: style, verbose: verbose}
	for _, one := range candidates {
		s.candidate(one)
	}
	if len(candidates) > 1 {
		s.table(candidates)
		s.worse(candidates)
	}
	_, err := io.WriteString(w, s.text.String())
	return err
}

// summary collects the lines.
type summary struct {
	style   Style
	verbose bool
	text    strings.Builder
}

func (s *summary) line(format string, arguments ...any) {
	s.text.WriteString(strings.TrimRight(fmt.Sprintf(format, arguments...), " ") + "\n")
}

// candidate writes the section of one candidate.
func (s *summary) candidate(one Summarised) {
	results := one.Results
	s.line("")
	s.line("%s", s.style.paint(bold, Heading(results)))
	if results.Incomplete != "" {
		s.line("%s", s.style.paint(red, "  incomplete: "+oneLine(results.Incomplete)))
		s.line("  %s", keptVerdicts(results))
	}
	s.space()
	for _, chapter := range chaptersOf(results) {
		s.chapter(one, chapter)
	}
	s.space()
	again, others := 0, 0
	for _, check := range results.Checks {
		if check.First != nil {
			again++
		}
		if differsFromFirst(check) {
			others++
		}
	}
	checks := checkCounts(results)
	if again > 0 {
		checks += fmt.Sprintf("; %d judged again, because a server died, %d of them with another verdict", again, others)
	}
	s.line("  checks         %s", checks)
	demands := requirementCounts(results, false)
	if hasOwn(results) {
		demands += "; the suite's own: " + requirementCounts(results, true)
	}
	s.line("  requirements   %s", demands)
	for _, unsteady := range results.Unsteady {
		s.line("  %s       %s: %s", s.style.Warn("unsteady"), oneLine(unsteady.Check), unsteady.Counts)
	}
	if seen, total := OpenQuestions(results); total > 0 {
		s.line("  open questions %d of %d answered", seen, total)
	}
	if s.verbose {
		s.line("  results        %s", filepath.Join(one.Folder, ResultsFile))
	}
	noted := ""
	if notes := len(results.Notes); notes > 0 && !s.verbose {
		noted = fmt.Sprintf(" (with %d notes)", notes)
	}
	s.line("  report         %s%s", filepath.Join(one.Folder, HTMLFile), noted)
	s.comparison(results)
	s.consequences(results)
	if results.Incomplete == "" {
		for _, reason := range Unjudged(results) {
			s.line("%s", s.style.paint(red, "  "+oneLine(reason)))
		}
	}
}

// space writes an empty line, if there is room.
func (s *summary) space() {
	if s.verbose {
		s.line("")
	}
}

// consequences writes what the requirements that fail mean for users, each sentence once.
func (s *summary) consequences(results Results) {
	var order []string
	shown := map[string][]string{}
	for _, requirement := range results.Requirements {
		if requirement.Verdict != verdict.Fail || requirement.Consequence == "" {
			continue
		}
		if shown[requirement.Consequence] == nil {
			order = append(order, requirement.Consequence)
		}
		shown[requirement.Consequence] = append(shown[requirement.Consequence], requirement.ID)
	}
	for i, sentence := range order {
		label := ""
		if i == 0 {
			label = "for users"
		}
		by := shown[sentence][0]
		if more := len(shown[sentence]) - 1; more > 0 {
			by += fmt.Sprintf(" and %d more", more)
		}
		s.line("  %-14s %s %s", label, oneLine(sentence), s.style.paint(dim, "("+by+")"))
	}
}

// heading names the candidate and the conditions under which it was judged.
func heading(results Results) string {
	c := results.Candidate
	text := withVersion(c.Name, c.Version)
	var servers []string
	differ := false
	for _, server := range c.Servers {
		servers = append(servers, server.Host+" "+withVersion(server.Name, server.Version))
		differ = differ || server.Name != c.Servers[0].Name || server.Digest != c.Servers[0].Digest
	}
	if differ {
		text += " (" + strings.Join(servers, ", ") + ")"
	}
	if c.Runtime != "" {
		text += " in " + map[string]string{"docker": "containers", "process": "plain processes"}[c.Runtime]
	}
	if c.RoomVersion != "" {
		text += ", room version " + c.RoomVersion
	}
	if c.Dialect != "" {
		text += ", dialect " + c.Dialect
	}
	return text + ", " + (time.Duration(results.DurationMS) * time.Millisecond).Round(100*time.Millisecond).String()
}

// withVersion returns a candidate's name, followed by its version unless the name contains it.
func withVersion(name, version string) string {
	if version == "" || strings.Contains(name+" ", "@"+version+" ") {
		return name
	}
	return name + " " + version
}

// chapter writes one chapter: its counts, then what did not pass.
func (s *summary) chapter(one Summarised, chapter string) {
	counts, open, noCheck, leftOut := newCounts(), 0, 0, 0
	for _, requirement := range one.Results.Requirements {
		switch {
		case requirement.Chapter != chapter:
		case requirement.Verdict == verdict.NotRun && requirement.Reason == ReasonNoCheckYet:
			noCheck++
		case LeftOut(requirement.Verdict, requirement.Reason):
			leftOut++
		case requirement.Kind == KindOpen:
			open++
		default:
			counts[requirement.Verdict]++
		}
	}
	var parts []string
	for _, v := range verdict.All {
		if counts[v] > 0 {
			parts = append(parts, s.style.verdict(v, fmt.Sprintf("%d %s", counts[v], v)))
		}
	}
	for _, more := range []struct {
		count int
		text  string
	}{{open, "open"}, {noCheck, "without a check yet"}, {leftOut, "left out"}} {
		if more.count > 0 {
			parts = append(parts, s.style.paint(dim, fmt.Sprintf("%d %s", more.count, more.text)))
		}
	}
	s.line("  %-16s %s", chapter, strings.Join(parts, ", "))
	s.failures(one, chapter)
	if s.verbose {
		s.observations(one, chapter)
	}
}

// failures writes what did not pass in a chapter. Checks with the same verdict and reason share one line, except fails and
// errors.
func (s *summary) failures(one Summarised, chapter string) {
	type group struct {
		verdict verdict.Verdict
		reason  string
	}
	members := map[group][]verdict.CheckResult{}
	var order []group
	for _, check := range one.Results.Checks {
		if check.Verdict == verdict.Pass || LeftOut(check.Verdict, check.Reason) ||
			chapterOf(check.Requirements) != chapter || !s.verbose && isExpected(one.Results, WhatCheck, check.Name) {
			continue
		}
		g := group{check.Verdict, whyNot(check)}
		if members[g] == nil {
			order = append(order, g)
		}
		members[g] = append(members[g], check)
	}
	for _, g := range order {
		own := g.verdict == verdict.Fail || g.verdict == verdict.Error
		if !own && len(members[g]) >= grouped {
			s.entry(g.verdict, fmt.Sprintf("%d checks", len(members[g])))
			s.line(indent+"%s", shortened(g.reason))
			continue
		}
		for _, check := range members[g] {
			s.check(one, check)
		}
	}
	for _, requirement := range one.Results.Requirements {
		findings := findingsOf(one.Results, requirement.ID)
		if requirement.Chapter == chapter && requirement.Kind != KindOpen && len(findings) > 0 && (s.verbose || !isExpected(one.Results, WhatMonitor, requirement.ID)) {
			s.entry(verdict.Fail, requirement.ID)
			s.line(indent+"%s", shortened(FindingReason(findings)))
		}
	}
}

// observations writes the readings seen of a chapter's open requirements.
func (s *summary) observations(one Summarised, chapter string) {
	for _, observation := range one.Results.Observations {
		if chapterOf([]string{observation.ID}) == chapter {
			text := observation.ID + ": " + observation.Reading
			if observation.Reading == verdict.NoneSeen {
				text = withReason(observation.ID+": none seen", observation.Detail)
			}
			s.line("    %s %s", s.style.paint(dim, fmt.Sprintf("%-12s", "observed")), oneLine(text))
		}
	}
}

// isExpected reports whether something is not a pass as the baseline expects. With --strict nothing is.
func isExpected(results Results, what, name string) bool {
	return !results.Strict && isExpectedByBaseline(results, what, name)
}

func isExpectedByBaseline(results Results, what, name string) bool {
	return results.Baseline != nil && slices.ContainsFunc(results.Baseline.Expected, func(one Expected) bool { return one.What == what && one.Name == name })
}

// check writes one check that did not pass.
func (s *summary) check(one Summarised, check verdict.CheckResult) {
	name := CheckTitle(check.Name, check.Path)
	if len(check.Requirements) > 0 {
		name += s.style.paint(dim, " ("+strings.Join(check.Requirements, ", ")+")")
	}
	if check.Verdict == verdict.Fail && isExpectedByBaseline(one.Results, WhatCheck, check.Name) {
		name += s.style.paint(dim, ", as the baseline expects")
	}
	s.entry(check.Verdict, name)
	if reason := whyNot(check); reason != "" {
		s.line(indent+"%s", shortened(reason))
	}
	for _, file := range []struct{ what, path string }{{"log", check.Log}, {"transcript", check.Transcript}} {
		if file.path != "" {
			s.line(indent+"%s", s.style.paint(dim, fmt.Sprintf("%-10s %s", file.what,
				filepath.Join(one.Folder, file.path))))
		}
	}
}

// entry writes the first line of something that did not pass.
func (s *summary) entry(v verdict.Verdict, name string) {
	s.line("    %s %s", s.style.verdict(v, fmt.Sprintf("%-12s", v)), oneLine(name))
}

// table compares candidates by chapter.
func (s *summary) table(candidates []Summarised) {
	widths := make([]int, len(candidates))
	for i, one := range candidates {
		widths[i] = max(len(one.Results.Candidate.Name), len("10 pass, 10 fail, 10 other"))
	}
	row := func(first string, cell func(Results) string) {
		text := fmt.Sprintf("  %-16s", first)
		for i, one := range candidates {
			text += fmt.Sprintf(" %-*s", widths[i]+1, cell(one.Results))
		}
		s.line("%s", text)
	}
	s.line("")
	s.line("%s", s.style.paint(bold, "requirements, by chapter"))
	row("", func(results Results) string { return results.Candidate.Name })
	var chapters []string
	seen := map[string]bool{}
	for _, one := range candidates {
		for _, chapter := range chaptersOf(one.Results) {
			if !seen[chapter] {
				seen[chapter] = true
				chapters = append(chapters, chapter)
			}
		}
	}
	for _, chapter := range chapters {
		row(chapter, func(results Results) string { return cell(results, chapter) })
	}
	row("all", func(results Results) string { return cell(results, "") })
	if slices.ContainsFunc(candidates, func(one Summarised) bool { return hasOwn(one.Results) }) {
		row("own demands", func(results Results) string { return ownCell(results) })
	}
	row("baseline", func(results Results) string { return baselineWord(results) })
}

// cell summarises the results of a chapter in a few words; chapter "" is all that the proposal demands.
func cell(results Results, chapter string) string {
	return cellOf(results, func(r Requirement) bool { return r.Chapter == chapter || chapter == "" && !r.Own })
}

// ownCell summarises the results of the suite's own demands.
func ownCell(results Results) string {
	return cellOf(results, func(r Requirement) bool { return r.Own })
}

func cellOf(results Results, counts func(Requirement) bool) string {
	passed, failed, other := 0, 0, 0
	for _, requirement := range results.Requirements {
		if requirement.Kind == KindOpen || !counts(requirement) {
			continue
		}
		switch {
		case requirement.Verdict == verdict.Pass:
			passed++
		case requirement.Verdict == verdict.Fail:
			failed++
		case requirement.Verdict != verdict.NotRun:
			other++
		}
	}
	return fmt.Sprintf("%d pass, %d fail, %d other", passed, failed, other)
}

// chaptersOf returns the chapters that were judged: those of the catalogue in its order, then any others.
func chaptersOf(results Results) []string {
	judged := map[string]bool{}
	var order []string
	for _, requirement := range results.Requirements {
		order = append(order, requirement.Chapter)
	}
	for _, check := range results.Checks {
		if LeftOut(check.Verdict, check.Reason) {
			continue
		}
		for _, id := range check.Requirements {
			judged[chapterOf([]string{id})] = true
		}
		judged[chapterOf(check.Requirements)] = true
		order = append(order, chapterOf(check.Requirements))
	}
	for _, finding := range results.Findings {
		judged[chapterOf([]string{finding.Requirement})] = true
	}
	var chapters []string
	for _, chapter := range order {
		if judged[chapter] {
			judged[chapter] = false
			chapters = append(chapters, chapter)
		}
	}
	return chapters
}

// checkCounts returns the counts of checks by verdict, and separately how many were left out.
func checkCounts(results Results) string {
	counts, leftOut := newCounts(), 0
	for _, check := range results.Checks {
		if LeftOut(check.Verdict, check.Reason) {
			leftOut++
		} else {
			counts[check.Verdict]++
		}
	}
	if leftOut == 0 {
		return counts.String()
	}
	return fmt.Sprintf("%s; %d left out", counts, leftOut)
}

// keptVerdicts says how many checks of a run that ended early have a verdict.
func keptVerdicts(results Results) string {
	asked, unfinished := 0, 0
	for _, check := range results.Checks {
		if !LeftOut(check.Verdict, check.Reason) {
			asked++
		}
		if Unfinished(check) {
			unfinished++
		}
	}
	text := fmt.Sprintf("verdicts kept: %d of %d", asked-unfinished, asked)
	if unfinished > 0 {
		text += "; the other checks are not-run"
	}
	return text
}

// requirementCounts returns the counts of requirements by verdict, and separately how many were left out or have no check.
// They are the proposal's, or the suite's own.
func requirementCounts(results Results, own bool) string {
	counts, noCheck, leftOut := newCounts(), 0, 0
	for _, requirement := range results.Requirements {
		switch {
		case requirement.Kind == KindOpen || requirement.Own != own:
		case requirement.Reason == ReasonNoCheckYet:
			noCheck++
		case LeftOut(requirement.Verdict, requirement.Reason):
			leftOut++
		default:
			counts[requirement.Verdict]++
		}
	}
	text := counts.String()
	if leftOut > 0 {
		text += fmt.Sprintf("; %d left out", leftOut)
	}
	if noCheck > 0 {
		text += fmt.Sprintf("; %d without a check yet", noCheck)
	}
	return text
}

// hasOwn reports whether any of the suite's own demands was asked for and has a check.
func hasOwn(results Results) bool {
	return slices.ContainsFunc(results.Requirements, func(r Requirement) bool {
		return r.Own && r.Reason != ReasonNoCheckYet && !LeftOut(r.Verdict, r.Reason)
	})
}

// OpenQuestions counts the open requirements that have a check, and those with a reading seen.
func OpenQuestions(results Results) (seen, total int) {
	for _, requirement := range results.Requirements {
		if requirement.Kind != KindOpen || len(requirement.Checks) == 0 && len(requirement.Readings) == 0 ||
			LeftOut(requirement.Verdict, requirement.Reason) {
			continue
		}
		total++
		if len(requirement.Readings) > 0 {
			seen++
		}
	}
	return seen, total
}

// oneLine joins text into one line for the console.
func oneLine(text string) string { return ForConsole(strings.Join(strings.Fields(Visible(text)), " ")) }

// shortened cuts a reason to the length shown on the console; results.json has all of it.
func shortened(text string) string {
	line := []rune(oneLine(text))
	if len(line) <= reasonShown {
		return string(line)
	}
	return string(line[:reasonShown]) + " ..."
}
