// Package verify judges the recorded evidence of a results folder again: the digests of all files, and with the oracle what the transcripts
// show of event formats, signatures and sender keys. It needs no server, and does not use the code that judged first.
package verify

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

// The requirements that are judged again.
const (
	contentHash = "event-format/content-hash"
	everyEvent  = "signing/every-event-type"
	oneRoom     = "sender-key/differs-between-rooms"
	refusals    = "signing/rejects-"
)

// Outcome is what came of it.
type Outcome struct {
	Transcripts int
	// Events, Signatures and Keys count what was judged again of the candidate's own events.
	Events, Signatures, Keys int
	// Confirmed counts recorded failures that the transcripts show again, NotKept those of which the transcripts do not have the event.
	Confirmed, NotKept int
	// Contradictions say which check or requirement the evidence contradicts.
	Contradictions []string
}

// judging is one results folder.
type judging struct {
	Outcome
	formats  []pseudoid.Format
	verdicts map[string]verdict.Verdict // of requirements
	rooms    map[string]string          // the room of each of the candidate's keys
	checks   map[string]verdict.CheckResult
	findings map[string][]verdict.Finding // by transcript
}

// event is an event of a transcript.
type event struct {
	raw  []byte
	own  bool // the candidate's
	sent bool // by the candidate, whosever it is
}

// Evidence judges the transcripts of a results folder again. It returns an error if a transcript cannot be read.
func Evidence(folder string, results report.Results) (Outcome, error) {
	j := &judging{verdicts: map[string]verdict.Verdict{}, rooms: map[string]string{}, checks: map[string]verdict.CheckResult{}, findings: map[string][]verdict.Finding{}}
	dialect := pseudoid.FormatMSC4014
	if results.Candidate.Dialect == string(pseudoid.DialectDendrite) {
		dialect = pseudoid.FormatDendrite
	}
	j.formats = dialect.Redactions()
	for _, requirement := range results.Requirements {
		j.verdicts[requirement.ID] = requirement.Verdict
	}
	for _, check := range results.Checks {
		for _, attempt := range []*verdict.CheckResult{&check, check.First} {
			if attempt != nil && attempt.Transcript != "" {
				one := *attempt
				one.Name = check.Name
				j.checks[one.Transcript] = one
			}
		}
	}
	for _, found := range results.Findings {
		j.findings[found.Transcript] = append(j.findings[found.Transcript], found)
	}
	root, err := os.OpenRoot(folder)
	if err != nil {
		return Outcome{}, fmt.Errorf("cannot read the evidence: %w", err)
	}
	defer func() { _ = root.Close() }()
	for _, file := range results.Evidence {
		if !strings.HasSuffix(file.Path, ".har") {
			continue
		}
		opened, err := root.Open(filepath.FromSlash(file.Path))
		if err != nil {
			return Outcome{}, fmt.Errorf("cannot read the evidence: %w", err)
		}
		exchanges, err := transcript.ReadHAR(opened)
		if err = errors.Join(err, opened.Close()); err != nil {
			return Outcome{}, fmt.Errorf("%s: %w", file.Path, err)
		}
		j.Transcripts++
		j.transcript(file.Path, exchanges)
	}
	j.Keys = len(j.rooms)
	return j.Outcome, nil
}

// transcript judges one transcript.
func (j *judging) transcript(file string, exchanges []transcript.Exchange) {
	check := j.checks[file]
	events := eventsOf(exchanges)
	if complete(exchanges) {
		for _, one := range events {
			if one.own {
				j.event(check.Name, one.raw)
			}
		}
	}
	for _, found := range j.findings[file] {
		if found.Requirement == everyEvent && !found.Step {
			j.recorded(check.Name, found.Detail, found.Requirement, events, nil)
		}
	}
	if slices.ContainsFunc(check.Requirements, func(id string) bool { return strings.HasPrefix(id, refusals) }) && check.Verdict == verdict.Fail {
		j.recorded(check.Name, check.Reason, check.Requirements[0], events, exchanges)
	}
}

