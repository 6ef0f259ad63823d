// This file implements sender keys: Ed25519 public keys, one for each user in each room (MSC4014, "Proposal").

package pseudoid

import (
	"bytes"
	"crypto/ed25519"
	"fmt"

	"filippo.io/edwards25519"
)

// SenderKey is an Ed25519 public key as in events: unpadded standard base64 of 32 bytes.
type SenderKey string

// SenderKeyOf returns a public key as a sender key.
func SenderKeyOf(public ed25519.PublicKey) SenderKey { return SenderKey(EncodeBase64(public)) }

// KeyPair is a sender key with its private key. Printing it shows only the public key.
type KeyPair struct {
	Public  SenderKey
	Private ed25519.PrivateKey
}

// GenerateKeyPair generates a key pair.
func GenerateKeyPair() KeyPair {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		panic("pseudoid: the system's random source failed: " + err.Error()) // crypto/rand ends the program before this
	}
	return KeyPairOf(private)
}

// KeyPairOf returns the key pair of a private key.
func KeyPairOf(private ed25519.PrivateKey) KeyPair {
	return KeyPair{Public: SenderKeyOf(private.Public().(ed25519.PublicKey)), Private: private}
}

// Format prints the public key, whatever the verb.
func (k KeyPair) Format(state fmt.State, _ rune) { fmt.Fprintf(state, "sender key %s", k.Public) }

// ParseSenderKey decodes a sender key. It returns an error unless s is unpadded standard base64 (with leftover bits of zero) of
// exactly 32 bytes that are the canonical encoding of a point of the curve (RFC 8032, 5.1.3). It accepts points of small order; see
// SmallOrder.
func ParseSenderKey(s string) (ed25519.PublicKey, error) {
	key, err := DecodeBase64(s)
	if err != nil {
		return nil, fmt.Errorf("sender key: %w", err)
	}
	if len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("sender key %s: it has %d bytes, an Ed25519 key has %d", quote(s), len(key), ed25519.PublicKeySize)
	}
	point, err := new(edwards25519.Point).SetBytes(key)
	if err != nil {
		return nil, fmt.Errorf("sender key %s: it is not a point of the curve", quote(s))
	}
	if !bytes.Equal(point.Bytes(), key) { // SetBytes also accepts other encodings of a point
		return nil, fmt.Errorf("sender key %s: it is not the canonical encoding of its point", quote(s))
	}
	return key, nil
}

// SmallOrder reports whether a public key is one of the eight points of small order, in any encoding. Such a key has signatures that
// verify for any message.
func SmallOrder(key ed25519.PublicKey) bool {
	point, err := new(edwards25519.Point).SetBytes(key)
	if err != nil {
		return false
	}
	return new(edwards25519.Point).MultByCofactor(point).Equal(edwards25519.NewIdentityPoint()) == 1
}
