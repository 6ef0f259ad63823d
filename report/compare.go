package report

// Two results compared: what got better and what got worse.

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"msc4014/helpers/verdict"
)

// The kinds of change between two results, besides Better, Worse, New and Gone.
const (
	OtherVerdict DifferenceKind = "another verdict"
	OtherReason  DifferenceKind = "another reason"
	OtherReading DifferenceKind = "another reading"
)

// WhatRequirement is the subject of a change of a requirement's verdict.
const WhatRequirement = "requirement"

// Change is one difference between two results. Before and After are verdicts, readings or reasons.
type Change struct {
	Kind          DifferenceKind
	What          string // WhatRequirement, WhatCheck or WhatObservation
	Name          string
	Before, After string
	Reason        string // why it is worse
}

// CompareRuns returns the changes from one result to another: of requirements, then of checks, then of readings. What either did not
// judge because an option left it out is not compared.
func CompareRuns(before, after Results) []Change {
	var changes []Change
	old := map[string]Requirement{}
	for _, requirement := range before.Requirements {
		old[requirement.ID] = requirement
	}
	there := map[string]bool{}
	for _, now := range after.Requirements {
		there[now.ID] = true
		if now.Kind == KindOpen {
			changes = append(changes, readingChange(old[now.ID], now)...)
			continue
		}
		was, known := old[now.ID]
		if change, ok := changed(known, was.Verdict, now.Verdict, was.Reason, now.Reason); ok {
			change.What, change.Name = WhatRequirement, now.ID
			changes = append(changes, change)
		}
	}
	for _, was := range before.Requirements {
		if !there[was.ID] && was.Verdict != verdict.NotRun {
			changes = append(changes, Change{Kind: Gone, What: WhatRequirement, Name: was.ID, Before: string(was.Verdict)})
		}
	}
	changes = append(changes, checkChanges(before, after)...)
	order := []string{WhatRequirement, WhatCheck, WhatObservation}
	slices.SortStableFunc(changes, func(a, b Change) int { return slices.Index(order, a.What) - slices.Index(order, b.What) })
	return changes
}

// JudgedInBoth reports whether any check has a verdict about the candidate in both results. A closing check is part of every run, and
// says nothing about others.
func JudgedInBoth(before, after Results) bool {
	judged := map[string]bool{}
	for _, check := range before.Checks {
		judged[check.Name] = check.Verdict != verdict.NotRun && check.Verdict != verdict.Error
	}
	return slices.ContainsFunc(after.Checks, func(check verdict.CheckResult) bool {
		return judged[check.Name] && !check.Closing && check.Verdict != verdict.NotRun && check.Verdict != verdict.Error
	})
}

func checkChanges(before, after Results) []Change {
	var changes []Change
	old, there := map[string]verdict.CheckResult{}, map[string]bool{}
	for _, check := range before.Checks {
		old[check.Name] = check
	}
	for _, now := range after.Checks {
		there[now.Name] = true
		was, known := old[now.Name]
		change, ok := changed(known, was.Verdict, now.Verdict, whyNot(was), whyNot(now))
		if known && was.Verdict == now.Verdict && was.Died != now.Died {
			change.Kind, ok = map[bool]DifferenceKind{true: Worse, false: Better}[now.Died], true // a death is worse than a wrong answer
		}
		if ok {
			change.What, change.Name = WhatCheck, now.Name
			changes = append(changes, change)
		}
	}
	for _, was := range before.Checks {
		if !there[was.Name] && was.Verdict != verdict.NotRun {
			changes = append(changes, Change{Kind: Gone, What: WhatCheck, Name: was.Name, Before: string(was.Verdict)})
		}
	}
	return changes
}

// changed compares two results of the same name.
func changed(known bool, was, now verdict.Verdict, whyBefore, whyAfter string) (Change, bool) {
	change := Change{Before: string(was), After: string(now), Reason: whyAfter}
	switch {
	case now == verdict.NotRun && (!known || was == verdict.NotRun), LeftOut(now, whyAfter), known && LeftOut(was, whyBefore):
		return change, false
	case !known || was == verdict.NotRun:
		change.Kind, change.Before = New, ""
	case now == verdict.NotRun:
		change.Kind = Gone
	case was == now && (now == verdict.Pass || sameReason(whyBefore, whyAfter)):
		return change, false
	case was == now:
		change.Kind, change.Before, change.After = OtherReason, whyBefore, whyAfter
	case now == verdict.Error || was == verdict.Error:
		change.Kind = OtherVerdict // the suite or the machine failed: nothing is known of the candidate
	case now == verdict.Fail || was == verdict.Pass:
		change.Kind = Worse
	case now == verdict.Pass:
		change.Kind = Better
	default:
		change.Kind = OtherVerdict
	}
	return change, true
}

