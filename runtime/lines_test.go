package runtime

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestLastLines(t *testing.T) {
	assert.Equal(t, "b\nc", LastLines("a\nb\nc\n", 2))
	assert.Equal(t, "a\nb\nc", LastLines("a\nb\nc\n", 9))
	assert.Equal(t, "a\nb\nc", LastLines("a\nb\nc", 0))
	assert.Equal(t, "", LastLines("", 5))
}
