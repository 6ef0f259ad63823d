package verify

// A signature of results.json, and with it of the digests in it, by a key of whoever publishes the results.

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"msc4014/report"
)

// signature is the file beside results.json.
type signature struct {
	Algorithm string `json:"algorithm"` // "ed25519"
	PublicKey string `json:"public_key"`
	Signature string `json:"signature"` // of results.json as it is; both in base64
}

const algorithm = "ed25519"

// ErrSignature is the error of CheckSignature for a signature that is not one of results.json.
var ErrSignature = errors.New("the signature of " + report.ResultsFile + " is not valid")

// Sign signs results.json in a folder with a private key: PKCS #8 in PEM, as "openssl genpkey -algorithm ed25519" writes it.
func Sign(folder, keyFile string) error {
	text, err := os.ReadFile(keyFile)
	if err != nil {
		return fmt.Errorf("cannot read the key: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return fmt.Errorf("%s is not a key in PEM; openssl genpkey -algorithm ed25519 makes one", keyFile)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	key, ok := parsed.(ed25519.PrivateKey)
	if err != nil || !ok {
		return fmt.Errorf("%s is not a private Ed25519 key; openssl genpkey -algorithm ed25519 makes one", keyFile)
	}
	data, err := os.ReadFile(filepath.Join(folder, report.ResultsFile))
	if err != nil {
		return fmt.Errorf("cannot sign: %w", err)
	}
	public, _ := key.Public().(ed25519.PublicKey)
	encoded, err := json.MarshalIndent(signature{
		Algorithm: algorithm, PublicKey: base64.StdEncoding.EncodeToString(public), Signature: base64.StdEncoding.EncodeToString(ed25519.Sign(key, data)),
	}, "", "  ")
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(folder, report.SignatureFile), append(encoded, '\n'), 0o644); err != nil {
		return fmt.Errorf("cannot write the signature: %w", err)
	}
	return nil
}

// ParseKey returns the public Ed25519 key that a text has in base64.
func ParseKey(text string) (ed25519.PublicKey, error) {
	key, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(key) != ed25519.PublicKeySize {
		return nil, fmt.Errorf("%q is not a public Ed25519 key in base64; verify tells the key of signed results", text)
	}
	return key, nil
}

// CheckSignature returns the public key that signed results.json in a folder; nil if nothing did.
func CheckSignature(folder string) (ed25519.PublicKey, error) {
	text, err := os.ReadFile(filepath.Join(folder, report.SignatureFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot read the signature: %w", err)
	}
	var read signature
	if err := json.Unmarshal(text, &read); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrSignature, report.SignatureFile, err)
	}
	data, err := os.ReadFile(filepath.Join(folder, report.ResultsFile))
	if err != nil {
		return nil, fmt.Errorf("cannot check the signature: %w", err)
	}
	key, err := ParseKey(read.PublicKey)
	made, err2 := base64.StdEncoding.DecodeString(read.Signature)
	if err != nil || err2 != nil || read.Algorithm != algorithm || !ed25519.Verify(key, data, made) {
		return nil, ErrSignature
	}
	return key, nil
}
