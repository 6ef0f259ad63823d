package docker

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestWhoEndedIt: without a bound of its memory, a server that the kernel ended for want of memory is told as killed from outside.
func TestWhoEndedIt(t *testing.T) {
	for _, each := range []struct {
		code        int64
		outOfMemory bool
		bound       int64
		text        string
		outside     bool
	}{
		{2, false, 0, "exited with status 2", false},
		{137, false, 0, "exited with status 137", true},
		{137, true, 0, "exited with status 137 (the kernel ended it: the machine was out of memory)", true},
		{1, true, 0, "exited with status 1 (the kernel ended it: the machine was out of memory)", true}, // of a process of its own
		{
			137, true, 64 << 20, "exited with status 137 (the kernel ended it: its container was out of memory, with a bound of 64 MiB; " +
				"COMPLEMENT_CONTAINER_MEMORY sets another)", false,
		},
	} {
		text := describe(each.code, each.outOfMemory, each.bound)
		assert.Equal(t, each.text, text)
		assert.Equal(t, each.outside, fromOutside(text), text)
	}
	assert.True(t, fromOutside(removedStatus))
}
