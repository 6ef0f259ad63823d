package senderkey

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/pseudoid"
)

func TestDerivedKeysAreRecognised(t *testing.T) {
	known := map[string]string{"the user ID": "@a:b", "the room ID": "!c:b", "the server name": "b"}
	seed := sha256.Sum256([]byte("!c:b|@a:b"))
	derivation := func(key string) string {
		how, err := derivedAs(t.Context(), key, known)
		require.NoError(t, err)
		return how
	}
	derived := pseudoid.KeyPairOf(ed25519.NewKeyFromSeed(seed[:])).Public
	assert.Equal(t, `SHA-256 of the room ID, the user ID, joined by "|"`, derivation(string(derived)))
	assert.Equal(t, `SHA-256 of the room ID, the user ID, joined by "|"`, derivation(pseudoid.EncodeBase64(seed[:])), "a key without a private part")
	assert.Empty(t, derivation(string(pseudoid.GenerateKeyPair().Public)))
}

func TestDerivationsEndWithTheCheck(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := derivedAs(ctx, string(pseudoid.GenerateKeyPair().Public), map[string]string{"the user ID": "@a:b"})
	assert.ErrorIs(t, err, context.Canceled)
}
