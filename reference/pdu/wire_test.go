package pdu

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
)

var formats = map[string]Format{
	"10": FormatV10, "11": FormatV11, "msc4014": FormatMSC4014, "letter": FormatMSC4014Letter, "dendrite": FormatDendrite,
}

// keyOf returns a key pair that is always the same.
func keyOf(n byte) identity.KeyPair {
	return identity.KeyPairOf(ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize)))
}

func publicOf(key identity.KeyPair) ed25519.PublicKey {
	return key.Private.Public().(ed25519.PublicKey)
}

// specificationKey returns the key of the appendix "Cryptographic Test Vectors", whose base64 DecodeBase64 refuses.
func specificationKey(t *testing.T) identity.KeyPair {
	seed, err := base64.RawStdEncoding.DecodeString("YJDBA9Xnr2sVqXD9Vj7XVUnmFZcZrlw8Md7kMW+3XA1")
	require.NoError(t, err)
	return identity.KeyPairOf(ed25519.NewKeyFromSeed(seed))
}

func TestVectorsOfTheSpecification(t *testing.T) {
	key := specificationKey(t)
	for object, want := range map[string]string{
		`{}`: `{"signatures":{"domain":{"ed25519:1":"K8280/U9SSy9IVtjBuVeLr+HpOB4BQFWbg+UZaADMtTdGYI7Geitb76LTrr5QV/7Xg4ahLwYGYZzuHGZKM5ZAQ"}}}`,
		`{"one": 1, "two": "Two"}`: `{"one":1,"signatures":{"domain":{"ed25519:1":"` +
			`KqmLSbO39/Bzb0QIYE82zqLwsA+PDzYIpIRA2sRQ4sL53+sN6/fpNSoqE7BP7vBZhG6kYdD13EIMJpvhJI+6Bw"}},"two":"Two"}`,
	} {
		signed, err := SignJSON([]byte(object), "domain", "ed25519:1", key.Private)
		require.NoError(t, err)
		assert.Equal(t, want, string(signed))
		assert.NoError(t, VerifyJSON(signed, "domain", "ed25519:1", publicOf(key)))
	}
	for event, want := range map[string]string{
		`{"room_id":"!x:domain","sender":"@a:domain","origin":"domain","origin_server_ts":1000000,"signatures":{},"hashes":{},
			"type":"X","content":{},"prev_events":[],"auth_events":[],"depth":3,"unsigned":{"age_ts":1000000}}`: `{"auth_events":[],"content":{},` +
			`"depth":3,"hashes":{"sha256":"5jM4wQpv6lnBo7CLIghJuHdW+s2CMBJPUOGOC89ncos"},"origin":"domain","origin_server_ts":1000000,` +
			`"prev_events":[],"room_id":"!x:domain","sender":"@a:domain","signatures":{"domain":{"ed25519:1":` +
			`"KxwGjPSDEtvnFgU00fwFz+l6d2pJM6XBIaMEn81SXPTRl16AqLAYqfIReFGZlHi5KLjAWbOoMszkwsQma+lYAg"}},"type":"X","unsigned":{"age_ts":1000000}}`,
		`{"content":{"body":"Here is the message content"},"event_id":"$0:domain","origin":"domain","origin_server_ts":1000000,
			"type":"m.room.message","room_id":"!r:domain","sender":"@u:domain","signatures":{},"unsigned":{"age_ts":1000000}}`: `{"content":{"body":` +
			`"Here is the message content"},"event_id":"$0:domain","hashes":{"sha256":"onLKD1bGljeBWQhWZ1kaP9SorVmRQNdN5aM2JYU2n/g"},` +
			`"origin":"domain","origin_server_ts":1000000,"room_id":"!r:domain","sender":"@u:domain","signatures":{"domain":{"ed25519:1":` +
			`"Wm+VzmOUOz08Ds+0NTWb1d4CZrVsJSikkeRxh6aCcUwu6pNC78FunoD7KNWzqFn241eYHYMGCA5McEiVPdhzBA"}},"type":"m.room.message",` +
			`"unsigned":{"age_ts":1000000}}`,
	} {
		signed, err := Sign([]byte(event), FormatV10, "domain", "ed25519:1", key.Private)
		require.NoError(t, err)
		assert.Equal(t, want, string(signed))
		assert.NoError(t, checkHash(signed))
		assert.NoError(t, verified(signed, FormatV10, "domain", "ed25519:1", publicOf(key)))
	}
}

