package verify

// Recorded failures of signatures: the event that a check names must be in its transcript, without a valid signature, and clients must
// have been shown it.

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
)

// refusals is the prefix of the requirements by which an event without the right signature must be refused.
const refusals = "signing/rejects-"

// eventID matches identifiers of events; served matches the claim that one must be refused and is shown.
var (
	eventID = regexp.MustCompile(`\$[A-Za-z0-9_-]{43}`)
	served  = regexp.MustCompile(`the event (\$[A-Za-z0-9_-]{43}) must be refused and is in `)
)

// isReferenceHash reports whether an event ID has the form of a reference hash.
func isReferenceHash(id string) bool { return len(id) == 44 && eventID.MatchString(id) }

// recordedFailures looks for what the findings in a transcript and its check name.
func (s *scene) recordedFailures(findings []verdict.Finding) {
	for _, found := range findings {
		if found.Requirement == everyEvent && !found.Step {
			s.recorded(found.Detail, found.Requirement, nil)
		}
	}
	if slices.ContainsFunc(s.check.Requirements, func(id string) bool { return strings.HasPrefix(id, refusals) }) && s.check.Verdict == verdict.Fail {
		s.recorded(s.check.Reason, s.check.Requirements[0], s.exchanges)
	}
}

// recorded looks for the event that a recorded failure names; where exchanges are given, clients must have been shown it.
func (s *scene) recorded(said, requirement string, exchanges []transcript.Exchange) {
	id := eventID.FindString(said)
	if exchanges != nil {
		claim := served.FindStringSubmatch(said)
		if claim == nil {
			return // it failed by something else
		}
		id = claim[1]
	}
	forms := s.byID[id]
	if len(forms) == 0 {
		s.NotKept++
		return
	}
	missing := func(why string) {
		s.Contradictions = append(s.Contradictions, fmt.Sprintf("the fail of %q (%s) is not in its transcript: %s", s.check.Name, requirement, why))
	}
	if !slices.ContainsFunc(forms, func(one *event) bool { return !s.judgedOnce(one.raw).signed }) {
		missing(id + " is signed by its sender key")
		return
	}
	shown := exchanges == nil || slices.ContainsFunc(exchanges, func(e transcript.Exchange) bool {
		return e.Direction != transcript.ServerRequest && e.Status < 300 && strings.Contains(string(e.ResponseBody), id) || strings.Contains(e.URL, "/event/") && e.Status == 200
	})
	if !shown {
		missing("no answer has " + id)
		return
	}
	s.Confirmed++
}
