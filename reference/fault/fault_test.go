package fault_test

import (
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/reference/fault"
)

// TestTable: each row can be named on a command line, says all that it must say, and stands there once.
func TestTable(t *testing.T) {
	seen := map[fault.ID]bool{}
	for _, one := range fault.All() {
		assert.False(t, seen[one.ID], "%s stands there twice", one.ID)
		seen[one.ID] = true
		assert.Regexp(t, regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`), string(one.ID))
		assert.NotEmpty(t, one.Does, one.ID)
		assert.NotEmpty(t, one.Breaks, one.ID)
		assert.NotEmpty(t, one.Requirements, one.ID)
		found, known := fault.Lookup(string(one.ID))
		assert.True(t, known)
		assert.Equal(t, one, found)
	}
	_, known := fault.Lookup("no-such-fault")
	assert.False(t, known)
}

func TestSet(t *testing.T) {
	var none fault.Set
	assert.False(t, none.Has(fault.OneKeyAUser))
	assert.True(t, fault.Set{fault.OneKeyAUser: true}.Has(fault.OneKeyAUser))
	assert.False(t, fault.Set{fault.OneKeyAUser: true}.Has(fault.OneKeyARoom))
}
