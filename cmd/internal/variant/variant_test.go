package variant

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var root = filepath.Join("..", "..", "..")

func TestArguments(t *testing.T) {
	v := Variant{Dialect: "dendrite", Faults: []string{"one", "two"}, Readings: []string{"a/b=c"}}
	assert.Equal(t, "--dialect dendrite --fault one --fault two --reading a/b=c", v.Arguments())
	assert.Empty(t, Variant{}.Arguments())
}

func TestVariant(t *testing.T) {
	v := Variant{Dialect: "dendrite", Faults: []string{"edus-unsent"}, Readings: []string{"redaction/sender-key-kept=removed"}}
	assert.Equal(t, []string{"MSC4014_REFERENCE_DIALECT=dendrite", "MSC4014_REFERENCE_READINGS=redaction/sender-key-kept=removed"},
		v.Environment(), "a server is not told its faults")
	overlay, err := v.Overlay(root)
	require.NoError(t, err)
	assert.NotEmpty(t, overlay)

	overlay, err = Variant{}.Overlay(root)
	require.NoError(t, err)
	assert.Empty(t, overlay)
	assert.Empty(t, Variant{}.Environment())
}

func TestVariantRefuses(t *testing.T) {
	for says, v := range map[string]Variant{
		`unknown fault "nosuch"; ./run.sh list faults`: {Faults: []string{"nosuch"}},
		"it is REQUIREMENT=READING":                    {Readings: []string{"nosuch"}},
		"there are msc4014, dendrite":                  {Dialect: "nosuch"},
	} {
		_, err := v.Overlay(root)
		assert.ErrorContains(t, err, says)
	}
}
