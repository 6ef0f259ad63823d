// Tests of mappings: building, signing, strict parsing and verification.

package pseudoid

import (
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// errNotPublished is the error of publishedKeys for an unknown key.
var errNotPublished = errors.New("not published")

// publishedKeys returns a look-up of keys by "server keyID".
func publishedKeys(keys map[string]ed25519.PrivateKey) func(serverName, keyID string) (ed25519.PublicKey, error) {
	return func(serverName, keyID string) (ed25519.PublicKey, error) {
		if key, ok := keys[serverName+" "+keyID]; ok {
			return publicOf(key), nil
		}
		return nil, errNotPublished
	}
}

func TestNewMapping(t *testing.T) {
	key := GenerateKeyPair().Public
	assert.Equal(t, `{"sender_key":"`+string(key)+`","user_id":"@alice:hs1"}`, string(NewMapping(DialectMSC4014, key, "@alice:hs1")))
	assert.Equal(t, `{"user_id":"@alice:hs1","user_room_key":"`+string(key)+`"}`, string(NewMapping(DialectDendrite, key, "@alice:hs1")))
	assert.Equal(t, `{"user_id":"\"\\","user_room_key":""}`, string(NewMapping(DialectDendrite, "", `"\`)), "invalid values")
}

func TestMappingRoundTrip(t *testing.T) {
	server := GenerateKeyPair().Private
	keys := publishedKeys(map[string]ed25519.PrivateKey{"hs1:8448 ed25519:auto": server})
	for _, d := range []Dialect{DialectMSC4014, DialectDendrite} {
		key := GenerateKeyPair().Public
		signed, err := SignMapping(NewMapping(d, key, "@alice:hs1:8448"), "hs1:8448", "ed25519:auto", server)
		require.NoError(t, err)
		mapping, err := ParseMapping(signed)
		require.NoError(t, err)
		assert.Equal(t, Mapping{Dialect: d, Key: key, UserID: "@alice:hs1:8448", Raw: signed}, mapping)
		assert.NoError(t, VerifyMapping(mapping, keys))
	}
}

// signedMapping returns a mapping of alice on hs1, signed by the given key.
func signedMapping(t *testing.T, serverName, keyID string, key ed25519.PrivateKey) string {
	signed, err := SignMapping(NewMapping(DialectMSC4014, GenerateKeyPair().Public, "@alice:hs1"), serverName, keyID, key)
	require.NoError(t, err)
	return string(signed)
}

func TestVerifyMapping(t *testing.T) {
	hs1, hs2, unknown := GenerateKeyPair().Private, GenerateKeyPair().Private, GenerateKeyPair().Private
	keys := publishedKeys(map[string]ed25519.PrivateKey{"hs1 ed25519:a": hs1, "hs2 ed25519:a": hs2, "hs1 rsa:a": hs1})
	valid := signedMapping(t, "hs1", "ed25519:a", hs1)
	alsoSigned := func(mapping, serverName, keyID string, key ed25519.PrivateKey) string {
		signed, err := SignMapping([]byte(mapping), serverName, keyID, key)
		require.NoError(t, err)
		return string(signed)
	}
	for name, c := range map[string]struct {
		mapping string
		want    error
	}{
		"valid":                               {valid, nil},
		"valid, and signed by others too":     {alsoSigned(valid, "hs2", "ed25519:a", hs2), nil},
		"valid, and under a key ID not known": {alsoSigned(valid, "hs1", "ed25519:0", unknown), nil},
		"valid, with an unsigned part":        {altered(t, valid, "unsigned", `1`), nil},
		"unsigned":                            {altered(t, valid, "signatures", `{}`), ErrNoSignature},
		"without signatures":                  {string(NewMapping(DialectMSC4014, GenerateKeyPair().Public, "@alice:hs1")), ErrNoSignature},
		"signed by another server":            {signedMapping(t, "hs2", "ed25519:a", hs2), ErrNoSignature},
		"another server's key under our name": {signedMapping(t, "hs1", "ed25519:a", hs2), ErrBadSignature},
		"a key ID not published":              {signedMapping(t, "hs1", "ed25519:b", hs1), errNotPublished},
		"another algorithm's key ID":          {signedMapping(t, "hs1", "rsa:a", hs1), ErrBadSignature},
		"the user ID altered":                 {altered(t, valid, "user_id", `"@bob:hs1"`), ErrBadSignature},
		"another server's user":               {altered(t, valid, "user_id", `"@bob:hs2"`), ErrNoSignature},
		"the key altered":                     {altered(t, valid, "sender_key", `"`+string(GenerateKeyPair().Public)+`"`), ErrBadSignature},
		"a field added":                       {altered(t, valid, "room_id", `"!r:hs1"`), ErrBadSignature},
		"a null signature":                    {altered(t, valid, "signatures", `{"hs1":{"ed25519:a":null}}`), ErrBadSignature},
		"the server's name in capitals":       {signedMapping(t, "HS1", "ed25519:a", hs1), ErrNoSignature},
	} {
		t.Run(name, func(t *testing.T) {
			mapping, err := ParseMapping([]byte(c.mapping))
			require.NoError(t, err)
			err = VerifyMapping(mapping, keys)
			if c.want == nil {
				assert.NoError(t, err)
			} else {
				assert.ErrorIs(t, err, c.want)
			}
		})
	}
	for signatures, want := range map[string]string{
		`[]`:           `"signatures" is an array`,
		`null`:         `"signatures" is null`,
		`{"hs1":"x"}`:  `"hs1" is a string`,
		`{"hs1":null}`: `"hs1" is null`,
	} {
		mapping, err := ParseMapping([]byte(altered(t, valid, "signatures", signatures)))
		require.NoError(t, err)
		assert.ErrorContains(t, VerifyMapping(mapping, keys), want)
	}
}

func TestVerifyMappingJoinsTheErrorsOfAllSignatures(t *testing.T) {
	mapping, err := ParseMapping([]byte(altered(t, signedMapping(t, "hs1", "ed25519:b", GenerateKeyPair().Private),
		"signatures", `{"hs1":{"ed25519:a":"x","ed25519:b":"y"}}`)))
	require.NoError(t, err)
	err = VerifyMapping(mapping, publishedKeys(map[string]ed25519.PrivateKey{"hs1 ed25519:a": GenerateKeyPair().Private}))
	assert.ErrorIs(t, err, ErrBadSignature)
	assert.ErrorIs(t, err, errNotPublished)
	assert.ErrorContains(t, err, `"ed25519:a"`)
	assert.ErrorContains(t, err, `"ed25519:b"`)
	assert.ErrorContains(t, err, "@alice:hs1")
}

func TestParseMappingRefuses(t *testing.T) {
	key := string(GenerateKeyPair().Public)
	for mapping, want := range map[string]string{
		`null`:                               "null, not a JSON object",
		`"x"`:                                "not a JSON object",
		`[]`:                                 "not a JSON object",
		`{}`:                                 "neither",
		`{"user_id":"@a:b"}`:                 "neither",
		`{"sender_key":"` + key + `"}`:       `"user_id" is missing`,
		`{"sender_key":1,"user_id":"@a:b"}`:  `"sender_key" is a number`,
		`{"sender_key":"","user_id":"@a:b"}`: "it has 0 bytes",
		`{"sender_key":"` + key + `=","user_id":"@a:b"}`:                              "padded",
		`{"user_room_key":"^` + key + `","user_id":"@a:b"}`:                           "base64",
		`{"user_room_key":"` + key + `","sender_key":"` + key + `","user_id":"@a:b"}`: "both",
		`{"user_room_key":"` + key + `","sender_key":null,"user_id":"@a:b"}`:          "null",
		`{"sender_key":"` + key + `","user_id":null}`:                                 "not a string",
		`{"sender_key":"` + key + `","user_id":""}`:                                   "does not begin with '@'",
		`{"sender_key":"` + key + `","user_id":"@a"}`:                                 "no ':'",
		`{"sender_key":"` + key + `","user_id":"@a:b","user_id":"@a:c"}`:              "duplicate key",
		`{"sender_key":"` + key + `","user_id":"@a:b","x":1.5}`:                       "fraction",
		`{"sender_key":"` + key + `","user_id":"@a:b"}}`:                              "after the end",
	} {
		_, err := ParseMapping([]byte(mapping))
		assert.ErrorContains(t, err, want, mapping)
	}
}

func TestParseMappingKeepsTheText(t *testing.T) {
	text := []byte(`{ "user_id": "@a:b", "more": [], "sender_key": "` + string(GenerateKeyPair().Public) + `" }`)
	mapping, err := ParseMapping(text)
	require.NoError(t, err)
	assert.Equal(t, string(text), string(mapping.Raw))
	clear(text)
	assert.Contains(t, string(mapping.Raw), `"@a:b"`, "a copy")
}

func TestMappingOf(t *testing.T) {
	for event, want := range map[string]string{
		`{"content":{"mxid_mapping":{"a": 1}}}`:                     `{"a": 1}`,
		`{"content":{"mxid_mapping":null}}`:                         `null`,
		`{"content":{"mxid_mapping":{"a":1.5,"a":2}}, "depth":1e3}`: `{"a":1.5,"a":2}`,
	} {
		raw, ok := MappingOf([]byte(event))
		assert.True(t, ok, event)
		assert.Equal(t, want, string(raw), "unchanged")
	}
	for _, event := range []string{`{"content":{}}`, `{"mxid_mapping":{}}`, `{"content":null}`, `{"content":[]}`, `{}`, `[]`, `null`, ``, `{`} {
		raw, ok := MappingOf([]byte(event))
		assert.False(t, ok, event)
		assert.Nil(t, raw, event)
	}
}
