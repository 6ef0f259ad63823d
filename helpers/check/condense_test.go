package check

import (
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

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
