package check

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestDeadlinesLengthenOnABusyMachine(t *testing.T) {
	m := &machine{}
	assert.Equal(t, 45*time.Second, m.lengthened(45*time.Second), "a quiet one")
	m.note(3 * late)
	assert.Equal(t, 6*time.Second, m.lengthened(2*time.Second), "all of it is work")
	assert.Equal(t, 57*time.Second, m.lengthened(45*time.Second), "most of it is waiting")
	assert.Equal(t, 6*time.Second, m.stretched(2*time.Second))
	assert.Equal(t, 75*time.Second, m.stretched(45*time.Second), "the longest delay")
	m.note(100 * late)
	assert.Equal(t, 38*time.Second, m.lengthened(8*time.Second), "the longest delay")
	for range heartbeatsKept {
		m.note(0)
	}
	assert.Equal(t, 45*time.Second, m.lengthened(45*time.Second), "quiet again")
}
