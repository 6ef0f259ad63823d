package pseudonym

// This file checks the events that come over federation, each by itself: who sent it, who signed it, and in which form it
// is accepted.

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// Receive checks an event that another server sent (Matrix specification, server-server API, "Checks performed on receipt
// of a PDU", 2 and 3). It returns the form in which the event is accepted, or an error if it must be dropped. Whether the
// mapping in a member event is true is for Judge to decide.
//
// Events are signed by the sender_key. This bundles the signature and key together in the event, which ensures that it is
// always possible to verify event signatures, without network requests (MSC4014, Proposal 2).
func (r Rules) Receive(event *pdu.Event) (*pdu.Event, error) {
	if err := r.checkSenderField(event); err != nil {
		return nil, fmt.Errorf("event %s: %w", event.ID(), err)
	}
	var err error
	if _, isMember := event.Member(); isMember && event.Membership() == membershipInvite {
		err = r.CheckInvite(event)
	} else {
		err = r.CheckSender(event)
	}
	if err != nil {
		return nil, fmt.Errorf("event %s: %w", event.ID(), err)
	}
	return r.TakeIn(event)
}

// checkSenderField refuses an event whose sender is not a sender key, or which has a sender in another field too: events no
// longer have a sender field, they have a sender_key (MSC4014, Proposal 1).
func (r Rules) checkSenderField(event *pdu.Event) error {
	field := r.Dialect.SenderField()
	if err := r.CheckKey(event.Sender()); err != nil {
		return fmt.Errorf("its %s: %w", field, err)
	}
	if field != "sender" && event.Field("sender").Exists() {
		return errors.New("it has a sender field, which events of this version no longer have")
	}
	return nil
}

// CheckSender verifies that an event is signed by its own sender key.
//
// The signature and the key come together in the event, so this is always possible without network requests (MSC4014,
// Proposal 2): it needs no server keys, and a server's signature proves nothing here. Since the text does not say under
// which entity the signature goes, any is accepted. A key that is not in unpadded base64, a key of small order, under
// which any signature verifies, and a malleated signature are refused, so that one member cannot appear as two.
func (r Rules) CheckSender(event *pdu.Event) error {
	return r.CheckSignedBy(event, r.oneSpelling(identity.SenderKey(event.Sender())))
}

// CheckSignedBy verifies that a sender key signed an event, under any entity and key ID.
func (r Rules) CheckSignedBy(event *pdu.Event, key identity.SenderKey) error {
	public, err := identity.ParseSenderKey(string(key))
	if err != nil {
		return fmt.Errorf("verifying an event: %w", err)
	}
	if err := r.checkOrder(public); err != nil {
		return fmt.Errorf("verifying an event: %w", err)
	}
	found := signaturesOf(event)
	for _, signature := range found {
		if event.VerifySignature(r.oneSignature(signature), public) == nil {
			return nil
		}
	}
	if len(found) == 0 {
		return fmt.Errorf("verifying an event by sender key %s: %w: it has no signatures", key, pdu.ErrNoSignature)
	}
	return fmt.Errorf("verifying an event by sender key %s: %w: none of its signatures is by that key", key, pdu.ErrBadSignature)
}

// signaturesOf returns all signatures of an event, including bare ones.
func signaturesOf(event *pdu.Event) []json.RawMessage {
	var all []json.RawMessage
	for _, byEntity := range event.Field("signatures").Map() {
		if byEntity.Type == gjson.String {
			all = append(all, json.RawMessage(byEntity.Raw))
		}
		for _, signature := range byEntity.Map() {
			all = append(all, json.RawMessage(signature.Raw))
		}
	}
	return all
}
