// Tests of parsed JSON.

package pseudoid

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestObjectsAreImmutable(t *testing.T) {
	object, err := parse([]byte(`{"a":1,"b":2,"c":3}`))
	require.NoError(t, err)
	before := string(object.canonical())
	assert.Equal(t, `{"a":1,"b":2,"c":3,"d":"x"}`, string(object.with("d", stringValue("x")).canonical()))
	assert.Equal(t, `{"a":"x","b":2,"c":3}`, string(object.with("a", stringValue("x")).canonical()))
	assert.Equal(t, `{"b":2}`, string(object.without("a", "c", "e").canonical()))
	assert.Equal(t, `{"c":3}`, string(object.only("c", "e").canonical()))
	assert.Equal(t, before, string(object.canonical()))
}

func TestGetFindsAllMembers(t *testing.T) {
	var text strings.Builder
	for i := range 100 {
		fmt.Fprintf(&text, `,"%x":"%d"`, i*7919%1000, i)
	}
	object, err := parse([]byte("{" + text.String()[1:] + "}"))
	require.NoError(t, err)
	for i := range 100 {
		v, ok := object.get(fmt.Sprintf("%x", i*7919%1000))
		assert.True(t, ok)
		assert.Equal(t, fmt.Sprint(i), v.text)
	}
	_, ok := object.get("no such key")
	assert.False(t, ok)
	_, ok = stringValue("x").get("x")
	assert.False(t, ok)
}