func TestSender(t *testing.T) {
	const both = `{"sender_key":"key","sender":"\u0040user"}`
	for name, want := range map[string]string{"10": "@user", "11": "@user", "dendrite": "@user", "msc4014": "key", "letter": "key"} {
		assert.Equal(t, want, formats[name].Sender([]byte(both)), name)
	}
	for _, text := range []string{`{}`, `{"sender":1}`, `{"sender":null}`, `[]`, `null`, `{`, ``} {
		assert.Empty(t, FormatV10.Sender([]byte(text)))
	}
	assert.Equal(t, "last", FormatV10.Sender([]byte(`{"sender":"first","sender":"last","float":1.5}`)), "it is lenient")
	assert.Equal(t, "sender_key", DialectMSC4014.MappingKeyField())
	assert.Equal(t, "user_room_key", DialectDendrite.MappingKeyField())
}

// redactRaw returns what redaction keeps of an event.
func redactRaw(event []byte, f Format) ([]byte, error) {
	o, err := read(event, "an event")
	if err != nil {
		return nil, err
	}
	redacted, err := o.redact(f)
	return redacted.canonical(), err
}

// checkHash checks the content hash of an event.
func checkHash(event []byte) error {
	o, err := read(event, "an event")
	if err != nil {
		return err
	}
	return o.checkContentHash()
}

// redacted returns what redaction makes of an event.
func redacted(t *testing.T, f Format, event string) string {
	t.Helper()
	once, err := redactRaw([]byte(event), f)
	require.NoError(t, err)
	twice, err := redactRaw(once, f)
	require.NoError(t, err)
	assert.Equal(t, string(once), string(twice), "redacted twice")
	return string(once)
}

// Room versions 9 and 11, "Redactions": "the server must strip off any keys not in the following list".
func TestRedactStripsFields(t *testing.T) {
	v11 := strings.Fields("auth_events depth event_id hashes origin_server_ts prev_events room_id sender signatures state_key")
	v10 := append(strings.Fields("membership origin prev_state"), v11...)
	withKey := append(slices.DeleteFunc(slices.Clone(v10), func(field string) bool { return field == "sender" }), "sender_key")
	others := strings.Fields("age_ts unsigned redacts txn_id user_id Type SENDER prev_state_events mxid_mapping sender sender_key " +
		"membership origin prev_state third_party_invite creator")
	for name, fields := range map[string][]string{"10": v10, "11": v11, "dendrite": v10, "letter": v10, "msc4014": withKey} {
		event, want := object{"type": quoted("x"), "content": []byte(`{"body":1}`)}, object{"type": quoted("x"), "content": []byte(`{}`)}
		for _, field := range others {
			event[field] = quoted(field)
		}
		for _, field := range fields {
			event[field], want[field] = quoted(field), quoted(field)
		}
		assert.Equal(t, string(want.canonical()), redacted(t, formats[name], string(event.canonical())), name)
	}
}

