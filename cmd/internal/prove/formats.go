package prove

// The proof of formats: what the texts leave open decides no verdict. The reference takes each possible pair of readings of wire formats
// in some trial, and the whole suite must pass on it. Every other trial takes other readings than the default ones of
// what else is open.

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msc4014/cmd/internal/variant"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/report"
)

// wireFormats are the open requirements about what stands on the wire, besides the dialect.
var wireFormats = []string{
	"room-version/identifier", "event-format/signature-entity", "signing/server-signatures", "event-format/no-origin",
	"event-format/room-id", "redaction/sender-key-kept", "invite/endpoint",
}

// wireFormat is a combination of readings.
type wireFormat struct {
	dialect  pdu.Dialect
	readings []string // of wireFormats, in their order
}

// possible reports whether a server can have two readings at once, or a reading in a dialect.
func possible(dialect pdu.Dialect, requirement, reading string) bool {
	switch {
	case requirement == "redaction/sender-key-kept":
		// In the deployed dialect the key stands in sender, which redaction keeps.
		return dialect == pdu.DialectMSC4014 || reading == "kept"
	case requirement == "event-format/signature-entity":
		// Under a server's name and one key ID, no two members of a server can sign an event, as both must sign an invite.
		return reading != "server-name"
	}
	return true
}

// pair is two choices of a format: a reading each, or a reading and the dialect.
type pair [2]string

// pairs returns all pairs of choices of a format.
func (f wireFormat) pairs() (all []pair) {
	choices := []string{string(f.dialect)}
	for i, reading := range f.readings {
		choices = append(choices, wireFormats[i]+"="+reading)
	}
	for i, one := range choices {
		for _, other := range choices[i+1:] {
			all = append(all, pair{one, other})
		}
	}
	return all
}

// allFormats returns all possible formats, always in the same order.
func allFormats() (all []wireFormat) {
	for _, dialect := range dialects {
		of := []wireFormat{{dialect: dialect}}
		for _, requirement := range wireFormats {
			var longer []wireFormat
			for _, format := range of {
				for _, reading := range offered(requirement) {
					if possible(dialect, requirement, string(reading)) {
						longer = append(longer, wireFormat{dialect, append(format.readings[:len(format.readings):len(format.readings)], string(reading))})
					}
				}
			}
			of = longer
		}
		all = append(all, of...)
	}
	return all
}

// coveringFormats returns few formats that have each possible pair of choices at least once: always the format with the most pairs
// that none before it has.
func coveringFormats() (chosen []wireFormat) {
	all := allFormats()
	missing := map[pair]bool{}
	for _, format := range all {
		for _, pair := range format.pairs() {
			missing[pair] = true
		}
	}
	for len(missing) > 0 {
		var best wireFormat
		most := 0
		for _, format := range all {
			added := 0
			for _, pair := range format.pairs() {
				if missing[pair] {
					added++
				}
			}
			if added > most {
				best, most = format, added
			}
		}
		chosen = append(chosen, best)
		for _, pair := range best.pairs() {
			delete(missing, pair)
		}
	}
	return chosen
}

// readingsBeside returns a reading, as REQUIREMENT=READING, of each open requirement that is not a wire format. Turn 0 has the first
// permitted reading of each, turn 1 the second, and so on; a requirement with fewer readings starts over.
func readingsBeside(turn int) (readings []string) {
	for _, offer := range pseudonym.Offers() {
		if slices.Contains(wireFormats, offer.Requirement) {
			continue
		}
		choice := permitted(offer)
		readings = append(readings, offer.Requirement+"="+string(choice[turn%len(choice)]))
	}
	return readings
}

// breaking lists the readings that break another requirement, by open requirement.
var breaking = map[string][]pseudonym.Reading{
	"redaction/leave-and-mapping":      {"user-id-gone"},         // hard requirement 1
	"redaction/mapping-field-to-peers": {"peers-only", "nobody"}, // redaction/mapping-field-stays
	// event-format/power-levels-by-key: where the rules let nobody remove the level of the user ID, it stays beside that of the key.
	"client-view/power-levels-before-join": {"user-id-and-power"},
}

// unjudged lists the must and should requirements that are unsupported with a reading, by REQUIREMENT=READING.
var unjudged = map[string][]string{
	"client-view/mapping-present=no-view": {"redaction/mapping-field-stays"},    // no view shows a mapping
	"auth/rules-by-domain=not-applied":    {"auth/federate-false-not-defeated"}, // m.federate is such a rule
}

// permitted returns the readings of an offer that break no other requirement.
func permitted(offer pseudonym.Offer) []pseudonym.Reading {
	return slices.DeleteFunc(slices.Clone(offer.Readings), func(reading pseudonym.Reading) bool {
		return slices.Contains(breaking[offer.Requirement], reading)
	})
}

// FormatOptions describe a proof of formats as requested.
type FormatOptions struct {
	Run      string // a regular expression for requirements and checks; "" for everything
	Results  string // the folder for results; "" for results/prove-formats
	Parallel int    // trials in parallel; 0 for the default
	Sample   int    // one in Sample formats is tried, in turns by the commit of the suite; 0 tries all
	Verbose  bool
}

// parallelFormats is the default number of trials in parallel: each is a whole run.
const parallelFormats = 2

