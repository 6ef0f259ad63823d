package pseudonym

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/pdu"
)

// Every offer is of an open requirement of the catalogue, and every reading of it is one of the catalogue's slugs.
func TestOffersAreOfTheCatalogue(t *testing.T) {
	files, err := filepath.Glob("../../requirements/data/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	readings := map[string][]string{}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		require.NoError(t, err)
		var chapter struct {
			Requirements []struct {
				ID, Kind string
				Readings []struct{ Reading string }
			}
		}
		require.NoError(t, json.Unmarshal(raw, &chapter))
		for _, requirement := range chapter.Requirements {
			if requirement.Kind != "open" {
				continue
			}
			for _, r := range requirement.Readings {
				readings[requirement.ID] = append(readings[requirement.ID], r.Reading)
			}
		}
	}
	for _, offer := range Offers() {
		require.Contains(t, readings, offer.Requirement)
		for _, reading := range offer.Readings {
			assert.Contains(t, readings[offer.Requirement], string(reading), offer.Requirement)
		}
	}
}

func TestReadings(t *testing.T) {
	r := DefaultReadings(pdu.DialectMSC4014)
	assert.Equal(t, Reading("absent"), r.Origin)
	assert.Equal(t, Reading("sender-key"), DefaultReadings(pdu.DialectDendrite).Origin)

	require.NoError(t, r.Set("event-format/no-origin", "server-name"))
	got, ok := r.Get("event-format/no-origin")
	assert.True(t, ok)
	assert.Equal(t, Reading("server-name"), got)

	assert.ErrorContains(t, r.Set("event-format/no-origin", "nonsense"), "is not offered")
	assert.ErrorContains(t, r.Set("no/such", "absent"), "no reading is offered")
	_, ok = r.Get("no/such")
	assert.False(t, ok)

	require.NoError(t, r.Set("sender-key/rotation", "refused"))
	assert.Equal(t, Reading("refused"), r.SecondKey, "one decision answers both requirements")
}
