package differential

import (
	"crypto/ed25519"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/pseudoid"
	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// This file holds the reference to what others computed: the vectors of Debian's python3-canonicaljson and
// python3-signedjson, and events that deployed servers stored. The oracle's tests read the same files.

// testdata reads a file of the oracle's test data.
func testdata(t *testing.T, name string, into any) {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("../../helpers/pseudoid/testdata", name))
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(raw, into))
}

func TestVectors(t *testing.T) {
	type signature struct {
		Seed, Entity string
		KeyID        string `json:"key_id"`
		Signed       string
	}
	var vectors struct {
		Canonical  []struct{ Text, Canonical string }
		Signatures []struct {
			signature
			Object string
		}
		Events []struct {
			signature
			Format, Event, Redacted string
			EventID                 string `json:"event_id"`
		}
		Mappings []struct {
			signature
			Dialect pdu.Dialect
			Key     identity.SenderKey
			UserID  string `json:"user_id"`
			Server  string
		}
	}
	testdata(t, "vectors/vectors.json", &vectors)
	require.Greater(t, min(len(vectors.Canonical), len(vectors.Signatures), len(vectors.Events), len(vectors.Mappings)), 3)
	key := func(s signature) ed25519.PrivateKey {
		seed, err := identity.DecodeBase64(s.Seed)
		require.NoError(t, err)
		return ed25519.NewKeyFromSeed(seed)
	}

	for _, each := range vectors.Canonical {
		canonical, err := pdu.CanonicalJSON([]byte(each.Text))
		require.NoError(t, err)
		assert.Equal(t, each.Canonical, string(canonical))
	}
	for _, each := range vectors.Signatures {
		signed, err := pdu.SignJSON([]byte(each.Object), each.Entity, each.KeyID, key(each.signature))
		require.NoError(t, err)
		assert.Equal(t, each.Signed, string(signed))
		assert.NoError(t, pdu.VerifyJSON(signed, each.Entity, each.KeyID, publicOf(key(each.signature))))
	}
	for _, each := range vectors.Events {
		require.Contains(t, formats, each.Format)
		f := formats[each.Format].reference
		event, err := pdu.Parse([]byte(each.Signed), f)
		require.NoError(t, err)
		assert.NoError(t, event.CheckContentHash())
		redacted, err := event.Redacted()
		require.NoError(t, err)
		assert.Equal(t, each.Redacted, string(redacted.JSON()))
		signed, err := pdu.Sign([]byte(each.Event), f, each.Entity, each.KeyID, key(each.signature))
		require.NoError(t, err)
		assert.Equal(t, each.Signed, string(signed))
		for _, form := range [][]byte{signed, redacted.JSON()} {
			id, err := pdu.ID(form, f)
			require.NoError(t, err)
			assert.Equal(t, each.EventID, id)
			assert.NoError(t, verified(form, formats[each.Format].oracle, each.Entity, each.KeyID, publicOf(key(each.signature))))
		}
	}
	for _, each := range vectors.Mappings {
		unsigned := pdu.UnsignedMapping(each.Dialect, each.Key, each.UserID)
		signed, err := pdu.SignJSON(unsigned, each.Server, each.KeyID, key(each.signature))
		require.NoError(t, err)
		assert.Equal(t, each.Signed, string(signed))
	}
}

func TestEventsOfDeployedServers(t *testing.T) {
	for _, file := range []string{"dendrite-0.13.8.json", "dendrite-0.15.2.json"} {
		var recorded struct {
			Server, Key string
			KeyID       string `json:"key_id"`
			Events      []struct {
				RoomVersion string `json:"room_version"`
				EventID     string `json:"event_id"`
				Event       string
			}
		}
		testdata(t, "deployed/"+file, &recorded)
		server, err := identity.DecodeBase64(recorded.Key)
		require.NoError(t, err)
		bySender, mappings := 0, 0
		for _, each := range recorded.Events {
			raw, oracle, f := []byte(each.Event), pseudoid.FormatV10, pdu.FormatV10
			if each.RoomVersion == pdu.RoomVersion {
				oracle, f = pseudoid.FormatDendrite, pdu.FormatDendrite
			}
			id, err := pdu.ID(raw, f)
			require.NoError(t, err)
			assert.Equal(t, each.EventID, id)
			compareEvent(t, raw)
			location, err := pseudoid.VerifySenderSignature(raw, pseudoid.FormatDendrite)
			if err == nil && f.Pseudonymous {
				key, err := identity.ParseSenderKey(f.Sender(raw))
				require.NoError(t, err)
				assert.NoError(t, verified(raw, oracle, location.Entity, location.KeyID, key))
				bySender++
			} else { // those of the ordinary room, and a create event that version 0.15.2 signs otherwise
				assert.NoError(t, verified(raw, oracle, recorded.Server, recorded.KeyID, server))
			}
			if mapping, ok := pseudoid.MappingOf(raw); ok {
				mappings++
				m, err := pdu.ParseMapping(mapping)
				require.NoError(t, err)
				assert.NoError(t, pdu.VerifyMapping(m, func(string, string) (ed25519.PublicKey, error) { return server, nil }))
			}
		}
		assert.Greater(t, bySender, 5)
		assert.Equal(t, 2, mappings)
	}
}

// Both have the same room version, and call the fields the same.
func TestNames(t *testing.T) {
	assert.Equal(t, pseudoid.RoomVersion, pdu.RoomVersion)
	assert.Equal(t, pseudoid.SenderKeyID, pdu.SenderKeyID)
	assert.Equal(t, pseudoid.MappingField, pdu.MappingField)
	for name, f := range formats {
		assert.Equal(t, f.oracle.SenderField(), f.reference.SenderField(), name)
		assert.Equal(t, f.oracle.RoomVersion, f.reference.RoomVersion, name)
		assert.Equal(t, f.oracle.Dialect.MappingKeyField(), f.reference.Dialect.MappingKeyField(), name)
		assert.Equal(t, f.oracle.Dialect.SenderField(), f.reference.Dialect.SenderField(), name)
	}
}
