package rooms

// What this server answers to servers whose users join through it.

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
)

// Server-server API, make_join: what a server that is not in an allowed room, or no longer, says of a restricted join.
func TestRestrictedJoinThatCannotBeChecked(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two := w.servers["one.test"], w.servers["two.test"]
		left := two.create(bob, version)
		one.join(alice, left, "two.test")
		for _, allowed := range []string{left, "!unknown:two.test"} {
			club := one.create(alice, version, func(o *CreateOptions) {
				o.InitialState = []StateWrite{{"m.room.join_rules", "", raw(map[string]any{"join_rule": "restricted", "allow": []any{
					map[string]string{"type": "m.room_membership", "room_id": allowed},
				}})}}
			})
			if allowed == left {
				require.NoError(t, one.Leave(t.Context(), alice, left, ""))
				w.deliver()
			}
			_, err := one.MakeMember(t.Context(), "two.test", "join", club, bob, Versions())
			var known *Error
			require.ErrorAs(t, err, &known)
			assert.Equal(t, "M_UNABLE_TO_AUTHORISE_JOIN", known.Code)
			assert.Equal(t, 400, known.Status)
		}
	})
}

// TestTemplatesByKey: with asked-by-key (membership/make-template) a user is named by its key. Only the join tells whose server a new key is
// of; a known key is refused to any other server.
func TestTemplatesByKey(t *testing.T) {
	inEachKind(t, func(t *testing.T, w *world, version string) {
		one, two := w.servers["one.test"], w.servers["two.test"]
		one.Pseudonym.Readings.MakeTemplate, two.Pseudonym.Readings.MakeTemplate = "asked-by-key", "asked-by-key"
		room := one.create(alice, version)
		if !one.Get(room).Pseudonymous() {
			_, err := one.MakeMember(t.Context(), "two.test", "join", room, string(identity.GenerateKeyPair().Public), Versions())
			require.Error(t, err, "an ordinary room has no user with such a name")
			return
		}
		two.join(bob, room, "one.test")
		key, _ := two.Get(room).Sender(bob)
		template, err := one.MakeMember(t.Context(), "two.test", "leave", room, key, nil)
		require.NoError(t, err)
		assert.Equal(t, key, gjson.GetBytes(template.Event, "state_key").String())
		_, err = one.MakeMember(t.Context(), "three.test", "leave", room, key, nil)
		require.Error(t, err, "the key of another server's user")
	})
}
