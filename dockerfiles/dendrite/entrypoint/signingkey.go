// The server's signing key, which never changes.

package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"msc4014/dockerfiles/internal/contract"
)

// keepSigningKey creates the server's signing key unless there is one: other servers cache it by its key ID, so it must never
// change. The format is Dendrite's: PEM with the seed of an Ed25519 key and its key ID in a header.
func keepSigningKey(path string) error {
	switch data, err := os.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		if block, _ := pem.Decode(data); block == nil || block.Type != "MATRIX PRIVATE KEY" || len(block.Bytes) != ed25519.SeedSize {
			return fmt.Errorf("%s is not a signing key, and is not overwritten", path)
		}
		return nil
	}
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return err
	}
	var identifier [3]byte
	if _, err := rand.Read(identifier[:]); err != nil {
		return err
	}
	var text bytes.Buffer
	err := pem.Encode(&text, &pem.Block{
		Type:    "MATRIX PRIVATE KEY",
		Headers: map[string]string{"Key-ID": "ed25519:" + hex.EncodeToString(identifier[:])},
		Bytes:   seed,
	})
	if err != nil {
		return err
	}
	return contract.WriteWhole(path, text.Bytes())
}
