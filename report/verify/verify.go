// Package verify judges the recorded evidence of a results folder again: the digests of all files, what results.json and the evidence
// say of each other, and with the oracle what the transcripts show of events, signatures, sender keys, mappings and the answers to clients.
// It needs no server, and does not use the code that judged first.
package verify

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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

// Outcome is what came of it.
type Outcome struct {
	Transcripts int
	// Events, Signatures, Keys and Mappings count what was judged again of the candidate's own events, Views answers to clients.
	Events, Signatures, Keys, Mappings, Views int
	// Confirmed counts recorded failures of signatures that the transcripts show again, NotKept those of which the transcripts do not have
	// the event.
	Confirmed, NotKept int
	// Shown are the requirements recorded as failed of which a transcript shows a breach again.
	Shown []string
	// Contradictions say which check or requirement the evidence contradicts.
	Contradictions []string
}

// judging is one results folder.
type judging struct {
	Outcome
	formats  []pseudoid.Format
	verdicts map[string]verdict.Verdict // of requirements
	keyRooms map[string]string          // the room of each of the candidate's keys
	shown    map[string]bool
	told     map[[2]string]bool // what was contradicted, by requirement and check
	more     map[string]int     // the number of these, by requirement
	facts    map[string]*facts  // of events, by digest
	seen     map[string]bool    // digests of what was counted
}

// facts are what does not depend on the transcript in which an event is.
type facts struct {
	ids      []string // that it may have
	signed   bool     // by its sender key
	hash     error    // of CheckContentHash
	redacted bool     // it may be in its redacted form
}

// attempt is one transcript of a check.
type attempt struct {
	check    verdict.CheckResult
	findings []verdict.Finding
}

// mostTold bounds the transcripts that are named for one requirement.
const mostTold = 5

// sharedPrefix begins the names of transcripts on which several checks rest.
const sharedPrefix = "shared-"

// Evidence judges the transcripts of a results folder again. It returns an error if a file of evidence cannot be read.
func Evidence(folder string, results report.Results) (Outcome, error) {
	j := &judging{
		verdicts: map[string]verdict.Verdict{}, keyRooms: map[string]string{}, shown: map[string]bool{}, told: map[[2]string]bool{}, more: map[string]int{},
		facts: map[string]*facts{}, seen: map[string]bool{},
	}
	dialect := pseudoid.FormatMSC4014
	if results.Candidate.Dialect == string(pseudoid.DialectDendrite) {
		dialect = pseudoid.FormatDendrite
	}
	j.formats = dialect.Redactions()
	for _, requirement := range results.Requirements {
		j.verdicts[requirement.ID] = requirement.Verdict
	}
	j.inItself(results)
	root, err := os.OpenRoot(folder)
	if err != nil {
		return Outcome{}, fmt.Errorf("cannot read the evidence: %w", err)
	}
	defer func() { _ = root.Close() }()
	if err := j.byEvidence(root, results); err != nil {
		return Outcome{}, err
	}
	if err := j.transcripts(root, results); err != nil {
		return Outcome{}, err
	}
	for _, requirement := range slices.Sorted(maps.Keys(j.more)) {
		if left := j.more[requirement] - mostTold; left > 0 {
			j.contradicted("%s is contradicted by %d more transcripts", requirement, left)
		}
	}
	j.Keys = len(j.keyRooms)
	j.Shown = slices.Sorted(maps.Keys(j.shown))
	return j.Outcome, nil
}

// transcripts judges all transcripts, each with what it rests on.
func (j *judging) transcripts(root *os.Root, results report.Results) error {
	attempts := attemptsOf(results)
	shared := map[string][]transcript.Exchange{}
	for _, file := range results.Evidence {
		if !strings.HasSuffix(file.Path, ".har") {
			continue
		}
		about, exchanges, err := read(root, file.Path)
		if err != nil {
			return err
		}
		j.Transcripts++
		one, known := attempts[file.Path]
		if !known || strings.HasPrefix(filepath.Base(file.Path), sharedPrefix) { // of several checks, or attached to one
			j.scene(attempt{check: verdict.CheckResult{Name: file.Path}}, exchanges)
			continue
		}
		j.transcriptSays(one.check, about, exchanges)
		for _, base := range restsOn.FindAllStringSubmatch(about.Result, -1) {
			if _, known := shared[base[1]]; !known {
				if _, shared[base[1]], err = read(root, base[1]); err != nil {
					return err
				}
			}
			exchanges = append(slices.Clone(shared[base[1]]), exchanges...)
		}
		slices.SortStableFunc(exchanges, func(a, b transcript.Exchange) int { return a.Started.Compare(b.Started) })
		j.scene(one, exchanges)
	}
	return nil
}

