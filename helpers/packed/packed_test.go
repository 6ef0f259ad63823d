package packed_test

import (
	"bytes"
	"net/http"
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