func TestRedactStripsContent(t *testing.T) {
	const same = "same"
	for _, c := range []struct{ eventType, content, v10, v11 string }{
		{"m.room.member", `{"avatar_url":"a","join_authorised_via_users_server":"k","membership":"join","mxid_mapping":{},"reason":"r"}`,
			`{"join_authorised_via_users_server":"k","membership":"join"}`, same},
		{"m.room.member", `{"membership":"invite","third_party_invite":{"display_name":"d","signed":{"token":"t","x":[1]}}}`,
			`{"membership":"invite"}`, `{"membership":"invite","third_party_invite":{"signed":{"token":"t","x":[1]}}}`},
		{"m.room.member", `{"third_party_invite":{"display_name":"d"}}`, `{}`, `{"third_party_invite":{}}`},
		{"m.room.member", `{"third_party_invite":"no object","third_party_invite.signed":1,"signed":2}`, `{}`, same},
		{"m.room.create", `{"creator":"k","m.federate":true,"room_version":"11","*":1}`,
			`{"creator":"k"}`, `{"*":1,"creator":"k","m.federate":true,"room_version":"11"}`},
		{"m.room.join_rules", `{"allow":[{"type":"t"}],"deny":[],"join_rule":"restricted"}`, `{"allow":[{"type":"t"}],"join_rule":"restricted"}`, same},
		{"m.room.power_levels", `{"ban":1,"events":{"a":2},"events_default":3,"invite":4,"kick":5,"notifications":{"room":6},"redact":7,` +
			`"state_default":8,"users":{"k":9},"users_default":10}`,
			`{"ban":1,"events":{"a":2},"events_default":3,"kick":5,"redact":7,"state_default":8,"users":{"k":9},"users_default":10}`,
			`{"ban":1,"events":{"a":2},"events_default":3,"invite":4,"kick":5,"redact":7,"state_default":8,"users":{"k":9},"users_default":10}`},
		{"m.room.history_visibility", `{"history_visibility":"joined","x":1}`, `{"history_visibility":"joined"}`, same},
		{"m.room.redaction", `{"reason":"r","redacts":"$x"}`, `{}`, `{"redacts":"$x"}`},
		{"m.room.aliases", `{"aliases":[]}`, `{}`, same},
		{"m.room.name", `{"name":"x"}`, `{}`, same},
		{"M.ROOM.MEMBER", `{"membership":"join"}`, `{}`, same},
		{"", `{"membership":"join"}`, `{}`, same},
	} {
		if c.v11 == same {
			c.v11 = c.v10
		}
		for name, f := range formats {
			want := c.v10
			if name == "11" {
				want = c.v11
			}
			assert.Equal(t, `{"content":`+want+`,"type":"`+c.eventType+`"}`,
				redacted(t, f, `{"type":"`+c.eventType+`","content":`+c.content+`}`), "%s in %s", c.eventType, name)
		}
	}
}

func TestRedactRefuses(t *testing.T) {
	for _, event := range []string{
		`{"content":{}}`, `{"type":1,"content":{}}`, `{"type":null,"content":{}}`, `{"type":"x"}`, `{"type":"x","content":[]}`,
		`{"type":"x","content":null}`, `[]`, `"x"`, `null`, `{"type":"x","type":"x","content":{}}`, `{"type":"x","content":{"a":1.5}}`, `{`,
	} {
		_, err := redactRaw([]byte(event), FormatV10)
		assert.Error(t, err, event)
		_, err = ID([]byte(event), FormatV10)
		assert.Error(t, err, event)
		_, err = Sign([]byte(event), FormatV10, "one.test", "ed25519:a", keyOf(1).Private)
		assert.Error(t, err, event)
	}
	for _, version := range []string{"", "1", "9", "12"} {
		_, err := redactRaw([]byte(`{"type":"x","content":{}}`), Format{RoomVersion: version})
		assert.Error(t, err, version)
	}
}

// altered returns an event with another value under a key, or without the key if the value is "".
func altered(t *testing.T, event []byte, key, value string) []byte {
	t.Helper()
	o, err := read(event, "an event")
	require.NoError(t, err)
	if value == "" {
		return o.without(key).canonical()
	}
	return o.with(key, []byte(value)).canonical()
}

// signedMember returns memberEvent in a format, signed by its sender, which is keyOf(1).
func signedMember(t *testing.T, f Format, entity, keyID string) []byte {
	t.Helper()
	event := altered(t, []byte(memberEvent), "sender_key", "")
	event = altered(t, event, "hashes", "")
	event = altered(t, event, f.SenderField(), string(quoted(string(keyOf(1).Public))))
	signed, err := Sign(event, f, entity, keyID, keyOf(1).Private)
	require.NoError(t, err)
	return signed
}

// verified verifies a signature of an event: one of what redaction keeps.
func verified(event []byte, f Format, entity, keyID string, key ed25519.PublicKey) error {
	redacted, err := redactRaw(event, f)
	if err != nil {
		return err
	}
	return VerifyJSON(redacted, entity, keyID, key)
}

