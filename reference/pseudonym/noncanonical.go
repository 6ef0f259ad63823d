package pseudonym

// This file decides which keys and signatures are valid, and which noncanonical ones are accepted too (signing/rejects-noncanonical).

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"msc4014/reference/identity"
)

// CheckKey refuses what is not a sender key: a base-64 encoded ed25519 public key, encoded the same way as other binary event
// data in Matrix (MSC4014, Proposal 1). That is unpadded standard base64, so a key has one spelling, and a ban or a power
// level of a key cannot be evaded by another. A key of small order belongs to nobody: anyone can make signatures that
// verify for any event.
func (r Rules) CheckKey(s string) error {
	key, err := identity.ParseSenderKey(string(r.oneSpelling(identity.SenderKey(s))))
	if err != nil {
		return err
	}
	return r.checkOrder(key)
}

// checkOrder refuses a key of small order.
func (r Rules) checkOrder(key ed25519.PublicKey) error {
	if identity.SmallOrder(key) && !r.takes("small-order-accepted") {
		return errors.New("sender key: it is a point of small order, for which anybody can sign")
	}
	return nil
}

// AnyMemberKey reports whether member events are accepted whatever their state key is: if odd keys may send events, they
// may be members, too.
func (r Rules) AnyMemberKey() bool {
	return r.takes("key-spelling-accepted") || r.takes("small-order-accepted")
}

// takes reports whether the reading accepts events with this oddity.
func (r Rules) takes(oddity Reading) bool {
	return r.Readings.NonCanonical == oddity || r.Readings.NonCanonical == "several-accepted"
}

// oneSpelling returns a key as it is, or in its canonical spelling if the reading accepts any spelling. Each is a
// member of its own, but a ban of one is a ban of all.
func (r Rules) oneSpelling(key identity.SenderKey) identity.SenderKey {
	if !r.takes("key-spelling-accepted") {
		return key
	}
	standard := strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(string(key))
	if raw, err := base64.RawStdEncoding.DecodeString(standard); err != nil || len(raw) != 32 {
		return key
	}
	return identity.SenderKey(standard)
}

// SameKey reports whether two sender keys are one, in any spelling that the reading accepts.
func (r Rules) SameKey(one, other string) bool {
	return r.oneSpelling(identity.SenderKey(one)) == r.oneSpelling(identity.SenderKey(other))
}

// groupOrder is the order L of the base point (RFC 8032, 5.1).
var groupOrder, _ = new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)

// oneSignature returns a signature, as JSON, as it is. If the reading accepts malleated signatures, its second half is
// reduced modulo the order of the base point, which turns a malleated signature back into the original.
func (r Rules) oneSignature(signature json.RawMessage) json.RawMessage {
	var text string
	if !r.takes("signature-accepted") || json.Unmarshal(signature, &text) != nil {
		return signature
	}
	raw, err := identity.DecodeBase64(text)
	if err != nil || len(raw) != ed25519.SignatureSize {
		return signature
	}
	half := slices.Clone(raw[32:]) // little-endian
	slices.Reverse(half)
	new(big.Int).Mod(new(big.Int).SetBytes(half), groupOrder).FillBytes(half)
	slices.Reverse(half)
	return json.RawMessage(strconv.Quote(identity.EncodeBase64(slices.Concat(raw[:32], half))))
}
