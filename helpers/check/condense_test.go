package check

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestCondenseSpeaksToPeople: of two values that differ it says both, and not how testify compared them.
func TestCondenseSpeaksToPeople(t *testing.T) {
	for values, said := range map[[2]any]string{
		{"@dan:a", "@daniel:a"}: `the sender: expected "@dan:a", got "@daniel:a"`,
		{1, 2}:                  "the sender: expected 1, got 2",
		{"a", 2}:                `the sender: expected string("a"), got int(2)`,
	} {
		var message failure
		assert.Equal(&message, values[0], values[1], "the sender")
		assert.Equal(t, said, condense(message.text))
	}
}

// failure keeps the message of an assertion.
type failure struct{ text string }

func (s *failure) Errorf(format string, arguments ...any) { s.text = fmt.Sprintf(format, arguments...) }

func TestCondenseIsShortAndCheap(t *testing.T) {
	assert.Equal(t, "one line", condense("one\n  line\n"))
	long := strings.Repeat("a ", 8<<20)
	for message, begins := range map[string]string{
		"the answer was " + long: "the answer was a a a",
		"\n\tError Trace:\tfile.go:1\n\tError:\tNot equal: " + long + "\n\tMessages:\twhat is meant\n": "what is meant: Not equal: a a",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		reason := condense(message)
		runtime.ReadMemStats(&after)
		assert.LessOrEqual(t, len(reason), maxReason+len("..."))
		assert.True(t, strings.HasPrefix(reason, begins), reason)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(16*maxMessage), "bytes allocated")
	}
}
