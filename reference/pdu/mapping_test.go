package pdu

import (
	"crypto/ed25519"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
)

const someKey = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"

func TestParseMapping(t *testing.T) {
	for dialect, field := range map[Dialect]string{DialectMSC4014: "sender_key", DialectDendrite: "user_room_key"} {
		raw := UnsignedMapping(dialect, someKey, "@alice:one.test")
		assert.JSONEq(t, `{"`+field+`":"`+someKey+`","user_id":"@alice:one.test"}`, string(raw))
		want := Mapping{dialect, someKey, "@alice:one.test", raw}
		got, err := ParseMapping(raw)
		require.NoError(t, err)
		assert.Equal(t, want, got)

		want.Raw = []byte(` {"room_id":"!r", "user_id":"\u0040alice:one.test","` + field + `":"` + someKey + `","signatures":7}`)
		got, err = ParseMapping(want.Raw)
		require.NoError(t, err)
		assert.Equal(t, want, got, "with more fields")
	}
	for _, raw := range []string{
		``, `null`, `[]`, `"x"`, `{}`,
		`{"user_id":"@alice:one.test"}`,
		`{"sender_key":"` + someKey + `"}`,
		`{"sender_key":"` + someKey + `","user_id":1}`,
		`{"sender_key":"` + someKey + `","user_id":"alice"}`,
		`{"sender_key":null,"user_id":"@alice:one.test"}`,
		`{"sender_key":"` + someKey + `=","user_id":"@alice:one.test"}`,
		`{"Sender_key":"` + someKey + `","user_id":"@alice:one.test"}`,
		`{"sender_key":"` + someKey + `","user_room_key":"` + someKey + `","user_id":"@alice:one.test"}`,
		`{"sender_key":"` + someKey + `","user_id":"@alice:one.test","user_id":"@alice:one.test"}`,
		`{"sender_key":"` + someKey + `","user_id":"@alice:one.test","age":1.5}`,
		`{"sender_key":"` + someKey + `","user_id":"@alice:one.test"}x`,
	} {
		_, err := ParseMapping([]byte(raw))
		assert.Error(t, err, raw)
	}
}

func TestVerifyMapping(t *testing.T) {
	domain, other := identity.GenerateKeyPair().Private, identity.GenerateKeyPair().Private
	errUnknown := errors.New("unknown")
	asked := 0
	keys := func(server, keyID string) (ed25519.PublicKey, error) {
		asked++
		if server != "one.test" || keyID != "ed25519:a" {
			return nil, errUnknown
		}
		return domain.Public().(ed25519.PublicKey), nil
	}
	unsigned := UnsignedMapping(DialectMSC4014, someKey, "@alice:one.test")
	signed := func(raw []byte, server, keyID string, key ed25519.PrivateKey) []byte {
		signed, err := SignJSON(raw, server, keyID, key)
		require.NoError(t, err)
		return signed
	}
	verify := func(raw []byte) error {
		m, err := ParseMapping(raw)
		require.NoError(t, err)
		return VerifyMapping(m, keys)
	}
	good := signed(unsigned, "one.test", "ed25519:a", domain)
	assert.NoError(t, verify(good))
	assert.NoError(t, verify(signed(signed(good, "one.test", "ed25519:0", other), "two.test", "ed25519:a", other)), "one is enough")

	assert.ErrorIs(t, verify(unsigned), ErrNoSignature)
	assert.ErrorIs(t, verify(signed(unsigned, "two.test", "ed25519:a", other)), ErrNoSignature)
	assert.ErrorIs(t, verify(signed(unsigned, "one.test", "ed25519:a", other)), ErrBadSignature)
	assert.ErrorIs(t, verify([]byte(strings.Replace(string(good), "@alice", "@mallory", 1))), ErrBadSignature)
	assert.ErrorIs(t, verify(signed(unsigned, "one.test", "ed25519:b", domain)), errUnknown)
	both := verify(signed(signed(unsigned, "one.test", "ed25519:b", domain), "one.test", "ed25519:a", other))
	assert.ErrorIs(t, both, errUnknown)
	assert.ErrorIs(t, both, ErrBadSignature)

	asked = 0
	assert.ErrorIs(t, verify(signed(unsigned, "one.test", "rsa:a", domain)), ErrBadSignature)
	assert.Zero(t, asked, "for a key of an unknown algorithm")
	for _, signatures := range []string{`7`, `null`, `{"one.test":7}`, `{"one.test":null}`} {
		err := verify([]byte(strings.Replace(string(unsigned), "{", `{"signatures":`+signatures+`,`, 1)))
		assert.Error(t, err, signatures)
		assert.NotErrorIs(t, err, ErrNoSignature, signatures)
	}
}
