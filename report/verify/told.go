package verify

// What results.json says of itself, and what the evidence says of results.json: who makes a fail a pass must change it everywhere.

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

// inItself finds what contradicts itself in results.json: verdicts of requirements that their checks and findings do not give, counts, and
// passes that the baseline does not expect, without saying so.
func (j *judging) inItself(results report.Results) {
	checks := map[string]verdict.CheckResult{}
	for _, check := range results.Checks {
		checks[check.Name] = check
	}
	found := map[string]bool{}
	for _, finding := range results.Findings {
		found[finding.Requirement] = true
	}
	counts, own := report.Counts{}, report.Counts{}
	for _, requirement := range results.Requirements {
		if requirement.Kind == report.KindOpen {
			continue
		}
		if requirement.Own {
			own[requirement.Verdict]++
		} else {
			counts[requirement.Verdict]++
		}
		var verdicts []verdict.Verdict
		for _, name := range requirement.Checks {
			if check := checks[name]; !check.Closing || check.Verdict != verdict.Pass { // of a part of the suite its pass does not count
				verdicts = append(verdicts, check.Verdict)
			}
		}
		switch failed := found[requirement.ID] || slices.Contains(verdicts, verdict.Fail); {
		case failed != (requirement.Verdict == verdict.Fail):
			j.contradicted("%s is recorded as %s, but its checks and findings make it another verdict", requirement.ID, requirement.Verdict)
		case requirement.Verdict == verdict.Pass && slices.ContainsFunc(verdicts, func(v verdict.Verdict) bool { return v != verdict.Pass }):
			j.contradicted("%s is recorded as pass, but not all of its checks are", requirement.ID)
		}
	}
	for _, v := range verdict.All {
		for _, each := range []struct {
			what        string
			said, shown int
		}{
			{"requirement_counts", results.RequirementCounts[v], counts[v]}, {"own_requirement_counts", results.OwnCounts[v], own[v]},
		} {
			if results.Schema >= 2 && each.said != each.shown {
				j.contradicted("%s has %d %s, and the requirements have %d", each.what, each.said, v, each.shown)
			}
		}
	}
	if results.Baseline == nil {
		return
	}
	for _, expected := range results.Baseline.Expected {
		switch {
		case expected.What == report.WhatCheck && checks[expected.Name].Verdict == verdict.Pass:
			j.contradicted("the check %q is recorded as pass, but its comparison with the baseline has it as what is not one", expected.Name)
		case expected.What == report.WhatMonitor && !found[expected.Name]:
			j.contradicted("no finding against %s is recorded, but the comparison with the baseline has one", expected.Name)
		}
	}
}

// byEvidence finds checks whose log or transcript says another verdict, evidence that belongs to no check, and checks without evidence
// where all is kept.
func (j *judging) byEvidence(root *os.Root, results report.Results) error {
	used := map[string]bool{} // what evidence is called, without its ending
	use := func(files ...string) {
		for _, file := range files {
			used[nameOfEvidence(file)] = true
		}
	}
	for _, found := range results.Findings {
		use(found.Log, found.Transcript) // those of merged results may be of another shard than the check's
	}
	for _, observed := range results.Observations {
		use(observed.Log, observed.Transcript)
	}
	for _, check := range results.Checks {
		for _, attempt := range []*verdict.CheckResult{&check, check.First} {
			if attempt == nil {
				continue
			}
			use(attempt.Log, attempt.Transcript)
			if attempt.Log != "" {
				if err := j.logSays(root, check.Name, *attempt); err != nil {
					return err
				}
			}
		}
		judged := check.Verdict != verdict.NotRun && check.Verdict != verdict.Unsupported && !check.Closing
		if results.EvidenceKept == report.EvidenceAll && judged && check.Transcript == "" {
			j.contradicted("all evidence was kept, but the check %q has no transcript", check.Name)
		}
	}
	for _, file := range results.Evidence {
		name := filepath.Base(file.Path)
		ofCheck := strings.HasPrefix(file.Path, report.ChecksFolder+"/") && (strings.HasSuffix(name, ".har") || strings.HasSuffix(name, ".log"))
		if ofCheck && !used[nameOfEvidence(file.Path)] && !strings.HasPrefix(name, sharedPrefix) && file.Path != report.CrashFile {
			j.contradicted("%s is evidence of no check", file.Path)
		}
	}
	return nil
}

// attached matches what the suite adds to the name of a check's evidence for a first attempt, or for what the check attached.
var attached = regexp.MustCompile(`(?:\.(?:first|difference-\d+))+$`)

// nameOfEvidence returns what the files of a check have in common.
func nameOfEvidence(file string) string {
	file = strings.TrimSuffix(strings.TrimSuffix(file, ".har"), ".log")
	return attached.ReplaceAllString(file, "")
}

// logSays compares the verdict at the beginning of a log with that of a check.
func (j *judging) logSays(root *os.Root, name string, check verdict.CheckResult) error {
	opened, err := root.Open(filepath.FromSlash(check.Log))
	if err != nil {
		return fmt.Errorf("cannot read the evidence: %w", err)
	}
	lines := bufio.NewScanner(io.LimitReader(opened, 64<<10))
	for lines.Scan() && lines.Text() != "" {
		if said, ok := strings.CutPrefix(lines.Text(), "verdict: "); ok {
			j.says(name, check.Log, said, check.Verdict)
			break
		}
	}
	return errors.Join(opened.Close())
}

// transcriptSays compares what a transcript says of its check.
func (j *judging) transcriptSays(check verdict.CheckResult, about transcript.About, exchanges []transcript.Exchange) {
	said, _, _ := strings.Cut(about.Result, ":")
	said, _, _ = strings.Cut(said, ";")
	if said != "" {
		j.says(check.Name, check.Transcript, said, check.Verdict)
	}
	if check.Verdict == verdict.Pass && transcript.Noted(exchanges, transcript.NoteFailed) >= 0 {
		j.contradicted("the check %q is recorded as pass, but its transcript marks the exchange with which it had failed", check.Name)
	}
}

// says notes that evidence says another verdict of a check than results.json. What the suite cannot have known when it wrote the evidence,
// that nothing founds a verdict, makes it an error.
func (j *judging) says(name, file, said string, recorded verdict.Verdict) {
	if said != string(recorded) && recorded != verdict.Error {
		j.contradicted("the check %q is recorded as %s, but %s says %q", name, recorded, file, said)
	}
}

func (j *judging) contradicted(format string, arguments ...any) {
	if text := fmt.Sprintf(format, arguments...); !slices.Contains(j.Contradictions, text) {
		j.Contradictions = append(j.Contradictions, text)
	}
}
