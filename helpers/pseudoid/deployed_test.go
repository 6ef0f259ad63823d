// The oracle compared with events that the deployed implementation stored: a room of two users, with a redacted message and a kick,
// and an ordinary room. The test describes what these versions do, right or wrong.

package pseudoid

import (
	"crypto/ed25519"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEventsOfTheDeployedImplementation(t *testing.T) {
	for file, createSignedByServerKey := range map[string]bool{"dendrite-0.13.8.json": false, "dendrite-0.15.2.json": true} {
		t.Run(file, func(t *testing.T) {
			raw, err := os.ReadFile("testdata/deployed/" + file)
			require.NoError(t, err)
			var recorded struct {
				Server string
				KeyID  string `json:"key_id"`
				Key    string
				Events []struct {
					RoomVersion string `json:"room_version"`
					EventID     string `json:"event_id"`
					Event       string
				}
			}
			require.NoError(t, json.Unmarshal(raw, &recorded))
			server, err := DecodeBase64(recorded.Key)
			require.NoError(t, err)
			published := func(string, string) (ed25519.PublicKey, error) { return server, nil }

			mappings, redactions := 0, 0
			for _, e := range recorded.Events {
				event := []byte(e.Event)
				var fields struct {
					Type     string
					Content  struct{ Membership string }
					Unsigned struct {
						RedactedBecause json.RawMessage `json:"redacted_because"`
					}
				}
				require.NoError(t, json.Unmarshal(event, &fields))
				f := FormatV10
				if e.RoomVersion == RoomVersion {
					f = FormatDendrite
					dialect, err := DetectDialect(event)
					require.NoError(t, err)
					assert.Equal(t, DialectDendrite, dialect)
				}
				switch {
				case e.RoomVersion != RoomVersion:
					assert.NoError(t, VerifyEventSignature(event, f, recorded.Server, recorded.KeyID, server))
				case fields.Type == "m.room.create" && createSignedByServerKey: // although its sender is a sender key
					_, err = VerifySenderSignature(event, f)
					assert.ErrorIs(t, err, ErrBadSignature)
					assert.NoError(t, VerifyEventSignature(event, f, recorded.Server, recorded.KeyID, server))
				default:
					location, err := VerifySenderSignature(event, f)
					assert.NoError(t, err, e.Event)
					entity := f.Sender(event)
					if fields.Content.Membership == "leave" { // signed by the sender key, but under its server's name
						entity = recorded.Server
					}
					assert.Equal(t, SignatureLocation{entity, SenderKeyID}, location)
				}

				id, err := EventID(event, f)
				require.NoError(t, err)
				assert.Equal(t, e.EventID, id)
				if fields.Unsigned.RedactedBecause != nil {
					redactions++
					assert.ErrorIs(t, CheckContentHash(event), ErrContentHash)
				} else {
					assert.NoError(t, CheckContentHash(event))
				}
				if raw, ok := MappingOf(event); ok {
					mappings++
					mapping, err := ParseMapping(raw)
					require.NoError(t, err)
					assert.Equal(t, f.Sender(event), string(mapping.Key))
					assert.NoError(t, VerifyMapping(mapping, published))
				}
			}
			assert.Equal(t, 2, mappings)
			assert.Equal(t, 1, redactions)
		})
	}
}