func TestHashesCover(t *testing.T) {
	for name, f := range formats {
		signed := signedMember(t, f, "one.test", "ed25519:a")
		o, err := read(signed, "the event")
		require.NoError(t, err)
		assert.Contains(t, string(signed), `"hashes":{"sha256":"`+o.contentHash()+`"}`)
		id, err := ID(signed, f)
		require.NoError(t, err)
		assert.Regexp(t, `^\$[A-Za-z0-9_-]{43}$`, id)
		redacted, err := redactRaw(signed, f)
		require.NoError(t, err)
		assert.ErrorIs(t, checkHash(redacted), ErrContentHash)
		for _, c := range []struct {
			key, value       string
			content, changed bool // whether the content hash still matches, and whether the event has another ID
		}{
			{"unsigned", `{"age":2}`, true, false},
			{"unsigned", ``, true, false},
			{"signatures", `{}`, true, false},
			{"hashes", `{"sha256":"` + strings.Repeat("A", 43) + `"}`, false, true},
			{"depth", `8`, false, true},
			{"content", `{"membership":"join"}`, false, false},
			{"content", `{"membership":"leave"}`, false, true},
			{"state_key", `""`, false, true},
			{"origin", `"x"`, false, name != "11"},
			{"redacts", `"$x"`, false, false},
			{"sender_key", `"x"`, false, name == "msc4014"},
			{"sender", `"x"`, false, name != "msc4014"},
		} {
			event := altered(t, signed, c.key, c.value)
			got, err := ID(event, f)
			require.NoError(t, err)
			assert.Equal(t, c.changed, id != got, "%s: %s %s", name, c.key, c.value)
			assert.Equal(t, c.content, checkHash(event) == nil, "%s: %s %s", name, c.key, c.value)
			if !c.content {
				assert.ErrorIs(t, checkHash(event), ErrContentHash)
			}
		}
		ofRedacted, err := ID(redacted, f)
		require.NoError(t, err)
		assert.Equal(t, id, ofRedacted)
	}
}

func TestCheckContentHashNeedsAHash(t *testing.T) {
	signed := signedMember(t, FormatMSC4014, "e", "k")
	o, err := read(signed, "an event")
	require.NoError(t, err)
	hash, _ := o.child("hashes").lookupText("sha256")
	for _, hashes := range []string{
		``, `null`, `[]`, `{}`, `{"sha256":1}`, `{"sha256":"` + hash + `="}`, `{"sha256":"` + hash + `\n"}`,
		`{"sha256":"` + base64.RawURLEncoding.EncodeToString([]byte("\xff\xff\xff")) + `"}`,
	} {
		err := checkHash(altered(t, signed, "hashes", hashes))
		assert.Error(t, err, hashes)
		assert.NotErrorIs(t, err, ErrContentHash, hashes)
	}
	assert.ErrorIs(t, checkHash(altered(t, signed, "hashes", `{"sha256":""}`)), ErrContentHash)
	assert.NoError(t, checkHash(altered(t, signed, "hashes", `{"sha256":"`+hash+`","sha512":1}`)))
	assert.Error(t, checkHash([]byte(`{"hashes":{},"hashes":{}}`)))
}

func TestSignKeepsWhatIsThere(t *testing.T) {
	event := []byte(`{"type":"x","content":{},"hashes":{"sha256":"wrong","other":1},"signatures":{"K":"bare","one.test":{"ed25519:b":7}},"unsigned":{"a":1}}`)
	signed, err := Sign(event, FormatV10, "one.test", "ed25519:a", keyOf(1).Private)
	require.NoError(t, err)
	o, err := read(signed, "an event")
	require.NoError(t, err)
	assert.Equal(t, `{"other":1,"sha256":"wrong"}`, string(o["hashes"]))
	assert.Equal(t, `{"a":1}`, string(o["unsigned"]))
	signatures := o.child("signatures")
	assert.Equal(t, `"bare"`, string(signatures["K"]))
	assert.Equal(t, "7", string(signatures.child("one.test")["ed25519:b"]))
	assert.NoError(t, verified(signed, FormatV10, "one.test", "ed25519:a", publicOf(keyOf(1))))

	again, err := Sign(signed, FormatV10, "one.test", "ed25519:a", keyOf(2).Private)
	require.NoError(t, err)
	assert.NoError(t, verified(again, FormatV10, "one.test", "ed25519:a", publicOf(keyOf(2))))
	assert.ErrorIs(t, verified(again, FormatV10, "one.test", "ed25519:a", publicOf(keyOf(1))), ErrBadSignature)

	for _, event := range []string{
		`{"type":"x","content":{},"hashes":[]}`, `{"type":"x","content":{},"signatures":null}`, `{"type":"x","content":{},"signatures":{"one.test":"x"}}`,
	} {
		_, err := Sign([]byte(event), FormatV10, "one.test", "ed25519:a", keyOf(1).Private)
		assert.Error(t, err, event)
	}
	for _, name := range [][2]string{{"\xff", "ed25519:a"}, {"one.test", "\xff"}, {"\xe2\x80", "\xa8"}} {
		_, err = SignJSON([]byte(`{}`), name[0], name[1], keyOf(1).Private)
		assert.Error(t, err)
	}
	_, err = SignJSON([]byte(`{}`), "one.test", "ed25519:a", nil)
	assert.Error(t, err)
}

