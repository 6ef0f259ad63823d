package senderkey

import (
	"crypto/ed25519"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/pseudoid"
)

func TestDerivedKeysAreRecognised(t *testing.T) {
	known := map[string]string{"the user ID": "@a:b", "the room ID": "!c:b", "the server name": "b"}
	seed := sha256.Sum256([]byte("!c:b|@a:b"))
	derived := pseudoid.KeyPairOf(ed25519.NewKeyFromSeed(seed[:])).Public
	assert.Equal(t, `SHA-256 of the room ID, the user ID, joined by "|"`, derivedAs(string(derived), known))
	assert.Equal(t, `SHA-256 of the room ID, the user ID, joined by "|"`, derivedAs(pseudoid.EncodeBase64(seed[:]), known), "a key without a private part")
	assert.Empty(t, derivedAs(string(pseudoid.GenerateKeyPair().Public), known))
}
