// This file has the checks on receipt of an event that need neither the room's state nor other events (server-server
// API, "Checks performed on receipt of a PDU", 1 to 3).

package rules

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"

	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
)

// ServerKeys knows the signing keys of servers.
type ServerKeys interface {
	// ServerKey returns the key that a server publishes under a key ID and that is valid at validAt, in milliseconds
	// since 1970 (room version 5, "Signing key validity period").
	ServerKey(ctx context.Context, serverName, keyID string, validAt int64) (ed25519.PublicKey, error)
}

// Receive reads an event that another server sent. An error means that the event is dropped: it is malformed or too
// large, or not signed by whom it must be. An event whose content hash is wrong comes back in redacted form. What it
// says in `unsigned` is left out, because nobody signed it. keys is asked only about ordinary rooms, and may be nil in
// pseudonymous ones: "Events are signed by the `sender_key`. This bundles the signature and key together in the event,
// ensuring it is always possible to verify event signatures, without requiring external network requests" (MSC4014).
func Receive(ctx context.Context, raw []byte, f pseudoid.Format, keys ServerKeys) (*Event, error) {
	canonical, err := pseudoid.CanonicalJSON(raw) // sjson is let near canonical JSON only
	if err != nil {
		return nil, fmt.Errorf("reading an event of room version %s: %w", f.RoomVersion, err)
	}
	if canonical, err = sjson.DeleteBytes(canonical, "unsigned"); err != nil {
		return nil, fmt.Errorf("taking unsigned out of an event of room version %s: %w", f.RoomVersion, err)
	}
	event, err := NewEvent(canonical, f)
	if err != nil {
		return nil, err
	}
	if err := checkSignatures(ctx, event, keys); err != nil {
		return nil, fmt.Errorf("the signatures of event %s: %w", event.id, err)
	}
	if pseudoid.CheckContentHash(event.raw) != nil { // "otherwise it is redacted before being processed further"
		return event.Redacted()
	}
	return event, nil
}

// checkSignatures checks that those signed the event who had to. In pseudonymous rooms it is the sender key alone; that
// the key which authorises a restricted join signed too is a rule there (4.2), since it takes no other server to know.
func checkSignatures(ctx context.Context, e *Event, keys ServerKeys) error {
	if e.format.Pseudonymous {
		_, err := pseudoid.VerifySenderSignature(e.raw, e.format)
		return err
	}
	for _, serverName := range signingServers(e) {
		if err := signedByServer(ctx, e, serverName, keys); err != nil {
			return err
		}
	}
	return nil
}

// signingServers returns the servers that must have signed an event of an ordinary room: the sender's, unless it is an
// invite that follows from a third-party invite; and that of the user who authorises a restricted join (rule 4.2).
func signingServers(e *Event) []string {
	var servers []string
	isMember := e.eventType == memberType
	if !isMember || e.Membership() != "invite" || !e.Content("third_party_invite").Exists() {
		domain, _ := pseudoid.UserIDDomain(e.sender) // NewEvent saw to it that there is one
		servers = append(servers, domain)
	}
	if authoriser := e.Content(authoriserField); isMember && authoriser.Exists() {
		domain, _ := pseudoid.UserIDDomain(text(authoriser)) // "" if it is no user ID: no server has that name
		servers = append(servers, domain)
	}
	return servers
}

// signedByServer checks that the event has a valid signature by a key that the server publishes.
func signedByServer(ctx context.Context, e *Event, serverName string, keys ServerKeys) error {
	var failures []error
	for keyID := range e.Field("signatures").Map()[serverName].Map() {
		key, err := keys.ServerKey(ctx, serverName, keyID, e.OriginServerTS())
		if err == nil {
			err = pseudoid.VerifyEventSignature(e.raw, e.format, serverName, keyID, key)
		}
		if err == nil {
			return nil
		}
		failures = append(failures, fmt.Errorf("key %s: %w", keyID, err))
	}
	if len(failures) == 0 {
		return fmt.Errorf("%w of server %q", pseudoid.ErrNoSignature, serverName)
	}
	return fmt.Errorf("none of server %q holds: %w", serverName, errors.Join(failures...))
}
