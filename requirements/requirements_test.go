package requirements_test

import (
	"bufio"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/requirements"
)

// testdata/identifiers.txt was taken from the seed of the catalogue, apart from data/: identifier and kind of each requirement,
// and the version that first had it if that is not 1. Requirements may be added to the catalogue; none of these may be removed or
// change its name, nor its kind unless the seed does (version 2: redaction/mapping-field-stays, which was open).
func TestNoIdentifierIsRenamedOrDropped(t *testing.T) {
	catalogue, err := requirements.Load()
	require.NoError(t, err)
	list, err := os.Open("testdata/identifiers.txt")
	require.NoError(t, err)
	defer func() { _ = list.Close() }()
	lines := bufio.NewScanner(list)
	seed := map[int]int{}
	for lines.Scan() {
		fields := strings.Fields(lines.Text() + " 1")
		require.GreaterOrEqual(t, len(fields), 3, lines.Text())
		id, kind := fields[0], fields[1]
		since, err := strconv.Atoi(fields[2])
		require.NoError(t, err, lines.Text())
		requirement, ok := catalogue.Lookup(id)
		if assert.True(t, ok, "%s is gone", id) {
			assert.Equal(t, requirements.Kind(kind), requirement.Kind, id)
			assert.Equal(t, since, requirement.Since, id)
		}
		seed[since]++
	}
	require.NoError(t, lines.Err())
	assert.Equal(t, map[int]int{1: 189, 2: 22}, seed)
	since := map[int]int{}
	for _, requirement := range catalogue.All() {
		if requirement.Since <= 2 {
			since[requirement.Since]++
		}
	}
	assert.Equal(t, seed, since, "requirements added later have a later since")
}

func TestCatalogue(t *testing.T) {
	catalogue, err := requirements.Load()
	require.NoError(t, err)
	var names []string
	for _, chapter := range catalogue.Chapters() {
		names = append(names, chapter.Name)
	}
	assert.Equal(t, []string{
		"room-version", "event-format", "signing", "sender-key", "mapping", "unverified", "client-view", "membership", "invite",
		"redaction", "routing", "auth", "resilience",
	}, names)
	proposal, ok := catalogue.Text("MSC4014")
	require.True(t, ok)
	assert.Equal(t, "85b59630d03e6b56b1a03c5d129a3a2ab222f68f", proposal.Commit)
	parent, ok := catalogue.Text("MSC1228")
	require.True(t, ok)
	assert.Equal(t, "17a9253c482c6e87e63be2dffca6aaa58bd3afb4", parent.Commit)

	kept, ok := catalogue.Lookup("redaction/sender-key-kept")
	require.True(t, ok)
	assert.Equal(t, []string{"kept", "removed"}, kept.Slugs())
	_, ok = kept.Reading("kept")
	assert.True(t, ok)
	_, ok = kept.Reading("none-seen")
	assert.False(t, ok)

	var own []string
	for _, requirement := range catalogue.All() {
		if requirement.Own() {
			own = append(own, requirement.ID)
		}
	}
	assert.Equal(t, []string{
		"resilience/restart", "resilience/partition-heals", "resilience/concurrent-joins", "resilience/starts-again", "resilience/stays-up",
	}, own)

	require.NoError(t, catalogue.MustHave("resilience/restart", "mapping/in-invite"))
	err = catalogue.MustHave("resilience/restart", "mapping/in-invites")
	assert.EqualError(t, err, `not in the catalogue, version 2: "mapping/in-invites" (nearest: mapping/in-invite)`)
}

// TestFaultsAreNamed breaks a small catalogue in one place at a time.
func TestFaultsAreNamed(t *testing.T) {
	const head = `{"version":1,"texts":[
		{"name":"MSC4014","title":"t","commit":"85b59630d03e6b56b1a03c5d129a3a2ab222f68f","sha256":"f65e4d6893c235479e58bf66e2ab70c3830a05f4160a3632dc1f37a1d8b0d2b0"},
		{"name":"MSC1228","title":"t","commit":"17a9253c482c6e87e63be2dffca6aaa58bd3afb4","sha256":"5cd55f8276c27aa85108dd644885c6c792642c138e496ffd767ba3d633e08fd0"}],
		"sources":"","words":[],"chapters":["a"]}`
	const chapter = `{"chapter":"a","title":"A","about":"","requirements":[
		{"id":"a/one","kind":"must","source":"s","demand":"d"},
		{"id":"a/two","kind":"open","source":"s","demand":"d","readings":[{"reading":"x","means":"m"},{"reading":"y","means":"m"}]}]}`
	load := func(head, chapter string) error {
		_, err := requirements.LoadFrom(fstest.MapFS{
			"catalogue.json": {Data: []byte(head)}, "a.json": {Data: []byte(chapter)},
		})
		return err
	}
	require.NoError(t, load(head, chapter))
	cases := []struct{ name, old, new, fault string }{
		{"kind", `"kind":"must"`, `"kind":"may"`, `its kind "may" is not one of`},
		{"twice", `"a/two"`, `"a/one"`, `"a/one": it is a duplicate`},
		{"other chapter", `"a/one"`, `"b/one"`, `"b/one": it is in the chapter "a"`},
		{"form", `"a/one"`, `"a/One"`, `not of the form`},
		{"no demand", `"demand":"d"}`, `"demand":""}`, `lacks its demand`},
		{"one reading", `,{"reading":"y","means":"m"}`, ``, `open and has 1 readings`},
		{"reading twice", `"reading":"y"`, `"reading":"x"`, `reading "x" is a duplicate`},
		{"no observation", `"reading":"y"`, `"reading":"none-seen"`, `reserved for observations of no reading`},
		{"readings of a must", `"kind":"open"`, `"kind":"must"`, `which only an open requirement can have`},
		{"later than now", `"kind":"must"`, `"since":2,"kind":"must"`, `since is 2, in a catalogue of version 1`},
		{"unknown field", `"kind":"must"`, `"knid":"must"`, `unknown field "knid"`},
		{"file and chapter", `"chapter":"a"`, `"chapter":"b"`, `a.json contains the chapter "b"`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			broken := strings.Replace(chapter, c.old, c.new, 1)
			require.NotEqual(t, chapter, broken)
			assert.ErrorContains(t, load(head, broken), c.fault)
		})
	}
	assert.ErrorContains(t, load(strings.Replace(head, `"version":1`, `"version":0`, 1), chapter), "versions start at 1")
	assert.ErrorContains(t, load(strings.Replace(head, `85b5`, `85g5`, 1), chapter), "MSC4014 has no commit")
	assert.ErrorContains(t, load(strings.Replace(head, `f65e`, ``, 1), chapter), "sha256 of MSC4014")
	assert.ErrorContains(t, load(strings.Replace(head, `["a"]`, `[]`, 1), chapter), "a.json is not a chapter")
	assert.ErrorContains(t, load(strings.Replace(head, `["a"]`, `["a","c"]`, 1), chapter), "c.json")
}
