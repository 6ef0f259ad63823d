// Package differential compares the oracle (helpers/pseudoid) with the reference's own crypto (reference/pdu and
// reference/identity). They are written independently of each other, so a
// mistake of one shows where they differ. The oracle is compared with gomatrixserverlib in its own tests.
//
// The fuzz targets run on their seeds as ordinary tests; one runs longer with
//
//	go test ./internal/differential -run '^$' -fuzz '^FuzzMadeEvents$' -fuzztime 60s -fuzzminimizetime 10x
//
// They differ on purpose in this: the reference refuses to sign under an entity or key ID that is not UTF-8, or with a
// private key of another length, where the oracle writes what is not JSON, or panics; it knows no room version 9; and in a
// new mapping of a user ID that is not UTF-8, it replaces each wrong byte, and the oracle each run of them. No server has
// such names or keys, or asks for version 9. The errors have other texts.
package differential

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// formats are those that both have.
var formats = map[string]struct {
	oracle    pseudoid.Format
	reference pdu.Format
}{
	"10":             {pseudoid.FormatV10, pdu.FormatV10},
	"11":             {pseudoid.FormatV11, pdu.FormatV11},
	"msc4014":        {pseudoid.FormatMSC4014, pdu.FormatMSC4014},
	"msc4014-letter": {pseudoid.FormatMSC4014Letter, pdu.FormatMSC4014Letter},
	"dendrite":       {pseudoid.FormatDendrite, pdu.FormatDendrite},
	"msc4014-on-11":  {on11(pseudoid.FormatMSC4014), referenceOn11(pdu.FormatMSC4014)},
	"dendrite-on-11": {on11(pseudoid.FormatDendrite), referenceOn11(pdu.FormatDendrite)},
}

// on11 and referenceOn11 return the formats based on version 11.
func on11(format pseudoid.Format) pseudoid.Format {
	format.Base = pseudoid.FormatV11.Base
	return format
}

func referenceOn11(format pdu.Format) pdu.Format {
	format.Base = pdu.FormatV11.RoomVersion
	return format
}

// keyOf returns a private key that is always the same.
func keyOf(n byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{n}, ed25519.SeedSize))
}

func publicOf(key ed25519.PrivateKey) ed25519.PublicKey { return key.Public().(ed25519.PublicKey) }

// kind is what callers distinguish of an error.
func kind(err error) string {
	is := func(oracle, reference error) bool { return errors.Is(err, oracle) || errors.Is(err, reference) }
	switch {
	case err == nil:
		return "none"
	case is(pseudoid.ErrNoSignature, pdu.ErrNoSignature):
		return "no signature"
	case is(pseudoid.ErrBadSignature, pdu.ErrBadSignature):
		return "bad signature"
	case is(pseudoid.ErrContentHash, pdu.ErrContentHash):
		return "content hash"
	default:
		return "other"
	}
}

// requireSame compares what the two make of some text.
func requireSame[T ~string | ~[]byte](t *testing.T, what string, text []byte, oracle T, oracleErr error, reference T, referenceErr error) {
	t.Helper()
	require.Equal(t, kind(oracleErr), kind(referenceErr), "%s of %q: the oracle says %v, the reference %v", what, text, oracleErr, referenceErr)
	if oracleErr == nil {
		require.Equal(t, string(oracle), string(reference), "%s of %q", what, text)
	}
}

// requireSameKind is requireSame for functions that return only errors.
func requireSameKind(t *testing.T, what string, text []byte, oracle, reference error) {
	t.Helper()
	requireSame(t, what, text, "", oracle, "", reference)
}

// compareCanonicalJSON compares whether the two accept a text, and what they write.
func compareCanonicalJSON(t *testing.T, raw []byte) {
	t.Helper()
	oracle, oracleErr := pseudoid.CanonicalJSON(raw)
	reference, referenceErr := pdu.CanonicalJSON(raw)
	requireSame(t, "canonical JSON", raw, oracle, oracleErr, reference, referenceErr)
}

