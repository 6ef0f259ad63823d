package mutation

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestEquivalents: each entry of the list names a mutant of the source as it is.
func TestEquivalents(t *testing.T) {
	list, err := Equivalents()
	require.NoError(t, err)
	sites, err := Find(context.Background(), root(t))
	require.NoError(t, err)
	why, err := Match(list, sites)
	require.NoError(t, err)
	assert.Len(t, why, len(list))
}

func TestMatch(t *testing.T) {
	_, sites := exampleSites(t)
	list, err := readEquivalents([]byte(`
- file: reference/pseudonym/rules.go
  function: room.enter
  original: |
    r.unlock(
    	key,
    )
  changed: ""
  why: |
    it does
    nothing
- file: reference/pseudonym/rules.go
  function: room.enter
  original: for !r.open {
  changed: for r.open {
  why: x
`))
	require.NoError(t, err)
	why, err := Match(list, sites)
	require.NoError(t, err)
	assert.Len(t, why, 2)
	for _, one := range sites {
		if one.Function == "room.enter" && one.Line == 30 {
			assert.Equal(t, "it does nothing", why[one.ID()])
		}
	}

	wrong := append(list, list[1], list[1], list[1], list[1])
	wrong[3].Why = " "
	wrong[4].Occurrence = 2
	wrong[5].Original = "for !r.opened {"
	_, err = Match(wrong, sites)
	require.Error(t, err)
	assert.Regexp(t, "^faults/mutation/equivalent.yaml: entry 3, room.enter in reference/pseudonym/rules.go, names mutant [0-9a-f]{8} again; remove it\n"+
		"[^\n]+ entry 4, [^\n]+ does not say why no answer differs\n"+
		"[^\n]+ entry 5, [^\n]+ names no mutant: the source has changed; update or remove it\n"+
		"[^\n]+ entry 6, [^\n]+ names no mutant: [^\n]+$", err.Error())
}

func TestUnreadableEquivalents(t *testing.T) {
	for _, text := range []string{"- line: 7", "file: x", "- [", ""} {
		_, err := readEquivalents([]byte(text))
		assert.ErrorContains(t, err, EquivalentFile+": ", text)
	}
}
