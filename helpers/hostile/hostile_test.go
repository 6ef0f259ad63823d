package hostile_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/hostile"
	"msc4014/helpers/pseudoid"
)

// honest returns a valid join in a dialect.
func honest(t *testing.T, format pseudoid.Format) hostile.Honest {
	h := hostile.Honest{
		Format: format, Key: pseudoid.GenerateKeyPair(), Server: "peer.test", ServerKeyID: "ed25519:peer1",
		ServerKey: pseudoid.GenerateKeyPair().Private, UnderTest: "hs1.test",
	}
	mapping, err := pseudoid.SignMapping(pseudoid.NewMapping(format.Dialect, h.Key.Public, "@a:peer.test"), h.Server, h.ServerKeyID, h.ServerKey)
	require.NoError(t, err)
	event := `{"auth_events":["$a"],"content":{"membership":"join","mxid_mapping":` + string(mapping) + `},"depth":7,"origin_server_ts":1,` +
		`"prev_events":["$b"],"room_id":"!r:hs1.test","` + format.SenderField() + `":"` + string(h.Key.Public) + `","state_key":"` +
		string(h.Key.Public) + `","type":"m.room.member"}`
	entity := string(h.Key.Public)
	if format.Signature.ByServer {
		entity = h.Server
	}
	if keyID := format.Signature.KeyID; keyID == "" {
		h.Event, err = pseudoid.SignEventBare([]byte(event), format, entity, h.Key.Private)
	} else {
		h.Event, err = pseudoid.SignEvent([]byte(event), format, entity, keyID, h.Key.Private)
	}
	require.NoError(t, err)
	return h
}

var formats = map[string]pseudoid.Format{
	"msc4014": pseudoid.FormatMSC4014, "to the letter": pseudoid.FormatMSC4014Letter, "dendrite": pseudoid.FormatDendrite,
	"based on version 11": with(func(f *pseudoid.Format) { f.Base = "11" }),
	"bare signatures":     with(func(f *pseudoid.Format) { f.Signature.KeyID = "" }),
	"signed by a server":  with(func(f *pseudoid.Format) { f.Signature = pseudoid.SignaturePlace{ByServer: true, KeyID: "ed25519:k"} }),
}

// with is the format of the MSC with a change.
func with(change func(*pseudoid.Format)) pseudoid.Format {
	format := pseudoid.FormatMSC4014
	change(&format)
	return format
}

// TestForgeWithoutTwists: the forger and the oracle agree on mapping, hash, signature and event ID.
func TestForgeWithoutTwists(t *testing.T) {
	for name, format := range formats {
		t.Run(name, func(t *testing.T) {
			h := honest(t, format)
			forged := h.Forge(nil)
			assert.JSONEq(t, string(h.Event), string(forged.JSON))
			assert.Equal(t, string(h.Event), string(forged.JSON))
			require.NoError(t, pseudoid.CheckContentHash(forged.JSON))
			_, err := pseudoid.VerifySenderSignature(forged.JSON, format)
			require.NoError(t, err)
			id, err := pseudoid.EventID(forged.JSON, format)
			require.NoError(t, err)
			assert.Equal(t, id, forged.ID)
		})
	}
}

// TestInputsFollowFromTheSeed: the same seed gives the same inputs, another one others.
func TestInputsFollowFromTheSeed(t *testing.T) {
	assert.Equal(t, hostile.Describe(hostile.Inputs(7, 0, 100)), hostile.Describe(hostile.Inputs(7, 0, 100)))
	assert.NotEqual(t, hostile.Describe(hostile.Inputs(7, 0, 100)), hostile.Describe(hostile.Inputs(8, 0, 100)))
	assert.NotEqual(t, hostile.Describe(hostile.Inputs(7, 0, 100)), hostile.Describe(hostile.Inputs(7, 1, 100)))
	assert.Len(t, hostile.Inputs(7, 0, 100), 100)
	assert.Equal(t, hostile.Describe(hostile.Inputs(7, 0, 50)), hostile.Describe(hostile.Inputs(7, 0, 100)[:50]), "more are the same and more")
}

