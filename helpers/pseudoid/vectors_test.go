// The oracle compared with vectors made by Debian's python3-canonicaljson and python3-signedjson. To recreate them:
//
//	apt-get install python3-canonicaljson python3-signedjson
//	cd testdata/vectors && /usr/bin/python3 make.py > vectors.json

package pseudoid

import (
	"crypto/ed25519"
	"encoding/json"
	"os"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type vectors struct {
	Canonical []struct{ Text, Canonical string }

	Signatures []struct {
		Seed, Entity   string
		KeyID          string `json:"key_id"`
		Object, Signed string
	}

	Events []struct {
		Format, Seed, Entity    string
		KeyID                   string `json:"key_id"`
		ContentHash             string `json:"content_hash"`
		EventID                 string `json:"event_id"`
		Event, Redacted, Signed string
	}

	Mappings []struct {
		Dialect Dialect
		Key     SenderKey
		UserID  string `json:"user_id"`
		Server  string
		Seed    string
		KeyID   string `json:"key_id"`
		Signed  string
	}
}

func readVectors(t *testing.T) vectors {
	raw, err := os.ReadFile("testdata/vectors/vectors.json")
	require.NoError(t, err)
	var v vectors
	require.NoError(t, json.Unmarshal(raw, &v))
	return v
}

func keyOfSeed(t *testing.T, seed string) ed25519.PrivateKey {
	raw, err := DecodeBase64(seed)
	require.NoError(t, err)
	return ed25519.NewKeyFromSeed(raw)
}

func TestVectorsOfCanonicalJSON(t *testing.T) {
	vectors := readVectors(t).Canonical
	require.GreaterOrEqual(t, len(vectors), 100)
	for _, vector := range vectors {
		assertCanonical(t, vector.Canonical, vector.Text)
		assertCanonical(t, vector.Canonical, vector.Canonical)
	}
}

func TestVectorsOfSignatures(t *testing.T) {
	vectors := readVectors(t).Signatures
	require.NotEmpty(t, vectors)
	for _, vector := range vectors {
		key := keyOfSeed(t, vector.Seed)
		signed, err := SignJSON([]byte(vector.Object), vector.Entity, vector.KeyID, key)
		require.NoError(t, err)
		assert.Equal(t, vector.Signed, string(signed))
		assert.NoError(t, VerifyJSON([]byte(vector.Signed), vector.Entity, vector.KeyID, publicOf(key)))
	}
}

func TestVectorsOfEvents(t *testing.T) {
	formats := map[string]Format{
		"10": FormatV10, "11": FormatV11, "dendrite": FormatDendrite, "msc4014": FormatMSC4014, "msc4014-letter": FormatMSC4014Letter,
	}
	seen := map[string]int{}
	for _, vector := range readVectors(t).Events {
		f, ok := formats[vector.Format]
		require.True(t, ok, vector.Format)
		seen[vector.Format]++
		event, key := []byte(vector.Event), keyOfSeed(t, vector.Seed)

		hash, err := ContentHash(event)
		require.NoError(t, err)
		assert.Equal(t, vector.ContentHash, hash, "%s: %s", vector.Format, event)

		signed, err := SignEvent(event, f, vector.Entity, vector.KeyID, key)
		require.NoError(t, err)
		assert.Equal(t, vector.Signed, string(signed), "%s: %s", vector.Format, event)

		redacted, err := Redact([]byte(vector.Signed), f)
		require.NoError(t, err)
		assert.Equal(t, vector.Redacted, string(redacted), "%s: %s", vector.Format, event)

		for _, event := range []string{vector.Signed, vector.Redacted} {
			id, err := EventID([]byte(event), f)
			require.NoError(t, err)
			assert.Equal(t, vector.EventID, id, "%s: %s", vector.Format, event)
			assert.NoError(t, VerifyEventSignature([]byte(event), f, vector.Entity, vector.KeyID, publicOf(key)))
		}
		assert.NoError(t, CheckContentHash([]byte(vector.Signed)))
		if f.Pseudonymous {
			location, err := VerifySenderSignature([]byte(vector.Signed), f)
			require.NoError(t, err)
			assert.Equal(t, SignatureLocation{vector.Entity, vector.KeyID}, location)

			bySenderKey, err := signedBySenderKey(event, f, KeyPairOf(key))
			require.NoError(t, err)
			assert.Equal(t, vector.Signed, string(bySenderKey))
		}
		if raw, ok := MappingOf([]byte(vector.Signed)); ok {
			mapping, err := ParseMapping(raw)
			require.NoError(t, err)
			assert.Equal(t, f.Dialect, mapping.Dialect)
		}
	}
	for name := range formats {
		assert.GreaterOrEqual(t, seen[name], 10, name)
	}
}

func TestVectorsOfMappings(t *testing.T) {
	vectors := readVectors(t).Mappings
	require.NotEmpty(t, vectors)
	for _, vector := range vectors {
		key := keyOfSeed(t, vector.Seed)
		signed, err := SignMapping(NewMapping(vector.Dialect, vector.Key, vector.UserID), vector.Server, vector.KeyID, key)
		require.NoError(t, err)
		assert.Equal(t, vector.Signed, string(signed))

		mapping, err := ParseMapping([]byte(vector.Signed))
		require.NoError(t, err)
		assert.Equal(t, Mapping{vector.Dialect, vector.Key, vector.UserID, []byte(vector.Signed)}, mapping)
		assert.NoError(t, VerifyMapping(mapping, publishedKeys(map[string]ed25519.PrivateKey{vector.Server + " " + vector.KeyID: key})))
	}
}
