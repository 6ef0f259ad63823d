package prove

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/cmd/internal/variant"
	"msc4014/reference/pdu"
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
