package rooms

// This file verifies the sender of an event from another server: with pseudonym.CheckSender, unless a reading of
// signing/rejects-noncanonical accepts more.

import (
	"encoding/base64"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
)

// checkSender verifies that an event is signed by its own sender key, without network requests (MSC4014, Proposal 2).
func (r *Room) checkSender(event []byte, sender pseudoid.SenderKey) error {
	err := r.rooms.Pseudonym.CheckSender(event)
	if canonical := oneSpelling(sender); canonical != sender && r.takesAnySpelling() {
		err = r.rooms.Pseudonym.CheckSignedBy(event, canonical)
	}
	return err
}

// oddSender returns the sender of an event if it is a noncanonical key that the reading accepts.
func (r *Room) oddSender(event []byte) (sender pseudoid.SenderKey, is bool) {
	written := gjson.GetBytes(event, r.format.SenderField()).String()
	sender = pseudoid.SenderKey(written)
	switch {
	case r.takesAnySpelling() && oneSpelling(sender) != sender:
		return sender, true
	case r.rooms.Pseudonym.Takes("small-order-accepted"):
		key, err := pseudoid.ParseSenderKey(written)
		return sender, err == nil && pseudoid.SmallOrder(key)
	}
	return "", false
}

// takesAnySpelling reports whether any spelling of a key is accepted, as a key of its own.
func (r *Room) takesAnySpelling() bool {
	return r.rooms.Pseudonym.Takes("key-spelling-accepted")
}

// oneSpelling returns the canonical spelling of a key.
func oneSpelling(key pseudoid.SenderKey) pseudoid.SenderKey {
	standard := strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(string(key))
	if raw, err := base64.RawStdEncoding.DecodeString(standard); err != nil || len(raw) != 32 {
		return key
	}
	return pseudoid.SenderKey(standard)
}
