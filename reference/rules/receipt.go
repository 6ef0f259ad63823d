// This file has the checks on receipt of an event of an ordinary room that need neither the room's state nor other events
// (server-server API, "Checks performed on receipt of a PDU", 2 and 3).

package rules

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// ServerKeys looks up the signing keys of servers.
type ServerKeys interface {
	// ServerKey returns the key that a server publishes under a key ID and that is valid at validAt, in milliseconds
	// since 1970 (room version 5, "Signing key validity period").
	ServerKey(ctx context.Context, serverName, keyID string, validAt int64) (ed25519.PublicKey, error)
}

// Receive checks an event of an ordinary room that another server sent; for pseudonymous rooms it is
// pseudonym.Rules.Receive. It returns an error if the event must be dropped, since it lacks a required signature. An event
// whose content hash is wrong is returned in redacted form.
func Receive(ctx context.Context, event *pdu.Event, keys ServerKeys) (*pdu.Event, error) {
	if err := identity.CheckUserID(event.Sender()); err != nil {
		return nil, fmt.Errorf("the sender of event %s: %w", event.ID(), err)
	}
	for _, serverName := range signingServers(event) {
		if err := signedByServer(ctx, event, serverName, keys); err != nil {
			return nil, fmt.Errorf("the signatures of event %s: %w", event.ID(), err)
		}
	}
	if event.CheckContentHash() != nil { // "otherwise it is redacted before being processed further"
		return event.Redacted()
	}
	return event, nil
}

// signingServers returns the servers that must have signed an event of an ordinary room: the sender's, unless it is an
// invite that follows from a third-party invite; and that of the user that authorises a restricted join (rule 4.2).
func signingServers(e *pdu.Event) []string {
	var servers []string
	isMember := e.Type() == memberType
	if !isMember || e.Membership() != "invite" || !e.Content("third_party_invite").Exists() {
		domain, _ := identity.UserIDDomain(e.Sender()) // Receive checked that it is a user ID
		servers = append(servers, domain)
	}
	if authoriser := e.Content(authoriserField); isMember && authoriser.Exists() {
		domain, _ := identity.UserIDDomain(authoriser.Str) // "" if it is not a user ID: no server has that name
		servers = append(servers, domain)
	}
	return servers
}

// signedByServer returns an error if the event has no valid signature by a key that the server publishes.
func signedByServer(ctx context.Context, e *pdu.Event, serverName string, keys ServerKeys) error {
	var failures []error
	for keyID, signature := range e.Field("signatures").Map()[serverName].Map() {
		key, err := keys.ServerKey(ctx, serverName, keyID, e.OriginServerTS())
		if err == nil {
			err = e.VerifySignature(json.RawMessage(signature.Raw), key)
		}
		if err == nil {
			return nil
		}
		failures = append(failures, fmt.Errorf("key %s: %w", keyID, err))
	}
	if len(failures) == 0 {
		return fmt.Errorf("%w of server %q", pdu.ErrNoSignature, serverName)
	}
	return fmt.Errorf("no signature of server %q is valid: %w", serverName, errors.Join(failures...))
}
