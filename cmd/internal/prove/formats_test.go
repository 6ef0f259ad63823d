package prove

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/cmd/internal/variant"
	"msc4014/helpers/verdict"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/report"
)

// TestCoveringFormats: at most 16 formats have each possible pair of readings, and the reference takes each of them.
func TestCoveringFormats(t *testing.T) {
	covered := map[pair]bool{}
	chosen := coveringFormats()
	for _, format := range chosen {
		for _, pair := range format.pairs() {
			covered[pair] = true
		}
	}
	t.Logf("%d of %d formats, %d pairs", len(chosen), len(allFormats()), len(covered))
	assert.LessOrEqual(t, len(chosen), 16)
	for _, format := range allFormats() {
		for _, pair := range format.pairs() {
			assert.True(t, covered[pair], "%s", pair)
		}
	}
	assert.Equal(t, chosen, coveringFormats(), "always the same")
	assert.True(t, covered[pair{"room-version/identifier=msc4014-base-11", "invite/endpoint=v3-event-user"}])
	assert.False(t, covered[pair{string(pdu.DialectDendrite), "redaction/sender-key-kept=removed"}], "it is not open in this dialect")
}

func TestFormatsAreTakenInTurns(t *testing.T) {
	tried := map[string]bool{}
	all := len((&proving{Prover: &Prover{}}).formatTrials(0))
	for _, commit := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"} {
		prover := &Prover{}
		prover.Suite.Commit = commit
		trials := (&proving{Prover: prover}).formatTrials(8)
		assert.GreaterOrEqual(t, len(trials), all/8)
		assert.LessOrEqual(t, len(trials), all/8+1)
		for _, one := range trials {
			tried[one.name] = true
			_, err := variant.Variant{Dialect: string(one.dialect), Readings: one.variant.Readings}.Overlay(".")
			assert.NoError(t, err)
		}
	}
	assert.Len(t, tried, all)
}

// TestEachPermittedReadingIsInSomeFormat: the whole suite passes on the reference with each reading that breaks no other requirement.
func TestEachPermittedReadingIsInSomeFormat(t *testing.T) {
	taken := map[string]bool{}
	for _, one := range (&proving{Prover: &Prover{}}).formatTrials(0) {
		for _, reading := range one.variant.Readings {
			taken[reading] = true
		}
	}
	for _, offer := range pseudonym.Offers() {
		for _, reading := range permitted(offer) {
			if offer.Requirement != "event-format/signature-entity" || reading != "server-name" { // no format: see possible
				assert.True(t, taken[offer.Requirement+"="+string(reading)], "%s=%s", offer.Requirement, reading)
			}
		}
		for _, reading := range breaking[offer.Requirement] {
			assert.Contains(t, offer.Readings, reading)
			assert.False(t, taken[offer.Requirement+"="+string(reading)])
		}
	}
}

// TestOnlyKnownReadingsLeaveRequirementsUnjudged: a requirement may be unsupported if a reading of the trial is known to hide it.
func TestOnlyKnownReadingsLeaveRequirementsUnjudged(t *testing.T) {
	const hides, hidden = "client-view/mapping-present=no-view", "redaction/mapping-field-stays"
	for _, c := range []struct {
		kind, id, reading string
		verdict           verdict.Verdict
		right             bool
	}{
		{report.KindOpen, "an open one", "", verdict.Pass, true}, {report.KindOpen, "an open one", "", verdict.Unsupported, true},
		{report.KindOpen, "an open one", "", verdict.Inconclusive, true}, {report.KindOpen, "an open one", "", verdict.Blocked, false},
		{"should", hidden, hides, verdict.Unsupported, true}, {"should", hidden, "", verdict.Unsupported, false},
		{"should", "another", hides, verdict.Unsupported, false}, {"should", hidden, hides, verdict.Inconclusive, false},
		{"should", hidden, hides, verdict.Blocked, false}, {"should", hidden, hides, verdict.Fail, false},
	} {
		judged := report.Requirement{Verdict: c.verdict, Checks: []string{"a check"}}
		judged.ID, judged.Kind = c.id, c.kind
		one := outcome{trial: trial{mixed: true}, results: report.Results{Requirements: []report.Requirement{judged}}}
		one.variant.Readings = []string{c.reading}
		one.judge()
		assert.Equal(t, c.right, len(one.problems) == 0, "%+v: %v", c, one.problems)
		one = outcome{results: one.results}
		one.judge()
		assert.Equal(t, c.verdict == verdict.Pass, len(one.problems) == 0, "with the default readings, %+v: %v", c, one.problems)
	}
	for reading := range unjudged {
		requirement, slug, _ := strings.Cut(reading, "=")
		assert.Contains(t, offered(requirement), pseudonym.Reading(slug))
	}
}
