package suite

import (
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Not the machine's cores: a container may have a quota of fewer.
func TestUsualParallel(t *testing.T) {
	defer goruntime.SetDefaultGOMAXPROCS()
	for cores, checks := range map[int]int{1: 2, 2: 3, 4: 5, 64: 8} {
		goruntime.GOMAXPROCS(cores)
		assert.Equal(t, checks, usualParallel(), "%d cores", cores)
	}
}
