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

// ServerKeys looks up the signing keys of servers.
type ServerKeys interface {
	// ServerKey returns the key that a server publishes under a key ID and that is valid at validAt, in milliseconds
	// since 1970 (room version 5, "Signing key validity period").
	ServerKey(ctx context.Context, serverName, keyID string, validAt int64) (ed25519.PublicKey, error)
}

// Receive parses an event that another server sent. It returns an error if the event must be dropped: it is malformed
// or too large, or lacks a required signature. An event whose content hash is wrong is returned in redacted form.
// `unsigned` is removed, because nobody signed it. keys is used only for ordinary rooms, and may be nil for
// pseudonymous ones: "Events are signed by the `sender_key`. This bundles the signature and key together in the event,
// ensuring it is always possible to verify event signatures, without requiring external network requests" (MSC4014).
func Receive(ctx context.Context, raw []byte, f pseudoid.Format, keys ServerKeys) (*Event, error) {
	canonical, err := pseudoid.CanonicalJSON(raw) // sjson must only see canonical JSON
	if err != nil {
		return nil, fmt.Errorf("reading an event of room version %s: %w", f.RoomVersion, err)
	}
	if canonical, err = sjson.DeleteBytes(canonical, "unsigned"); err != nil {
		return nil, fmt.Errorf("removing unsigned from an event of room version %s: %w", f.RoomVersion, err)
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

// checkSignatures checks the signatures that an event needs. In pseudonymous rooms it is that of the sender key alone;
// there the signature of the key that authorises a restricted join is checked by rule 4.2, since that needs no server
// keys.
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
// invite that follows from a third-party invite; and that of the user that authorises a restricted join (rule 4.2).
func signingServers(e *Event) []string {
	var servers []string
	isMember := e.eventType == memberType
	if !isMember || e.Membership() != "invite" || !e.Content("third_party_invite").Exists() {
		domain, _ := pseudoid.UserIDDomain(e.sender) // NewEvent checked that it is a user ID
		servers = append(servers, domain)
	}
	if authoriser := e.Content(authoriserField); isMember && authoriser.Exists() {
		domain, _ := pseudoid.UserIDDomain(text(authoriser)) // "" if it is no user ID: no server has that name
		servers = append(servers, domain)
	}
	return servers
}

// signedByServer returns an error if the event has no valid signature by a key that the server publishes.
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
	return fmt.Errorf("no signature of server %q is valid: %w", serverName, errors.Join(failures...))
}
