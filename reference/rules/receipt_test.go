package rules

import (
	"context"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/sjson"

	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
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

// received parses an event and checks it as one that came from another server: without any server's key in pseudonymous
// rooms (signing/needs-no-server-keys).
func received(t *testing.T, raw []byte, f pdu.Format) (*pdu.Event, error) {
	event, err := pdu.Parse(raw, f)
	if err != nil {
		return nil, err
	}
	if f.Pseudonymous {
		return pseudonym.Rules{Dialect: f.Dialect}.Receive(event)
	}
	return Receive(t.Context(), event, serverKeys{"origin.test": "alice", "other.test": "carol"})
}

func set(t *testing.T, raw []byte, path string, value any) []byte {
	changed, err := sjson.SetBytes(raw, path, value)
	require.NoError(t, err)
	return changed
}

func TestReceive(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pdu.Format) {
		r := populated(t, f)
		good := r.sign(r.draft("carol", "m.room.message", nil, object{"body": "hello"}), "carol")
		receive := func(raw []byte) (*pdu.Event, error) { return received(t, raw, f) }

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
		}
		if f.Pseudonymous {
			bad["signing/rejects-server-key"] = signedByServerOnly(r)
		}
		if f.Dialect == pdu.DialectMSC4014 {
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
	signed, err := pdu.Sign(raw, r.format, "other.test", "ed25519:server", keyOf("server").Private)
	require.NoError(r.t, err)
	return signed
}

func TestReceiveOfARestrictedJoinInAnOrdinaryRoom(t *testing.T) {
	inFormats(t, []string{"v10", "v11"}, func(t *testing.T, f pdu.Format) {
		r := populated(t, f)
		join := object{"membership": "join", authoriserField: r.id("alice")}
		draft := r.draft("carol", memberType, new(r.id("carol")), join)
		_, err := received(t, r.sign(draft, "carol", "alice"), f)
		require.NoError(t, err, "control")
		_, err = received(t, r.sign(draft, "carol"), f)
		assert.ErrorIs(t, err, pdu.ErrNoSignature)
		join[authoriserField] = "alice"
		_, err = received(t, r.sign(draft, "carol", "alice"), f)
		assert.Error(t, err)
	})
}

func TestRedacted(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pdu.Format) {
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
