// Package identity has the names of those who act in a room: sender keys in pseudonymous rooms (MSC4014, Proposal 1), and
// user IDs elsewhere and in mappings.
//
// Every sender key has one spelling that is accepted, so that a member cannot appear as two.
package identity

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"io"

	"filippo.io/edwards25519"
)

// SenderKey is the public Ed25519 key of a user in a room, in unpadded base64, "encoded the same way as other binary
// event data in Matrix" (MSC4014, Proposal 1). ParseSenderKey tells whether it is one.
type SenderKey string

// ParseSenderKey returns the 32 bytes of a sender key. Only the canonical encoding of a point of the curve (RFC 8032,
// 5.1.2), in the one spelling that DecodeBase64 reads, is accepted. The key may be of small order: see SmallOrder.
func ParseSenderKey(text string) (ed25519.PublicKey, error) {
	raw, err := DecodeBase64(text)
	if err != nil {
		return nil, fmt.Errorf("reading a sender key: %w", err)
	}
	point, err := new(edwards25519.Point).SetBytes(raw)
	if err != nil {
		return nil, fmt.Errorf("reading sender key %.60q: it is not a point of the curve: %w", text, err)
	}
	if EncodeBase64(point.Bytes()) != text { // RFC 8032, 5.1.3: the coordinate must be reduced
		return nil, fmt.Errorf("reading sender key %.60q: its point is encoded otherwise", text)
	}
	return raw, nil
}

// SmallOrder reports whether a key is a point whose order divides the curve's cofactor, which is 8, in any encoding.
// Anyone can make signatures that verify under such a key.
func SmallOrder(key ed25519.PublicKey) bool {
	p, err := new(edwards25519.Point).SetBytes(key)
	if err != nil {
		return false
	}
	for range 3 {
		p.Add(p, p)
	}
	return p.Equal(edwards25519.NewIdentityPoint()) == 1
}

// KeyPair is a sender key and its private key, which stays on the server of the user (MSC4014, Proposal 1.2). It prints
// as the public key alone.
type KeyPair struct {
	Public  SenderKey
	Private ed25519.PrivateKey
}

// GenerateKeyPair returns a new key pair.
func GenerateKeyPair() KeyPair {
	seed := make([]byte, ed25519.SeedSize)
	_, _ = rand.Read(seed) // it does not fail: without randomness it ends the program
	return KeyPairOf(ed25519.NewKeyFromSeed(seed))
}

// KeyPairOf returns a private key with its sender key. The key must have 64 bytes.
func KeyPairOf(private ed25519.PrivateKey) KeyPair {
	public := private[ed25519.SeedSize:] // RFC 8032 calls the first half the private key; crypto/ed25519 appends the public one
	return KeyPair{SenderKey(EncodeBase64(public)), private}
}

// Format writes the public key, whatever the verb.
func (k KeyPair) Format(to fmt.State, _ rune) {
	_, _ = io.WriteString(to, "key pair of "+string(k.Public))
}