// restsOn matches what a transcript says of another one.
var restsOn = regexp.MustCompile(`; it rests on (checks/shared-[A-Za-z0-9._-]+\.har)`)

func read(root *os.Root, file string) (transcript.About, []transcript.Exchange, error) {
	opened, err := root.Open(filepath.FromSlash(file))
	if err != nil {
		return transcript.About{}, nil, fmt.Errorf("cannot read the evidence: %w", err)
	}
	about, exchanges, err := transcript.ReadHAR(opened)
	if err = errors.Join(err, opened.Close()); err != nil {
		return transcript.About{}, nil, fmt.Errorf("%s: %w", file, err)
	}
	return about, exchanges, nil
}

// attemptsOf returns the attempts at checks by their transcripts.
func attemptsOf(results report.Results) map[string]attempt {
	attempts := map[string]attempt{}
	for _, check := range results.Checks {
		for _, each := range []*verdict.CheckResult{&check, check.First} {
			if each != nil && each.Transcript != "" {
				one := *each
				one.Name = check.Name
				attempts[one.Transcript] = attempt{check: one}
			}
		}
	}
	for _, found := range results.Findings {
		if one, ok := attempts[found.Transcript]; ok {
			one.findings = append(one.findings, found)
			attempts[found.Transcript] = one
		}
	}
	return attempts
}

// scene judges one transcript.
func (j *judging) scene(one attempt, exchanges []transcript.Exchange) {
	s := newScene(j, one.check, exchanges)
	s.recordedFailures(one.findings)
	if !complete(exchanges) {
		return
	}
	for _, each := range s.events {
		switch {
		case each.own && each.key != "":
			s.event(each)
		case each.own:
			s.misencoded(each)
		}
		s.carried(each)
	}
	s.keysOfUsers()
	s.answersByID()
	s.refusedViews()
	for _, exchange := range exchanges {
		s.view(exchange)
	}
}

// breaks notes that a transcript shows a breach of a requirement.
func (s *scene) breaks(requirement, format string, arguments ...any) {
	switch s.verdicts[requirement] {
	case verdict.Fail:
		s.shown[requirement] = true
	case verdict.Pass:
		about := [2]string{requirement, s.check.Name}
		if s.told[about] {
			return // one of a transcript is enough
		}
		s.told[about] = true
		if s.more[requirement]++; s.more[requirement] <= mostTold {
			s.contradicted("%s is recorded as pass, but in the transcript of %q %s", requirement, s.check.Name, fmt.Sprintf(format, arguments...))
		}
	}
}

// breaksOwn notes that a transcript shows a breach of what its check judges, of the requirements that begin with a prefix.
func (s *scene) breaksOwn(prefix, format string, arguments ...any) {
	for _, requirement := range s.check.Requirements {
		if strings.HasPrefix(requirement, prefix) {
			s.breaks(requirement, format, arguments...)
		}
	}
}

// judgedOnce returns the facts of an event.
func (j *judging) judgedOnce(raw []byte) *facts {
	sum := sha256.Sum256(raw)
	if known := j.facts[string(sum[:])]; known != nil {
		return known
	}
	made := &facts{signed: j.signed(raw), hash: pseudoid.CheckContentHash(raw), redacted: j.redacted(raw)}
	for _, format := range j.formats {
		if id, err := pseudoid.EventID(raw, format); err == nil && !slices.Contains(made.ids, id) {
			made.ids = append(made.ids, id)
		}
	}
	j.facts[string(sum[:])] = made
	return made
}

// counted reports whether something is met for the first time.
func (j *judging) counted(raw []byte) bool {
	sum := sha256.Sum256(raw)
	if j.seen[string(sum[:])] {
		return false
	}
	j.seen[string(sum[:])] = true
	return true
}

// countedAnswer is counted for an answer, of which several may be equal.
func (j *judging) countedAnswer(e transcript.Exchange) bool {
	return j.counted([]byte(fmt.Sprint(e.Started.UnixNano(), e.Actor, e.URL, e.Duration)))
}

// nameOf returns how an event is called.
func (j *judging) nameOf(one *event) string {
	if ids := j.judgedOnce(one.raw).ids; len(ids) > 0 {
		return one.kind() + " " + ids[0]
	}
	return one.kind() + " of " + one.key
}

// signed reports whether an event has a valid signature by its sender key, under any redaction that the candidate may have.
func (j *judging) signed(raw []byte) bool {
	return slices.ContainsFunc(j.formats, func(f pseudoid.Format) bool {
		_, err := pseudoid.VerifySenderSignature(raw, f)
		return err == nil
	})
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
	delete(fields.Content, pseudoid.MappingField)
	content, err := json.Marshal(fields.Content) // its names in order
	if err != nil {
		return nil
	}
	return content
}
