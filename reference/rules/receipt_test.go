package rules

import (
	"context"
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
)

// serverKeys knows one key of each server that it names: that of an actor of that server.
type serverKeys map[string]string

func (s serverKeys) ServerKey(_ context.Context, serverName, keyID string, validAt int64) (ed25519.PublicKey, error) {
	actor, ok := s[serverName]
	if !ok || keyID != "ed25519:server" || validAt == 0 {
		return nil, errors.New("no such key")
	}
	return keyOf(actor).Private.Public().(ed25519.PublicKey), nil
}

// keysFor returns nil for pseudonymous rooms: there no server's key may be asked for (signing/needs-no-server-keys).
func keysFor(f pseudoid.Format) ServerKeys {
	if f.Pseudonymous {
		return nil
	}
	return serverKeys{"origin.test": "alice", "other.test": "carol"}
}

func set(t *testing.T, raw []byte, path string, value any) []byte {
	changed, err := sjson.SetBytes(raw, path, value)
	require.NoError(t, err)
	return changed
}

func TestReceive(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pseudoid.Format) {
		r := populated(t, f)
		good := r.sign(r.draft("carol", "m.room.message", nil, object{"body": "hello"}), "carol")
		receive := func(raw []byte) (*Event, error) { return Receive(t.Context(), raw, f, keysFor(f)) }

		event, err := receive(set(t, good, "unsigned.age", 5))
		require.NoError(t, err, "control")
		assert.Equal(t, "hello", event.Content("body").String())
		assert.False(t, event.Field("unsigned").Exists())
		assert.Equal(t, r.id("carol"), event.Sender())

		// signing/tampered-content-redacted
		tampered, err := receive(set(t, good, "content.body", "bye"))
		require.NoError(t, err)
		assert.False(t, tampered.Content("body").Exists())
		assert.Equal(t, event.ID(), tampered.ID())
		assert.Equal(t, r.id("carol"), tampered.Sender())

		bad := map[string][]byte{
			"signing/rejects-unsigned":      set(t, good, "signatures", object{}),
			"signing/rejects-bad-signature": set(t, good, "depth", 99),
			"signing/rejects-other-key":     r.sign(r.draft("carol", "m.room.message", nil, object{}), "alice"),
			"no JSON":                       []byte(`{`),
			"duplicate keys":                []byte(strings.Replace(string(good), `{`, `{"depth":1,"depth":1,`, 1)),
			"a fraction":                    set(t, good, "content.x", 1.5),
			"too large":                     set(t, good, "content.body", strings.Repeat("x", maxEventBytes)),
			"a long type":                   r.sign(r.draft("carol", strings.Repeat("x", 256), nil, object{}), "carol"),
			"a long state key":              r.sign(r.draft("carol", "x", new(strings.Repeat("x", 256)), object{}), "carol"),
			"no room":                       set(t, good, "room_id", "room"),
			"content that is a list":        set(t, good, "content", []int{}),
			"a state key that is a number":  set(t, good, "state_key", 1),
			"too many previous events":      set(t, good, "prev_events", make([]string, 21)),
		}
		if f.Pseudonymous {
			bad["signing/rejects-server-key"] = signedByServerOnly(r)
		}
		if f.Dialect == pseudoid.DialectMSC4014 {
			draft := r.draft("carol", "m.room.message", nil, object{})
			draft["sender"] = "@carol:other.test"
			bad["event-format/no-sender-field"] = r.sign(draft, "carol")
		}
		for name, raw := range bad {
			_, err := receive(raw)
			assert.Error(t, err, name)
		}
	})
}

func signedByServerOnly(r *room) []byte {
	raw := r.sign(r.draft("carol", "m.room.message", nil, object{}))
	signed, err := pseudoid.SignEvent(raw, r.format, "other.test", "ed25519:server", keyOf("server").Private)
	require.NoError(r.t, err)
	return signed
}

func TestReceiveLongestAllowed(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pseudoid.Format) {
		r := populated(t, f)
		fill := func(n int) []byte {
			return r.sign(r.draft("carol", strings.Repeat("x", 255), nil, object{"body": strings.Repeat("x", n)}), "carol")
		}
		length := maxEventBytes - len(fill(0))
		_, err := Receive(t.Context(), fill(length), f, keysFor(f))
		require.NoError(t, err)
		_, err = Receive(t.Context(), fill(length+1), f, keysFor(f))
		assert.Error(t, err)
	})
}

func TestReceiveOfARestrictedJoinInAnOrdinaryRoom(t *testing.T) {
	inFormats(t, []string{"v10", "v11"}, func(t *testing.T, f pseudoid.Format) {
		r := populated(t, f)
		join := object{"membership": "join", authoriserField: r.id("alice")}
		draft := r.draft("carol", memberType, new(r.id("carol")), join)
		_, err := Receive(t.Context(), r.sign(draft, "carol", "alice"), f, keysFor(f))
		require.NoError(t, err, "control")
		_, err = Receive(t.Context(), r.sign(draft, "carol"), f, keysFor(f))
		assert.ErrorIs(t, err, pseudoid.ErrNoSignature)
		join[authoriserField] = "alice"
		_, err = Receive(t.Context(), r.sign(draft, "carol", "alice"), f, keysFor(f))
		assert.Error(t, err)
	})
}

func TestRedacted(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pseudoid.Format) {
		r := populated(t, f)
		join := r.event("carol", memberType, new(r.id("carol")), object{"membership": "join", "displayname": "C", "mxid_mapping": object{}})
		redacted, err := join.Redacted()
		require.NoError(t, err)
		assert.Equal(t, join.ID(), redacted.ID())
		assert.Equal(t, join.Sender(), redacted.Sender())
		assert.Equal(t, "join", redacted.Membership())
		assert.False(t, redacted.Content("mxid_mapping").Exists(), "redaction/algorithm-unchanged")
		assert.NoError(t, Rules{}.Allowed(redacted, r.state), "redaction/membership-stays")
	})
}