// formatTrials returns the trials of one in sample formats.
func (p *proving) formatTrials(sample int) (trials []trial) {
	turn := 0
	if sample > 1 {
		hash := fnv.New32a()
		_, _ = hash.Write([]byte(p.Suite.Commit)) // never fails, by its documentation
		turn = int(hash.Sum32() % uint32(sample))
	}
	var checks []string
	if !p.selected.Whole() {
		for _, check := range p.registered {
			if p.selected.Matches(check) {
				checks = append(checks, check.Name)
			}
		}
	}
	for i, format := range coveringFormats() {
		if sample > 1 && i%sample != turn {
			continue
		}
		next := trial{
			name: fmt.Sprintf("format %d", i+1), folder: fmt.Sprintf("format-%d", i+1), dialect: format.dialect, checks: checks,
			fails: p.otherWords(format.dialect), takes: map[string]string{}, elsewhere: p.elsewhere(),
		}
		if next.mixed = i%2 == 1; next.mixed {
			next.variant.Readings = readingsBeside(i/2 + 1)
		} else {
			next.takes = defaultReadings(format.dialect)
		}
		for i, requirement := range wireFormats {
			next.takes[requirement] = format.readings[i]
			next.variant.Readings = append(next.variant.Readings, requirement+"="+format.readings[i])
		}
		trials = append(trials, next)
	}
	return trials
}

// FormatsFile is the name of the proof of formats in its results folder.
const FormatsFile = "formats.json"

// earlierFormatsFile is the FormatsFile of an earlier proof.
const earlierFormatsFile = "formats-earlier.json"

// FormatsProof is formats.json.
type FormatsProof struct {
	Schema     int           `json:"schema"`
	Suite      report.Suite  `json:"suite"`
	Started    time.Time     `json:"started"`
	DurationMS int64         `json:"duration_ms"`
	Run        string        `json:"run,omitempty"`
	Sample     int           `json:"sample,omitempty"`
	Of         int           `json:"of"` // formats, with those that are not in the sample
	Formats    []FormatTrial `json:"formats"`
}

// FormatTrial is the reference in one format.
type FormatTrial struct {
	Name         string        `json:"name"`
	Variant      string        `json:"variant"` // the arguments of ./run.sh reference
	Checks       report.Counts `json:"checks"`
	Requirements report.Counts `json:"requirements"`
	OtherWords   []string      `json:"other_words,omitempty"`
	Problems     []string      `json:"problems,omitempty"`
	DurationMS   int64         `json:"duration_ms"`
}

// Formats makes a proof of formats and returns its exit status, like Prove.
func (p *Prover) Formats(ctx context.Context, options FormatOptions) (status int, err error) {
	under, err := p.begin(options.Run, options.Results, "prove-formats", options.Parallel, parallelFormats, options.Verbose)
	if err != nil {
		return StatusCannot, err
	}
	end, err := under.start(ctx, FormatsFile, earlierFormatsFile)
	if err != nil {
		return StatusCannot, err
	}
	defer func() { err = errors.Join(err, end()) }()
	trials := under.formatTrials(options.Sample)
	if !under.selected.Whole() && len(trials) > 0 && len(trials[0].checks) == 0 {
		return StatusCannot, fmt.Errorf("--run %q matches no check and no requirement that has one", options.Run)
	}
	outcomes, started, err := under.tryUntilDone(ctx, trials)
	if err != nil {
		return StatusCannot, err
	}
	proof := FormatsProof{
		Schema: 1, Suite: p.Suite, Started: started.UTC(), DurationMS: time.Since(started).Milliseconds(), Run: options.Run,
		Sample: options.Sample, Of: len(coveringFormats()), Formats: []FormatTrial{},
	}
	for _, one := range outcomes {
		proof.Formats = append(proof.Formats, FormatTrial{
			one.name, one.arguments(), one.results.Counts, one.results.RequirementCounts, one.fails, one.problems, one.results.DurationMS,
		})
		if len(one.problems) > 0 {
			status = StatusUnproven
		}
	}
	file := filepath.Join(under.results, FormatsFile)
	if err := writeJSON(file, proof); err != nil {
		return StatusCannot, fmt.Errorf("cannot write the proof: %w", err)
	}
	return status, proof.write(p, file)
}

// arguments returns the arguments of ./run.sh reference that give a trial's reference.
func (t trial) arguments() string {
	return variant.Variant{Dialect: string(t.dialect), Readings: t.variant.Readings}.Arguments()
}

// write writes the proof as text for users.
func (f FormatsProof) write(p *Prover, file string) error {
	style := report.StyleFor(p.Stdout, p.Environment)
	var text strings.Builder
	text.WriteString("\nThe reference in each format\n")
	right := 0
	for _, one := range f.Formats {
		mark := style.Bad("NOT")
		if len(one.Problems) == 0 {
			right++
			mark = style.Good("ok ")
		}
		fmt.Fprintf(&text, "  %s  %s  checks: %s (%s)\n       %s\n", mark, one.Name, one.Checks, duration(one.DurationMS), one.Variant)
		for _, problem := range one.Problems {
			fmt.Fprintf(&text, "       %s\n", shortened(problem))
		}
	}
	fmt.Fprintf(&text, "\n  formats in which the suite passes     %s; %d cover each possible pair\n", Part{right, len(f.Formats)}, f.Of)
	fmt.Fprintf(&text, "  complete proof                        %s\n", p.shown(file))
	if _, err := io.WriteString(p.Stdout, text.String()); err != nil {
		return fmt.Errorf("cannot write the proof: %w", err)
	}
	return nil
}
