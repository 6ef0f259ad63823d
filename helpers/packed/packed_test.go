package packed_test

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/packed"
	"msc4014/helpers/transcript"
)

func TestExchangesAreTheSame(t *testing.T) {
	exchanges := []transcript.Exchange{
		{
			Direction: transcript.PeerRequest, Actor: "peer", Server: "hs1", Started: time.Now().Round(0).UTC(), Duration: time.Second,
			Method: "PUT", URL: "/send", RequestHeader: http.Header{"Accept": {"a", "b"}}, RequestBody: []byte("\x00{"), Status: 200,
			ResponseHeader: http.Header{"Date": {"now"}}, ResponseBody: bytes.Repeat([]byte(`{"type":"m.room.member"}`), 1000),
			Unexpected: true, Notes: []string{transcript.NoteFailed},
		},
		{Error: "no answer"},
	}
	again, err := packed.Of(exchanges).Get()
	require.NoError(t, err)
	assert.Equal(t, exchanges, again)
}

func TestNothing(t *testing.T) {
	var none *packed.Value[[]string]
	value, err := none.Get()
	require.NoError(t, err)
	assert.Nil(t, value)
	value, err = packed.Of[[]string](nil).Get()
	require.NoError(t, err)
	assert.Empty(t, value)
}

func TestWhatCannotBePacked(t *testing.T) {
	_, err := packed.Of(func() {}).Get()
	assert.ErrorContains(t, err, "cannot pack a func()")
}

// TestManyAtOnce: values that are packed at the same time, or after one that failed, do not mix.
func TestManyAtOnce(t *testing.T) {
	var group sync.WaitGroup
	for i := range 8 {
		group.Go(func() {
			for j := range 20 {
				text := strings.Repeat(fmt.Sprint(i, j), 1000)
				value := packed.Of(text)
				_, err := packed.Of(func() {}).Get()
				assert.Error(t, err)
				again, err := value.Get()
				assert.NoError(t, err)
				assert.Equal(t, text, again)
			}
		})
	}
	group.Wait()
}

func BenchmarkOf(b *testing.B) {
	text := strings.Repeat(`time="2026-12-02T12:00:00Z" level=warning msg="a line of a log"`+"\n", 500)
	b.ReportAllocs()
	for b.Loop() {
		packed.Of(text)
	}
}
