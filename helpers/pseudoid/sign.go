// This file signs and verifies JSON objects (Matrix specification, appendices, "Signing JSON").

package pseudoid

import (
	"crypto/ed25519"
	"errors"
	"fmt"
)

// The errors of a failed verification.
var (
	ErrNoSignature  = errors.New("no such signature")         // there is none under that entity and key ID
	ErrBadSignature = errors.New("signature does not verify") // it is by another key or over another message
)

// SignJSON returns the object, in canonical JSON, with a signature added: by key, under entity and keyID, over the canonical JSON of
// the object without signatures and unsigned. It replaces a signature under the same entity and key ID.
func SignJSON(object []byte, entity, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	v, err := parseObject(object, "the object to sign")
	if err != nil {
		return nil, err
	}
	signed, err := addSignature(v, entity, keyID, sign(v, key))
	if err != nil {
		return nil, err
	}
	return signed.canonical(), nil
}

// VerifyJSON returns an error unless the object has a valid signature of key under entity and keyID: ErrNoSignature, ErrBadSignature
// (also if its base64 is padded or URL-safe), or another one if the object is malformed.
func VerifyJSON(object []byte, entity, keyID string, key ed25519.PublicKey) error {
	v, err := parseObject(object, "the object to verify")
	if err != nil {
		return err
	}
	return verify(v, v, entity, keyID, key)
}

// signedBytes returns the message that signatures of the object sign.
func signedBytes(object value) []byte { return object.without("signatures", "unsigned").canonical() }

func sign(object value, key ed25519.PrivateKey) string {
	return EncodeBase64(ed25519.Sign(key, signedBytes(object)))
}

// addSignature returns the object with a signature added.
func addSignature(object value, entity, keyID, signature string) (value, error) {
	signatures, err := memberObject(object, "signatures")
	if err != nil {
		return value{}, fmt.Errorf("adding a signature: %w", err)
	}
	ofEntity, err := memberObject(signatures, entity)
	if err != nil {
		return value{}, fmt.Errorf("adding a signature: among the signatures, %w", err)
	}
	return object.with("signatures", signatures.with(entity, ofEntity.with(keyID, stringValue(signature)))), nil
}

// memberObject returns a member that is itself an object, or an empty object if it is absent.
func memberObject(object value, key string) (value, error) {
	v, ok := object.get(key)
	if !ok {
		return objectValue(), nil
	}
	if v.kind != kindObject {
		return value{}, fmt.Errorf("%s is %s, not an object", quote(key), v.describe())
	}
	return v, nil
}

// verify verifies a signature of object that is in the signatures of carrier.
func verify(carrier, object value, entity, keyID string, key ed25519.PublicKey) error {
	signatures, err := memberObject(carrier, "signatures")
	if err != nil {
		return fmt.Errorf("verifying a signature: %w", err)
	}
	ofEntity, ok := signatures.get(entity)
	if !ok {
		return fmt.Errorf("%w: nothing is signed by entity %s", ErrNoSignature, quote(entity))
	}
	signature, ok := ofEntity.get(keyID)
	if !ok {
		return fmt.Errorf("%w: entity %s has none under key ID %s", ErrNoSignature, quote(entity), quote(keyID))
	}
	if err := verifyText(signedBytes(object), signature, key); err != nil {
		return fmt.Errorf("signature of entity %s under key ID %s: %w", quote(entity), quote(keyID), err)
	}
	return nil
}

// verifyText verifies a signature of a message, given as the value in "signatures".
func verifyText(message []byte, signature value, key ed25519.PublicKey) error {
	if signature.kind != kindString {
		return fmt.Errorf("%w: it is %s, not a string", ErrBadSignature, signature.describe())
	}
	decoded, err := DecodeBase64(signature.text)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBadSignature, err)
	}
	if len(key) != ed25519.PublicKeySize { // ed25519.Verify would panic
		return fmt.Errorf("the key to verify with has %d bytes, an Ed25519 key has %d", len(key), ed25519.PublicKeySize)
	}
	if len(decoded) != ed25519.SignatureSize {
		return fmt.Errorf("%w: it has %d bytes, an Ed25519 signature has %d", ErrBadSignature, len(decoded), ed25519.SignatureSize)
	}
	if !ed25519.Verify(key, message, decoded) {
		return ErrBadSignature
	}
	return nil
}