// readingChange compares the readings of an open requirement.
func readingChange(was, now Requirement) []Change {
	before, after := slices.Sorted(slices.Values(was.Readings)), slices.Sorted(slices.Values(now.Readings))
	if slices.Equal(before, after) || LeftOut(now.Verdict, now.Reason) || LeftOut(was.Verdict, was.Reason) {
		return nil
	}
	change := Change{Kind: OtherReading, What: WhatObservation, Name: now.ID, Before: strings.Join(before, " + "), After: strings.Join(after, " + ")}
	switch {
	case len(before) == 0:
		change.Kind = New
	case len(after) == 0:
		change.Kind, change.Reason = Gone, now.Reason
	}
	return []Change{change}
}

var (
	// changing matches what differs from run to run: identifiers, names of servers and users, digests, numbers, and which check it was
	// during which the monitors saw something first.
	changing = regexp.MustCompile(`[$!@#][^\s"',;]+|\b[0-9a-f]{8,}\b|\bed25519:\w+|\b[a-z0-9-]+(?:\.[a-z0-9-]+){2,}\b|\d+|\bmonitors during "[^"]*"`)
	// encoded matches what may be a key (43 characters) or a signature (86) in base64.
	encoded = regexp.MustCompile(`[A-Za-z0-9+/_-]{43,}`)
)

// sameReason reports whether two reasons differ at most in what changes from run to run. Reasons that were cut are compared as far as both
// go.
func sameReason(a, b string) bool {
	a, cutA := steadyPart(a)
	b, cutB := steadyPart(b)
	return a == b || cutA && a != "" && strings.HasPrefix(b, a) || cutB && b != "" && strings.HasPrefix(a, b)
}

// steadyPart returns what does not change of a reason, without its last word if it was cut there.
func steadyPart(reason string) (steady string, cut bool) {
	line, cut := strings.CutSuffix(oneLine(reason), "...")
	if cut {
		line = line[:strings.LastIndexByte(line, ' ')+1]
	}
	line = encoded.ReplaceAllStringFunc(line, func(text string) string {
		if len(text) == 43 || len(text) == 86 {
			return "*"
		}
		return text
	})
	return changing.ReplaceAllString(line, "*"), cut
}

// kindsOfChange are the kinds in the order in which they are told.
var kindsOfChange = []DifferenceKind{Worse, Better, OtherVerdict, OtherReason, OtherReading, New, Gone}

// WriteChanges writes the changes for people, by kind, and then their numbers.
func WriteChanges(w io.Writer, style Style, changes []Change) error {
	var text strings.Builder
	colours := map[DifferenceKind]string{Worse: red, Better: green, New: dim, Gone: dim}
	var counts []string
	for _, kind := range kindsOfChange {
		count := 0
		for _, change := range changes {
			if change.Kind != kind {
				continue
			}
			count++
			colour := colours[kind]
			if colour == "" {
				colour = yellow
			}
			fmt.Fprintf(&text, "  %s %s\n", style.paint(colour, fmt.Sprintf("%-15s", kind)), change)
			if kind == Worse && change.Reason != "" {
				fmt.Fprintf(&text, "                  %s\n", shortened(change.Reason))
			}
		}
		if count > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", count, kind))
		}
	}
	if len(counts) == 0 {
		counts = []string{"no difference"}
	}
	fmt.Fprintf(&text, "  %s\n", strings.Join(counts, ", "))
	_, err := io.WriteString(w, text.String())
	return err
}

// String describes a change in one line.
func (c Change) String() string {
	text := c.What + " " + oneLine(c.Name)
	switch {
	case c.Kind == OtherReason:
		return fmt.Sprintf("%s: %s -> %s", text, shortened(c.Before), shortened(c.After))
	case c.Before == "":
		return text + ": " + oneLine(c.After)
	case c.After == "":
		return text + ": was " + oneLine(c.Before)
	}
	return fmt.Sprintf("%s: %s -> %s", text, oneLine(c.Before), oneLine(c.After))
}

// Heading names the candidate of results and the conditions under which it was judged.
func Heading(results Results) string { return oneLine(heading(results)) }
