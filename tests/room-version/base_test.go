package roomversion

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBaseVersionFromItsFeatures(t *testing.T) {
	for want, seen := range map[string][]feature{
		"10":    featuresOfBase(false, true, true, false),
		"11":    featuresOfBase(false, false, false, false),
		"12":    featuresOfBase(true, false, false, false),
		"older": featuresOfBase(false, true, true, true),
		"other": featuresOfBase(false, true, false, false),
	} {
		base, _ := baseOf(seen)
		assert.Equal(t, want, base)
	}
}
