package invite

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestStateBesideAnInvite(t *testing.T) {
	for _, body := range []string{
		`{"event":{"type":"m.room.member"},"invite_room_state":[{"type":"a"}],"room_version":"x"}`,
		`{"event":{"type":"m.room.member","unsigned":{"age":1,"invite_room_state":[{"type":"a"}]}}}`,
		`{"event":{"type":"m.room.member","auth_events":["$x"]},"room_state":[{"type":"a"}]}`,
	} {
		state := stateBeside([]byte(body))
		if assert.Len(t, state, 1, body) {
			assert.Equal(t, "a", state[0].Get("type").String(), body)
		}
	}
	assert.Empty(t, stateBeside([]byte(`{"event":{"auth_events":["$x"]},"invite_room_state":{"a":1}}`)))
	assert.Empty(t, stateBeside([]byte(`[]`)))
}
