package pdu

// This file signs and verifies JSON objects (appendices, "Signing JSON").

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/matrix-org/gomatrixserverlib"

	"msc4014/reference/identity"
)

var (
	// ErrNoSignature reports that nothing is signed under an entity and key ID.
	ErrNoSignature = errors.New("there is no such signature")

	// ErrBadSignature reports a signature that is malformed, of another key or over something else.
	ErrBadSignature = errors.New("the signature does not verify")
)

// SignJSON returns an object in canonical JSON with a signature by key under signatures.<entity>.<keyID>, in place of one
// that is there. It covers everything but signatures and unsigned.
func SignJSON(raw []byte, entity, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	o, err := read(raw, "the object to sign")
	if err != nil {
		return nil, err
	}
	return o.signedAs(o, entity, keyID, key)
}

// VerifyJSON returns an error unless an object has a valid signature by key under signatures.<entity>.<keyID>. It is
// ErrNoSignature or ErrBadSignature, or another one if it cannot be determined. A signature that is not in the one spelling of
// unpadded base64 is bad.
func VerifyJSON(raw []byte, entity, keyID string, key ed25519.PublicKey) error {
	o, err := read(raw, "the object to verify")
	if err != nil {
		return err
	}
	signatures, err := o.childOrEmpty("signatures")
	if err != nil {
		return fmt.Errorf("verifying: %w", err)
	}
	signature, ok := signatures.child(entity)[keyID]
	if !ok {
		return fmt.Errorf("%w under entity %.60q and key ID %.60q", ErrNoSignature, entity, keyID)
	}
	if err := o.verifySignature(signature, key); err != nil {
		return fmt.Errorf("verifying the signature under entity %.60q and key ID %.60q: %w", entity, keyID, err)
	}
	return nil
}

// signedAs returns the object with a signature over the same object in a form, which for an event is the redacted one.
func (o object) signedAs(form object, entity, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	signatures, err := o.childOrEmpty("signatures")
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	ofEntity, err := signatures.childOrEmpty(entity)
	if err != nil {
		return nil, fmt.Errorf("signing: among the signatures, %w", err)
	}
	if !utf8.ValidString(entity) || !utf8.ValidString(keyID) {
		return nil, fmt.Errorf("signing: entity %q or key ID %q is not UTF-8", entity, keyID)
	}
	signature, err := form.sign(key)
	if err != nil {
		return nil, fmt.Errorf("signing: %w", err)
	}
	ofEntity = ofEntity.with(keyID, quoted(signature))
	return o.with("signatures", signatures.with(entity, ofEntity.canonical()).canonical()).canonical(), nil
}

// aSigner and aKeyID are where gomatrixserverlib is told to put and to find signatures: wherever they stand in the
// object, it sees no others, which it would read too and refuse if they are not as it expects.
const aSigner, aKeyID = "signer", "ed25519:1"

// sign returns the signature of key over the object without signatures and unsigned, in unpadded base64.
func (o object) sign(key ed25519.PrivateKey) (string, error) {
	if len(key) != ed25519.PrivateKeySize {
		return "", fmt.Errorf("the key has %d bytes, not %d", len(key), ed25519.PrivateKeySize)
	}
	message := o.without("signatures", "unsigned")
	if message.libraryDeparts() {
		return identity.EncodeBase64(ed25519.Sign(key, message.canonical())), nil
	}
	signed, err := gomatrixserverlib.SignJSON(aSigner, aKeyID, key, message.canonical())
	if err != nil {
		return "", err
	}
	var result struct {
		Signatures map[string]map[string]string
	}
	err = json.Unmarshal(signed, &result)
	return result.Signatures[aSigner][aKeyID], err
}

// verifySignature verifies a signature as it stands in signatures over the object without signatures and unsigned.
func (o object) verifySignature(signature json.RawMessage, key ed25519.PublicKey) error {
	if len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("the key has %d bytes, not %d", len(key), ed25519.PublicKeySize)
	}
	text, ok := object{"": signature}.lookupText("")
	if !ok {
		return fmt.Errorf("%w: it is not a string", ErrBadSignature)
	}
	decoded, err := identity.DecodeBase64(text) // the library reads other spellings, too
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	message := o.without("signatures", "unsigned")
	if message.libraryDeparts() {
		if !ed25519.Verify(key, message.canonical(), decoded) {
			return ErrBadSignature
		}
		return nil
	}
	signatures := object{aSigner: object{aKeyID: signature}.canonical()}.canonical()
	if err := gomatrixserverlib.VerifyJSON(aSigner, aKeyID, key, message.with("signatures", signatures).canonical()); err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	return nil
}

// libraryDeparts reports whether gomatrixserverlib may sign or verify something else than the object's canonical JSON. It
// writes keys without their escapes; when it signs, it takes a field for signatures whatever its case; and for thousands
// of arrays inside each other it needs seconds.
func (o object) libraryDeparts() bool {
	for key := range o {
		if strings.EqualFold(key, "signatures") {
			return true
		}
	}
	text := o.canonical()
	return bytes.ContainsRune(text, '\\') || bytes.Count(text, []byte("["))+bytes.Count(text, []byte("{")) > 1000
}
