package suite

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestUsualParallel(t *testing.T) {
	for cores, checks := range map[int]int{1: 2, 2: 3, 4: 5, 64: 8} {
		assert.Equal(t, checks, usualParallel(cores), "%d cores", cores)
	}
}
