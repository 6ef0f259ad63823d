package page

// One requirement for the terminal: what it says, why a candidate does not meet it, and how sure that is.

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"msc4014/helpers/verdict"
	"msc4014/report"
)

// WriteRequirement writes what is known of a requirement from results. It returns an error, with the most similar identifiers, if no result
// has it.
func WriteRequirement(w io.Writer, style report.Style, sources []Source, id string) error {
	var known report.Requirement
	var all []string
	for _, source := range sources {
		for _, requirement := range source.Results.Requirements {
			all = append(all, requirement.ID)
			if requirement.ID == id && len(known.Links) <= len(requirement.Links) {
				known = requirement
			}
		}
	}
	if known.ID == "" {
		return fmt.Errorf("the results have no requirement %q%s; ./run.sh list names them", id, similar(id, all))
	}
	s := shown{style: style}
	s.line("%s (%s; %s)", known.ID, known.Kind, known.Source)
	s.line("  %s", known.Demand)
	for _, link := range known.Links {
		s.line("  %s", safeURL(link.URL))
	}
	if known.Consequence != "" {
		s.line("  if it fails: %s", known.Consequence)
	}
	for _, reading := range known.Possible {
		s.line("  %s: %s", reading.Reading, reading.Means)
	}
	for _, source := range sources {
		s.source(source, id)
	}
	s.line("")
	s.line("how sure")
	switch len(known.Faults) {
	case 0:
		s.line("  no fault of the reference is recorded that makes it fail")
	default:
		s.line("  its checks can fail: deviations of the reference that make it fail: %d", len(known.Faults))
		for _, fault := range known.Faults {
			s.line("    %s: %s", fault.ID, fault.Does)
		}
	}
	for _, source := range sources {
		for _, sentence := range certainty(source.Results, id) {
			s.line("  %s: %s", source.Results.Candidate.Name, sentence)
		}
	}
	_, err := io.WriteString(w, s.text.String())
	return err
}

// similar suggests identifiers that have a part of id.
func similar(id string, all []string) string {
	_, name, _ := strings.Cut(id, "/")
	var found []string
	for _, other := range all {
		if name != "" && strings.Contains(other, name) || strings.Contains(other, id) {
			found = append(found, other)
		}
	}
	if len(found) == 0 || len(found) > 5 {
		return ""
	}
	return " (similar: " + strings.Join(found, ", ") + ")"
}

// shown collects lines.
type shown struct {
	style report.Style
	text  strings.Builder
}

func (s *shown) line(format string, arguments ...any) {
	text := fmt.Sprintf(format, arguments...)
	if !s.style.Colour { // colours are ours, and their names have passed Visible
		text = report.Visible(text)
	}
	s.text.WriteString(strings.TrimRight(text, " ") + "\n")
}

// word returns a verdict in its colour.
func (s *shown) word(v verdict.Verdict) string {
	text := fmt.Sprintf("%-12s", v)
	switch v {
	case verdict.Pass:
		return s.style.Good(text)
	case verdict.Fail, verdict.Error:
		return s.style.Bad(text)
	}
	return s.style.Warn(text)
}

// flat returns text on one line that cannot do anything to a terminal.
func flat(text string) string {
	return report.ForConsole(strings.Join(strings.Fields(report.Visible(text)), " "))
}

// source writes the result of one candidate.
func (s *shown) source(source Source, id string) {
	one := candidate(0, source.Results.Candidate.Name, source)
	requirement, present := one.byID[id]
	s.line("")
	if !present {
		s.line("%s: its catalogue does not have it", flat(one.Label))
		return
	}
	s.line("%s %s", s.word(requirement.Verdict), flat(one.Label))
	if len(requirement.Readings) > 0 {
		s.line("  reading: %s", flat(strings.Join(requirement.Readings, ", ")))
	}
	for _, name := range requirement.Checks {
		check, ok := one.checks[name]
		if !ok {
			continue
		}
		s.line("  %s %s", s.word(check.Verdict), flat(report.CheckTitle(check.Name, check.Path)))
		if check.BlockedBy != "" {
			s.line("               blocked by %s", flat(check.BlockedBy))
		}
		if check.Reason != "" {
			s.line("               %s", flat(check.Reason))
		}
		if why := one.expected[[2]string{report.WhatCheck, name}]; why != "" {
			s.line("               the baseline expects this: %s", flat(why))
		}
		for _, file := range []string{check.Transcript, check.Log} {
			if file != "" {
				s.line("               %s", flat(filepath.Join(source.Folder, filepath.FromSlash(file))))
			}
		}
	}
	for _, finding := range source.Results.Findings {
		if finding.Requirement == id {
			s.line("  %s during %q: %s", s.word(verdict.Fail), flat(finding.Check), flat(finding.Detail))
		}
	}
	if len(requirement.Checks) == 0 && requirement.Reason != "" {
		s.line("  %s", flat(requirement.Reason))
	}
	if len(requirement.Checks) > 0 {
		s.line("  again: %s", flat(Command(source.Results, "^"+id+"$")))
	}
}

// certainty says what speaks against or for a result.
func certainty(results report.Results, id string) []string {
	var sentences []string
	again, differs := 0, 0
	for _, check := range results.Checks {
		for _, judged := range check.Requirements {
			if judged == id && check.First != nil {
				again++
				if check.First.Verdict != check.Verdict {
					differs++
				}
			}
		}
	}
	if again > 0 {
		sentences = append(sentences, fmt.Sprintf("%d of its checks were judged again, because a server died; %d with another verdict", again, differs))
	}
	if results.Incomplete != "" {
		sentences = append(sentences, "the run is incomplete: "+flat(results.Incomplete))
	}
	if b := results.Baseline; b != nil && b.File != "" {
		sentence := "it is as the baseline " + b.File + " expects"
		for _, difference := range b.Differences {
			if difference.Name == id || checkJudges(results, difference.Name, id) {
				sentence = fmt.Sprintf("%s than the baseline %s: %s", difference.Kind, b.File, flat(difference.String()))
			}
		}
		sentences = append(sentences, sentence)
	}
	return sentences
}

func checkJudges(results report.Results, name, id string) bool {
	for _, check := range results.Checks {
		if check.Name == name {
			for _, judged := range check.Requirements {
				if judged == id {
					return true
				}
			}
		}
	}
	return false
}
