package candidate

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestIsOfSources: by the names that build gives to images.
func TestIsOfSources(t *testing.T) {
	for name, want := range map[string]bool{
		"msc4014/dendrite:0.13.8-0123456789ab": true,
		"msc4014/dendrite:0123456789ab":        true, // a working tree
		"msc4014/reference:0123456789ab":       true,
		"msc4014/synapse:0123456789ab":         false, // Debian's packages are in it
		"msc4014/debian:sid":                   false,
		"msc4014/dendrite:latest":              false,
		"complement-dendrite:latest":           false,
		"evil/msc4014/dendrite:0123456789ab":   false,
		"":                                     false,
	} {
		assert.Equal(t, want, IsOfSources(name), name)
	}
}
