package roomversion

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestBaseVersionFromItsSigns(t *testing.T) {
	for want, seen := range map[string][]sign{
		"10":    signsOfBase(false, true, true, false),
		"11":    signsOfBase(false, false, false, false),
		"12":    signsOfBase(true, false, false, false),
		"older": signsOfBase(false, true, true, true),
		"other": signsOfBase(false, true, false, false),
	} {
		base, _ := baseOf(seen)
		assert.Equal(t, want, base)
	}
}
