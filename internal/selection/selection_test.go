package selection

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	some = []Check{
		{Name: "a", Requirements: []string{"mapping/one"}},
		{Name: "b", Requirements: []string{"mapping/two"}, Mixed: true},
		{Name: "c", Requirements: []string{"routing/one"}},
	}
	closing     = Check{Name: "z", Requirements: []string{"resilience/x"}, Mixed: true, Closing: true}
	withClosing = append([]Check{closing}, some...)
)

func TestChoose(t *testing.T) {
	for _, each := range []struct {
		all        []Check
		run, shard string
		pair       bool
		chosen     string
	}{
		{some, "", "", false, "abc"},
		{some, "^mapping/", "", false, "ab"},
		{some, "^c$", "", false, "c"},
		{some, "", "2/3", false, "b"},
		{some, "", "1/2", false, "ac"},
		{some, Exactly([]string{"a", "c"}), "", false, "ac"},
		{some, Exactly(nil), "", false, "abc"},
		{withClosing, "^c$", "", false, "cz"},
		{withClosing, "", "3/3", false, "cz"},
		{withClosing, "^c$", "1/1", false, "cz"},
		{withClosing, "^resilience/", "", false, "z"},
		{withClosing, "", "", true, "bz"},
		{withClosing, "mapping/", "", true, "bz"},
	} {
		picked, err := New(each.run, each.shard, each.pair)
		require.NoError(t, err)
		assert.Equal(t, each.run+each.shard == "" && !each.pair, picked.Whole())
		chosen, err := picked.Choose(each.all)
		require.NoError(t, err)
		names := ""
		for _, check := range chosen {
			names += check.Name
		}
		assert.Equal(t, each.chosen, names, "%+v", each)
	}
}

func TestEmptySelections(t *testing.T) {
	for _, each := range []struct {
		all        []Check
		run, shard string
		pair       bool
		err        string
	}{
		{some, "nothing", "", false, `--run "nothing" matches no check and no requirement that has one; ./run.sh list shows them`},
		{withClosing, "^a$", "", true, `--run "^a$" matches no check with two servers, which --pair runs`},
		{withClosing, "", "4/4", false, "--shard 4/4 has no check: only 3 are selected, which is the maximum of parts"},
		{withClosing, "mapping/", "3/500", false, "--shard 3/500 has no check: only 2 are selected, which is the maximum of parts"},
	} {
		picked, err := New(each.run, each.shard, each.pair)
		require.NoError(t, err)
		_, err = picked.Choose(each.all)
		assert.EqualError(t, err, each.err)
	}
}

func TestNewRefuses(t *testing.T) {
	_, err := New("(", "", false)
	assert.ErrorContains(t, err, `--run "(" is not a valid regular expression`)
	for _, shard := range []string{"3", "0/2", "3/2", "a/b", "/"} {
		_, err := New("", shard, false)
		assert.EqualError(t, err, `--shard "`+shard+`": it is I/N, the I-th of N parts, counted from 1: 2/3`)
	}
}