// TestEveryTwistChangesTheEvent: each input gives a different event, always the same one. With twists before signing, hash and
// signature are valid for the oracle if it can parse the event.
func TestEveryTwistChangesTheEvent(t *testing.T) {
	h := honest(t, pseudoid.FormatMSC4014)
	seen := map[string]string{}
	readable, signed := 0, 0
	for _, input := range hostile.Everything() {
		forged := h.Forge(input)
		assert.NotEqual(t, string(h.Event), string(forged.JSON), "%s", input)
		if len(forged.JSON) > 10_000 {
			continue // like smaller ones, but slow
		}
		assert.Equal(t, string(forged.JSON), string(h.Forge(input).JSON), "%s", input)
		if before, there := seen[input.String()]; there {
			assert.Equal(t, before, string(forged.JSON), "two inputs have the same description: %s", input)
		}
		seen[input.String()] = string(forged.JSON)
		if _, err := pseudoid.EventID(forged.JSON, h.Format); err != nil {
			continue
		}
		readable++
		if pseudoid.CheckContentHash(forged.JSON) == nil {
			if _, err := pseudoid.VerifySenderSignature(forged.JSON, h.Format); err == nil {
				signed++
			}
		}
	}
	t.Logf("%d inputs, %d that the oracle can read, %d with a right hash and signature", len(seen), readable, signed)
	assert.Greater(t, signed, len(seen)/4)
	assert.Greater(t, len(seen)-readable, 100, "some are not parseable")
}

// TestSmallOrderKeysSign: every message has a signature under a key of small order that crypto/ed25519 accepts.
func TestSmallOrderKeysSign(t *testing.T) {
	h := honest(t, pseudoid.FormatDendrite)
	var keys []hostile.Input
	for _, input := range hostile.Everything() {
		if strings.HasPrefix(input.String(), "the sender key in all places is a point of small order") {
			keys = append(keys, input)
		}
	}
	require.Len(t, keys, 8)
	for range 10 {
		h.Event = honest(t, pseudoid.FormatDendrite).Event // another message
		for _, input := range keys {
			forged := h.Forge(input)
			key, err := base64.RawStdEncoding.DecodeString(forged.Key)
			require.NoError(t, err)
			require.True(t, pseudoid.SmallOrder(key))
			signature := gjson.GetBytes(forged.JSON, "signatures").Map()[forged.Key].Map()[pseudoid.SenderKeyID].String()
			decoded, err := base64.RawStdEncoding.DecodeString(signature)
			require.NoError(t, err)
			redacted, err := pseudoid.Redact(forged.JSON, h.Format)
			require.NoError(t, err)
			message, err := pseudoid.CanonicalJSON([]byte(without(string(redacted))))
			require.NoError(t, err)
			assert.True(t, ed25519.Verify(key, message, decoded), "%s", input)
		}
	}
}

// without removes the signatures from a redacted event.
func without(redacted string) string {
	value := gjson.Get(redacted, "signatures")
	return redacted[:value.Index-len(`"signatures":`)] + redacted[value.Index+len(value.Raw)+1:]
}

// TestSmaller: shrinking ends, and each step has less.
func TestSmaller(t *testing.T) {
	for _, input := range append(hostile.Everything(), hostile.Inputs(3, 0, 300)...) {
		for steps := 0; len(input.Smaller()) > 0; steps++ {
			require.Less(t, steps, 20, "%s", input)
			input = input.Smaller()[len(input.Smaller())-1]
		}
		assert.Len(t, input, 1)
	}
}

// TestDocuments: without twists a document is what its JSON says, and each member and its name are changed by some input.
func TestDocuments(t *testing.T) {
	document := hostile.Document{Name: "a greeting", JSON: `{"to":{"{user}":{"at":1}},"words":["x"]}`, Around: `{"content":[{document}]}`}
	assert.Equal(t, `{"content":[{"to":{"@a:b":{"at":1}},"words":["x"]}]}`, string(document.Write(nil, "{user}", "@a:b")))
	assert.Equal(t, "a=%40a%3Ab&b=1", (&hostile.Document{JSON: `{"a":"{user}","b":1}`}).Query(nil, "{user}", "@a:b"))

	inputs := hostile.DocumentInputs([]hostile.Document{document, {Name: "another", JSON: `{"x":"{user}"}`}}, 7, 0, 400)
	again := hostile.DocumentInputs([]hostile.Document{document, {Name: "another", JSON: `{"x":"{user}"}`}}, 7, 0, 400)
	assert.True(t, hostile.Describe(inputs) == hostile.Describe(again), "the same seed gives the same inputs")
	assert.Len(t, inputs, 400)
	all := hostile.Describe(inputs)
	for _, twist := range []string{
		"to of a greeting is ", "to.{user}.at of a greeting is ", "to.{user} of a greeting is named the sender key of a member",
		"words of a greeting is named ", "x of another is a sender key with a sigil", " is missing", " is duplicated",
	} {
		assert.True(t, strings.Contains(all, twist), twist)
	}
	changed := 0
	for i, input := range inputs {
		assert.Equal(t, []string{"a greeting", "another"}[i%2], input.Document().Name)
		if string(input.Document().Write(input)) != string(input.Document().Write(nil)) {
			changed++
		}
	}
	assert.Greater(t, changed, 390, "of 400 inputs")
}