// event judges an event that the candidate made.
func (j *judging) event(check string, raw []byte) {
	sender := j.formats[0].Sender(raw)
	if _, err := pseudoid.ParseSenderKey(sender); err != nil {
		return // of an ordinary room
	}
	var fields struct {
		Type    string `json:"type"`
		RoomID  string `json:"room_id"`
		Content struct {
			Membership string `json:"membership"`
		} `json:"content"`
	}
	if json.Unmarshal(raw, &fields) != nil || fields.Content.Membership == "invite" {
		return // others complete invites, with hash and signatures
	}
	name := fields.Type + " of " + sender
	if ids := j.ids(raw); len(ids) > 0 {
		name = fields.Type + " " + ids[0]
	}
	j.Events++
	if err := pseudoid.CheckContentHash(raw); err != nil && !j.redacted(raw) {
		j.contradict(contentHash, check, fmt.Sprintf("%s: %v", name, err))
	}
	j.Signatures++
	if !j.signed(raw) {
		j.contradict(everyEvent, check, name+" has no valid signature by its sender key")
		return
	}
	if first, known := j.rooms[sender]; known && fields.RoomID != "" && first != fields.RoomID {
		j.contradict(oneRoom, check, fmt.Sprintf("the key %s is used in %s and in %s", sender, first, fields.RoomID))
	} else if fields.RoomID != "" {
		j.rooms[sender] = fields.RoomID
	}
}

// contradict notes that the evidence breaks a requirement that was judged to be met.
func (j *judging) contradict(requirement, check, detail string) {
	if j.verdicts[requirement] == verdict.Pass {
		j.Contradictions = append(j.Contradictions, fmt.Sprintf("%s is recorded as pass, but in the transcript of %q %s", requirement, check, detail))
	}
}

// eventID matches identifiers of events; served matches the claim that one must be refused and is shown.
var (
	eventID = regexp.MustCompile(`\$[A-Za-z0-9_-]{43}`)
	served  = regexp.MustCompile(`the event (\$[A-Za-z0-9_-]{43}) must be refused and is in `)
)

// recorded looks for the events that a recorded failure names: they must be without a valid signature and, where exchanges are given,
// clients must have been shown them.
func (j *judging) recorded(check, said, requirement string, events []event, exchanges []transcript.Exchange) {
	id := eventID.FindString(said)
	if exchanges != nil {
		claim := served.FindStringSubmatch(said)
		if claim == nil {
			return // it failed by something else
		}
		id = claim[1]
	}
	at := slices.IndexFunc(events, func(one event) bool { return slices.Contains(j.ids(one.raw), id) })
	if id == "" || at < 0 {
		j.NotKept++
		return
	}
	if j.signed(events[at].raw) {
		j.Contradictions = append(j.Contradictions, fmt.Sprintf("the fail of %q (%s) is not in its transcript: %s is signed by its sender key", check, requirement, id))
		return
	}
	shown := exchanges == nil || slices.ContainsFunc(exchanges, func(e transcript.Exchange) bool {
		return e.Direction != transcript.ServerRequest && e.Status < 300 && strings.Contains(string(e.ResponseBody), id) || strings.Contains(e.URL, "/event/") && e.Status == 200
	})
	if !shown {
		j.Contradictions = append(j.Contradictions, fmt.Sprintf("the fail of %q (%s) is not in its transcript: no answer has %s", check, requirement, id))
		return
	}
	j.Confirmed++
}

// signed reports whether an event has a valid signature by its sender key, under any redaction that the candidate may have.
func (j *judging) signed(raw []byte) bool {
	return slices.ContainsFunc(j.formats, func(f pseudoid.Format) bool {
		_, err := pseudoid.VerifySenderSignature(raw, f)
		return err == nil
	})
}

// ids returns the event IDs that an event may have.
func (j *judging) ids(raw []byte) []string {
	var ids []string
	for _, format := range j.formats {
		if id, err := pseudoid.EventID(raw, format); err == nil && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// redacted reports whether redaction would take nothing from the content of an event: its hash is that of what it was before. Whether
// redaction takes the mapping is an open question.
func (j *judging) redacted(raw []byte) bool {
	return slices.ContainsFunc(j.formats, func(f pseudoid.Format) bool {
		kept, err := pseudoid.Redact(raw, f)
		return err == nil && string(contentOf(kept)) == string(contentOf(raw))
	})
}

// contentOf returns the content of an event without its mapping, in canonical JSON; nil if it is not an object.
func contentOf(raw []byte) []byte {
	var fields struct {
		Content map[string]json.RawMessage `json:"content"`
	}
	if json.Unmarshal(raw, &fields) != nil {
		return nil
	}
	delete(fields.Content, "mxid_mapping")
	content, err := json.Marshal(fields.Content) // its names in order
	if err != nil {
		return nil
	}
	return content
}