func TestSignatureSurvivesRedaction(t *testing.T) {
	for name, f := range formats {
		signed := signedMember(t, f, "one.test", "ed25519:a")
		redacted, err := redactRaw(signed, f)
		require.NoError(t, err)
		public := publicOf(keyOf(1))
		assert.NoError(t, verified(signed, f, "one.test", "ed25519:a", public), name)
		assert.NoError(t, verified(redacted, f, "one.test", "ed25519:a", public), name)
		assert.NoError(t, verified(altered(t, signed, "content", `{"membership":"join"}`), f, "one.test", "ed25519:a", public), name)
		assert.ErrorIs(t, verified(altered(t, signed, "depth", `8`), f, "one.test", "ed25519:a", public), ErrBadSignature, name)
		assert.ErrorIs(t, verified(signed, f, "one.test", "ed25519:a", publicOf(keyOf(2))), ErrBadSignature, name)
		assert.ErrorIs(t, verified(signed, f, "one.test", "ed25519:b", public), ErrNoSignature, name)
		assert.ErrorIs(t, verified(signed, f, "two.test", "ed25519:a", public), ErrNoSignature, name)
	}
}

func TestVerifyJSONRefuses(t *testing.T) {
	key := keyOf(1)
	signature := ed25519.Sign(key.Private, []byte(`{"a":1}`))
	good := identity.EncodeBase64(signature)
	verify := func(signatures string) error {
		return VerifyJSON([]byte(`{"a":1,"signatures":`+signatures+`}`), "one.test", "ed25519:a", publicOf(key))
	}
	under := func(text string) string { return `{"one.test":{"ed25519:a":` + text + `}}` }
	require.NoError(t, verify(under(`"`+good+`"`)))
	require.NoError(t, verify(`{"one.test":{"ed25519:a":"`+good+`","ed25519:b":1},"two.test":"bare"}`), "others do not matter")

	for _, signatures := range []string{`{}`, `{"one.test":{}}`, `{"one.test":"` + good + `"}`, `{"one.test":{"ed25519:A":"` + good + `"}}`} {
		assert.ErrorIs(t, verify(signatures), ErrNoSignature, signatures)
	}
	for _, text := range []string{
		`1`, `null`, `[]`, `""`, `"x"`, `"` + good[:84] + `"`, `"` + good + `=="`, `"` + good + `\n"`, `"` + good + `AA"`,
		`"` + base64.RawURLEncoding.EncodeToString(signature) + ` "`, `"` + strings.Repeat("A", 86) + `"`,
		`"` + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{0xff}, 64)) + `"`,
	} {
		assert.ErrorIs(t, verify(under(text)), ErrBadSignature, text)
	}
	for _, signatures := range []string{`null`, `[]`, `"x"`, `{"a":1,"a":1}`} {
		err := verify(signatures)
		assert.Error(t, err, signatures)
		assert.NotErrorIs(t, err, ErrNoSignature, signatures)
		assert.NotErrorIs(t, err, ErrBadSignature, signatures)
	}
	err := VerifyJSON([]byte(`{"a":1,"signatures":`+under(`"`+good+`"`)+`}`), "one.test", "ed25519:a", nil)
	assert.ErrorContains(t, err, "0 bytes")
	assert.Error(t, VerifyJSON([]byte(`[]`), "one.test", "ed25519:a", publicOf(key)))
}
