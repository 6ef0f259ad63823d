package roomversion

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBaseVersionFromItsFeatures(t *testing.T) {
	for want, seen := range map[string][]feature{
		"10":    featuresOfBase(false, true, false),
		"11":    featuresOfBase(false, false, false),
		"12":    featuresOfBase(true, false, false),
		"older": featuresOfBase(false, true, true),
		"other": featuresOfBase(true, true, false),
	} {
		base, _ := baseOf(seen)
		assert.Equal(t, want, base)
	}
}
