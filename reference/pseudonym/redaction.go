package pseudonym

// This file implements the first kind of redaction of member events, in which the mapping stays, and decides who may
// redact. The second kind is the redaction algorithm, over whose result signatures and event IDs are computed: it will
// remain the same for these purposes, so that the mapping is removed (MSC4014, Addressing 3).

import (
	"errors"
	"fmt"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// RedactForClients returns what clients are served of an event that was redacted by /redact, still in the form it has
// on the wire: ClientEvent makes the view. Redacting a member event should not remove the mapping when the displayname
// or avatar_url is malicious: these go, membership and mapping stay (MSC4014, Addressing 3). This is the first kind of
// redaction. It keeps the sender under every reading, since clients need one.
func (r Rules) RedactForClients(event *pdu.Event) (*pdu.Event, error) {
	return r.redact(event, r.Readings.RedactedMapping == "clients-and-peers" || r.Readings.RedactedMapping == "clients-only")
}

// RedactForPeers returns what peers are served of a redacted event (redaction/mapping-field-to-peers). By default it keeps
// the mapping: the member may be the last one of its server, and servers that join later must know where to send events
// (MSC4014, Addressing 3, "potentially alters routing information"). purged means that the mapping of the event was removed
// for good (Directory.Purged): then peers do not get it, and still get the sender.
func (r Rules) RedactForPeers(event *pdu.Event, purged bool) (*pdu.Event, error) {
	served := r.Readings.RedactedMapping == "clients-and-peers" || r.Readings.RedactedMapping == "peers-only"
	return r.redact(event, served && !purged)
}

// redact redacts an event and restores its sender and, for a member event with keepMapping, its mapping. Signatures and
// event ID stay valid: they do not cover what is restored.
func (r Rules) redact(event *pdu.Event, keepMapping bool) (*pdu.Event, error) {
	if _, isMember := event.Member(); isMember && keepMapping {
		return event.RedactedExcept(pdu.MappingField)
	}
	return event.RedactedExcept()
}

// TakeIn returns the form in which an event that came over federation is accepted: as it is, or, if its content hash is
// wrong, redacted (Matrix specification, server-server API, "Checks performed on receipt of a PDU"). Events that were
// redacted long ago arrive like this. The kind of redaction decides whether a server that joins later still knows the
// member (redaction/later-joiner-resolves); by default the mapping stays, since it carries its own signature.
func (r Rules) TakeIn(event *pdu.Event) (*pdu.Event, error) {
	err := event.CheckContentHash()
	if err == nil {
		return event, nil
	}
	if !errors.Is(err, pdu.ErrContentHash) {
		return nil, fmt.Errorf("taking in an event: %w", err)
	}
	return r.redact(event, r.Readings.LaterJoiner == "resolves")
}

// MayRedact reports whether a redaction takes effect. A member may redact its own events, which is checked by comparing
// the sender keys of the message and the redaction (MSC1228, Other things), in place of the domains of their senders;
// others' events need power (Matrix specification). Whether another key of the same server may redact too, as the
// comparison of domains would allow, is redaction/other-key-same-server; then both keys' mappings must be verified.
// power is the redactor's power level, and needed the one that it takes to redact the events of others.
func (r Rules) MayRedact(redactor, author identity.SenderKey, power, needed int64, names Names) bool {
	if redactor == author || power >= needed {
		return true
	}
	if r.Readings.SameServerRedaction != "accepted" {
		return false
	}
	one, ok1 := VerifiedDomain(redactor, names)
	other, ok2 := VerifiedDomain(author, names)
	return ok1 && ok2 && one == other
}