// compareEvent compares all that the two say of an event without knowing its keys.
func compareEvent(t *testing.T, raw []byte) {
	t.Helper()
	if event, err := pdu.Parse(raw, pdu.FormatMSC4014); err == nil {
		requireSameKind(t, "stated content hash", raw, pseudoid.CheckContentHash(raw), event.CheckContentHash())
	}
	for name, f := range formats {
		// The ID is a hash of the redacted event, and signatures are over it: they are the same only if redaction is.
		oracleID, oracleErr := pseudoid.EventID(raw, f.oracle)
		referenceID, referenceErr := pdu.ID(raw, f.reference)
		requireSame(t, name+": event ID", raw, oracleID, oracleErr, referenceID, referenceErr)
		require.Equal(t, f.oracle.Sender(raw), f.reference.Sender(raw), "%s: sender of %q", name, raw)

		oracle, oracleErr := pseudoid.SignEvent(raw, f.oracle, "one.test", "ed25519:a", keyOf(1))
		reference, referenceErr := pdu.Sign(raw, f.reference, "one.test", "ed25519:a", keyOf(1))
		requireSame(t, name+": signed event", raw, oracle, oracleErr, reference, referenceErr)
		if oracleErr == nil {
			require.NoError(t, pseudoid.VerifyEventSignature(reference, f.oracle, "one.test", "ed25519:a", publicOf(keyOf(1))))
			require.NoError(t, verified(oracle, f.oracle, "one.test", "ed25519:a", publicOf(keyOf(1))))
		}
		compareSenderSignature(t, name, raw)
	}
}

// verified returns what the reference says of a signature of an event. Such a signature is over what redaction keeps.
func verified(event []byte, f pseudoid.Format, entity, keyID string, key ed25519.PublicKey) error {
	redacted, err := pseudoid.Redact(event, f)
	if err != nil {
		return err
	}
	return pdu.VerifyJSON(redacted, entity, keyID, key)
}

// compareSenderSignature compares where the two find a valid signature by the event's sender key. The reference is asked only
// for those under an entity and a key ID.
func compareSenderSignature(t *testing.T, format string, raw []byte) {
	t.Helper()
	f := formats[format]
	found, err := pseudoid.VerifySenderSignature(raw, f.oracle)
	key, keyErr := identity.ParseSenderKey(f.reference.Sender(raw))
	if err == nil && found.KeyID != "" {
		require.NoError(t, keyErr, "%s: sender of %q", format, raw)
		require.NoError(t, verified(raw, f.oracle, found.Entity, found.KeyID, key), "%s: sender's signature of %q", format, raw)
	}
	if err == nil || keyErr != nil || !f.reference.Pseudonymous {
		return
	}
	for entity, signatures := range gjson.GetBytes(raw, "signatures").Map() {
		for keyID := range signatures.Map() {
			require.Error(t, verified(raw, f.oracle, entity, keyID, key), "%s: sender's signature of %q", format, raw)
		}
	}
}

func TestDeepTexts(t *testing.T) {
	for _, text := range deepTexts {
		compareCanonicalJSON(t, []byte(text))
		compareEvent(t, []byte(text))
	}
}

func TestDeliberateDifferences(t *testing.T) {
	_, err := pseudoid.Redact([]byte(`{"type":"x","content":{}}`), pseudoid.Format{RoomVersion: "9"})
	assert.NoError(t, err)
	_, err = pdu.ID([]byte(`{"type":"x","content":{}}`), pdu.Format{RoomVersion: "9"})
	assert.Error(t, err)

	signed, err := pseudoid.SignJSON([]byte(`{}`), "\xff", "k", keyOf(1))
	assert.NoError(t, err)
	_, err = pseudoid.CanonicalJSON(signed)
	assert.Error(t, err, "the oracle signed it, and does not read it")
	_, err = pdu.SignJSON([]byte(`{}`), "\xff", "k", keyOf(1))
	assert.Error(t, err)

	assert.NotEqual(t, string(pseudoid.NewMapping(pseudoid.DialectMSC4014, "", "\x80\x80")),
		string(pdu.UnsignedMapping(pdu.DialectMSC4014, "", "\x80\x80")))

	assert.Panics(t, func() { _, _ = pseudoid.SignJSON([]byte(`{}`), "e", "k", nil) })
	_, err = pdu.SignJSON([]byte(`{}`), "e", "k", nil)
	assert.Error(t, err)
}
