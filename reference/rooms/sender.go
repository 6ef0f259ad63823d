package rooms

// This file verifies by whom an event of another server is sent. That is pseudonym.CheckSender, but for faults and for
// readings of signing/rejects-noncanonical.

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
	"msc4014/reference/fault"
)

// checkSender verifies that an event is signed by its own sender key, without asking anybody (MSC4014, Proposal 2). asked
// says that this server had asked for the event.
func (r *Room) checkSender(ctx context.Context, event []byte, sender pseudoid.SenderKey, asked bool) error {
	faults := r.rooms.Faults
	if faults.Has(fault.FurtherSignaturesLookedUp) {
		r.lookUpFurtherSignatures(event)
	}
	if faults.Has(fault.EventsNeedServerKeys) {
		if err := r.needServerKey(ctx, event, sender); err != nil {
			return err
		}
	}
	_, proven := r.directory.Proven(sender)
	switch {
	case faults.Has(fault.UnverifiedSendersRefused) && !proven && !asked && gjson.GetBytes(event, "type").String() != memberType:
		return fmt.Errorf("nobody knows whose key %s is", sender)
	case faults.Has(fault.EventSignaturesUnchecked), faults.Has(fault.FetchedSignaturesUnchecked) && asked:
		return nil
	case strings.HasPrefix(string(sender), "@"): // by fault.UserIDSendersTaken
		return nil
	}
	err := r.rooms.Pseudonym.CheckSender(event)
	if canonical := oneSpelling(sender); canonical != sender && r.takesAnySpelling() {
		err = r.rooms.Pseudonym.CheckSignedBy(event, canonical)
	}
	if err != nil && faults.Has(fault.UserIDSendersTaken) && gjson.GetBytes(event, r.format.SenderField()).String() != string(sender) {
		return nil
	}
	if err != nil && faults.Has(fault.ServerSignatureSuffices) && r.signedByServer(event) {
		return nil
	}
	return err
}

// oddSender returns who sent an event whose sender is not spelled as it must be, where a fault or a reading takes such
// events: the key behind a user ID, or the user ID of a member event; or a key in whatever spelling.
func (r *Room) oddSender(event []byte) (sender pseudoid.SenderKey, is bool) {
	written := gjson.GetBytes(event, r.format.SenderField()).String()
	if written == "" {
		written = gjson.GetBytes(event, "sender").String()
	}
	sender = pseudoid.SenderKey(written)
	switch {
	case strings.HasPrefix(written, "@") && r.rooms.Faults.Has(fault.UserIDSendersTaken):
		if key, known := r.directory.Key(written); known && gjson.GetBytes(event, "type").String() != memberType {
			return key, true
		}
		return sender, true
	case r.rooms.Faults.Has(fault.SenderFieldBelieved) && gjson.GetBytes(event, "sender").Exists():
		return sender, true
	case r.takesAnySpelling() && oneSpelling(sender) != sender:
		return sender, true
	case r.rooms.Pseudonym.Takes("small-order-accepted"):
		key, err := pseudoid.ParseSenderKey(written)
		return sender, err == nil && pseudoid.SmallOrder(key)
	}
	return "", false
}

// takesAnySpelling tells whether each spelling of a key is taken, for a key of its own.
func (r *Room) takesAnySpelling() bool {
	return r.rooms.Faults.Has(fault.KeysInAnySpelling) || r.rooms.Pseudonym.Takes("key-spelling-accepted")
}

// oneSpelling returns a key as it is spelled in events.
func oneSpelling(key pseudoid.SenderKey) pseudoid.SenderKey {
	standard := strings.NewReplacer("-", "+", "_", "/", "=", "").Replace(string(key))
	if raw, err := base64.RawStdEncoding.DecodeString(standard); err != nil || len(raw) != 32 {
		return key
	}
	return pseudoid.SenderKey(standard)
}

// lookUpFurtherSignatures asks every server that an event has a signature of for its keys, whatever they are.
func (r *Room) lookUpFurtherSignatures(event []byte) {
	for entity, signatures := range gjson.GetBytes(event, "signatures").Map() {
		if _, err := pseudoid.ParseSenderKey(entity); err == nil {
			continue
		}
		for keyID := range signatures.Map() {
			_, _ = r.rooms.MappingKeys.ServerKey(entity, keyID)
		}
	}
}

// signedByServer tells whether a server signed an event.
func (r *Room) signedByServer(event []byte) bool {
	for entity, signatures := range gjson.GetBytes(event, "signatures").Map() {
		for keyID := range signatures.Map() {
			published, err := r.rooms.MappingKeys.ServerKey(entity, keyID)
			if err == nil && pseudoid.VerifyEventSignature(event, r.format, entity, keyID, published.Key) == nil {
				return true
			}
		}
	}
	return false
}

// needServerKey tells why the key by which the sender's server signed its mapping cannot be had for the time of an event.
func (r *Room) needServerKey(ctx context.Context, event []byte, sender pseudoid.SenderKey) error {
	for _, entry := range r.directory.Entries() {
		if entry.Key != sender || entry.Verified == nil {
			continue
		}
		domain, err := pseudoid.UserIDDomain(entry.Verified.UserID)
		if err != nil || domain == r.rooms.Server.Name {
			return err
		}
		keyIDs := slices.Sorted(maps.Keys(gjson.GetBytes(entry.Verified.Mapping, "signatures").Map()[domain].Map()))
		if len(keyIDs) == 0 {
			return errors.New("the mapping is not signed")
		}
		_, err = r.rooms.EventKeys.ServerKey(ctx, domain, keyIDs[0], gjson.GetBytes(event, "origin_server_ts").Int())
		return err
	}
	return nil
}

// withSignatures gives an event without signatures empty ones, where a fault takes it: the format asks for the field.
func (r *Room) withSignatures(event []byte) ([]byte, error) {
	if gjson.GetBytes(event, "signatures").Exists() || !r.rooms.Faults.Has(fault.UnsignedEventsTaken) {
		return event, nil
	}
	return sjson.SetRawBytes(event, "signatures", []byte("{}"))
}
