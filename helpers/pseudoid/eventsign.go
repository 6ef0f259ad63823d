// This file signs and verifies events like other JSON objects, but over the redacted event, so that a signature survives
// redaction (Matrix specification, server-server API, "Signing Events"; MSC4014: by the sender key).

package pseudoid

import (
	"crypto/ed25519"
	"errors"
	"fmt"
)

// SenderKeyID is the key ID of a sender key's signature in the deployed implementation. The proposal does not specify one.
const SenderKeyID = "ed25519:1"

// SignEvent returns the event, in canonical JSON, with a signature by key over the redacted event, under entity and keyID. It adds
// hashes.sha256 unless the event has one, right or wrong.
func SignEvent(event []byte, f Format, entity, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	v, err := hashed(event)
	if err != nil {
		return nil, err
	}
	return signEvent(v, f, entity, keyID, key)
}

// SignEventBare is SignEvent in MSC1228's form, in which the signature itself is the entity's value, without a key ID.
func SignEventBare(event []byte, f Format, entity string, key ed25519.PrivateKey) ([]byte, error) {
	v, err := hashed(event)
	if err != nil {
		return nil, err
	}
	redacted, err := redact(v, f)
	if err != nil {
		return nil, fmt.Errorf("signing an event: %w", err)
	}
	signatures, err := memberObject(v, "signatures")
	if err != nil {
		return nil, fmt.Errorf("signing an event: %w", err)
	}
	return v.with("signatures", signatures.with(entity, stringValue(sign(redacted, key)))).canonical(), nil
}

// hashed returns an event with hashes.sha256, which is added unless it is there, right or wrong.
func hashed(event []byte) (value, error) {
	v, err := parseObject(event, "the event to sign")
	if err != nil {
		return value{}, err
	}
	hashes, err := memberObject(v, "hashes")
	if err != nil {
		return value{}, fmt.Errorf("signing an event: %w", err)
	}
	if _, ok := hashes.get("sha256"); !ok {
		v = v.with("hashes", hashes.with("sha256", stringValue(contentHash(v))))
	}
	return v, nil
}

func signEvent(event value, f Format, entity, keyID string, key ed25519.PrivateKey) ([]byte, error) {
	redacted, err := redact(event, f)
	if err != nil {
		return nil, fmt.Errorf("signing an event: %w", err)
	}
	signed, err := addSignature(event, entity, keyID, sign(redacted, key))
	if err != nil {
		return nil, fmt.Errorf("signing an event: %w", err)
	}
	return signed.canonical(), nil
}

// VerifyEventSignature returns an error unless the event has a valid signature of key under entity and keyID, over its redacted form.
// Errors are those of VerifyJSON.
func VerifyEventSignature(event []byte, f Format, entity, keyID string, key ed25519.PublicKey) error {
	v, err := parseObject(event, "the event to verify")
	if err != nil {
		return err
	}
	redacted, err := redact(v, f)
	if err != nil {
		return fmt.Errorf("verifying an event: %w", err)
	}
	return verify(v, redacted, entity, keyID, key)
}

// SignatureLocation is the position of a signature in "signatures". KeyID is "" for MSC1228's bare form, in which the signature
// itself is the entity's value.
type SignatureLocation struct{ Entity, KeyID string }

// VerifySenderSignature returns the location of a valid signature of the event by its own sender key. The proposal does not specify
// it, so any entity and any key ID will do; those under the key itself as the entity, and there under "ed25519:1", come first. The
// error is ErrNoSignature if the event has no signatures, ErrBadSignature if none of them is by its sender key.
func VerifySenderSignature(event []byte, f Format) (SignatureLocation, error) {
	v, err := parseObject(event, "the event to verify")
	if err != nil {
		return SignatureLocation{}, err
	}
	if !f.Pseudonymous {
		return SignatureLocation{}, fmt.Errorf("room version %q is an ordinary one: server keys sign its events, not sender keys", f.RoomVersion)
	}
	sender, _ := v.get(f.SenderField())
	if sender.kind != kindString {
		return SignatureLocation{}, fmt.Errorf("verifying an event: its %q is missing or not a string", f.SenderField())
	}
	return verifyBy(v, f, f.SenderField(), sender.text)
}

// VerifyInvitedSignature is VerifySenderSignature for the key in the state key of an invite, with which the invited server signs it
// (MSC1228, "Sending invites").
func VerifyInvitedSignature(invite []byte, f Format) (SignatureLocation, error) {
	v, err := parseObject(invite, "the invite to verify")
	if err != nil {
		return SignatureLocation{}, err
	}
	invited, _ := v.get("state_key")
	if invited.kind != kindString {
		return SignatureLocation{}, errors.New("verifying an invite: its state key is missing or not a string")
	}
	return verifyBy(v, f, "state_key", invited.text)
}

// VerifySignatureBy is VerifySenderSignature for any sender key.
func VerifySignatureBy(event []byte, f Format, key SenderKey) (SignatureLocation, error) {
	v, err := parseObject(event, "the event to verify")
	if err != nil {
		return SignatureLocation{}, err
	}
	return verifyBy(v, f, "signer", string(key))
}

// verifyBy finds a valid signature of an event by the sender key in one of its fields.
func verifyBy(v value, f Format, field, sender string) (SignatureLocation, error) {
	key, err := ParseSenderKey(sender)
	if err != nil {
		return SignatureLocation{}, fmt.Errorf("verifying an event: its %q: %w", field, err)
	}
	redacted, err := redact(v, f)
	if err != nil {
		return SignatureLocation{}, fmt.Errorf("verifying an event: %w", err)
	}
	signatures, err := memberObject(v, "signatures")
	if err != nil {
		return SignatureLocation{}, fmt.Errorf("verifying an event: %w", err)
	}
	return findSignature(signatures, redacted, sender, key)
}

// findSignature finds a signature of key over object.
func findSignature(signatures, object value, sender string, key ed25519.PublicKey) (SignatureLocation, error) {
	message := signedBytes(object)
	var tried []SignatureLocation
	try := func(entity, keyID string, signature value) bool {
		tried = append(tried, SignatureLocation{entity, keyID})
		return verifyText(message, signature, key) == nil
	}
	if own, ok := signatures.get(sender); ok {
		if signature, ok := own.get(SenderKeyID); ok && try(sender, SenderKeyID, signature) {
			return SignatureLocation{sender, SenderKeyID}, nil
		}
	}
	ofSender, ofOthers := signatures.only(sender).members, signatures.without(sender).members
	for _, entity := range append(ofSender, ofOthers...) {
		if entity.value.kind == kindString && try(entity.key, "", entity.value) {
			return SignatureLocation{entity.key, ""}, nil
		}
		for _, signature := range entity.value.members {
			if try(entity.key, signature.key, signature.value) {
				return SignatureLocation{entity.key, signature.key}, nil
			}
		}
	}
	if len(tried) == 0 {
		return SignatureLocation{}, fmt.Errorf("verifying an event of sender key %s: %w: it has no signatures", sender, ErrNoSignature)
	}
	return SignatureLocation{}, fmt.Errorf("verifying an event of sender key %s: %w: it has signatures, the first by entity %s under key ID %s, and none of them is by that key",
		sender, ErrBadSignature, quote(tried[0].Entity), quote(tried[0].KeyID))
}
