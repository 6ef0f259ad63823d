package pseudonym

// This file invites a user whose key is not known yet: until a user joins a room, only its own server can know its key
// (MSC1228, Sending invites).

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

// PartialInvite returns the event that the inviting server sends to the invited user's server: it builds a partial
// invite event (MSC1228, Sending invites), which has no state key, mapping, hash or signature yet.
func (r Rules) PartialInvite(d Draft, inviter identity.SenderKey) ([]byte, error) {
	d.Type, d.StateKey = memberEvent, nil
	content, err := parseObject(d.Content, "the content of an invite")
	if err != nil {
		return nil, err
	}
	delete(content, pdu.MappingField)
	content.set("membership", membershipInvite)
	d.Content = content.raw()
	partial, err := r.unsigned(d, inviter)
	return partial.raw(), err
}

// InvitePath returns the path to which a partial invite to a room is PUT. MSC1228 has
// /v3/invite/<event_id>/<target_mxid>, but a partial event has no ID yet; the deployed path has the room ID there
// (invite/endpoint). If an event ID is needed, it is the one that the partial event would have.
func (r Rules) InvitePath(roomID string, partial []byte, userID string) (string, error) {
	first := roomID
	if r.Readings.InviteEndpoint == "v3-event-user" {
		eventID, err := pdu.ID(partial, r.Format())
		if err != nil {
			return "", fmt.Errorf("naming a partial invite: %w", err)
		}
		first = eventID
	}
	return "/_matrix/federation/v3/invite/" + url.PathEscape(first) + "/" + url.PathEscape(userID), nil
}

// ErrInviterUnknown reports that the state sent with an invite does not include the inviter's join. Deployed servers
// never include it, so a server of their dialect ignores this error and shows the inviter by a placeholder.
var ErrInviterUnknown = errors.New("the invite's state has no join of the inviter")

// CheckInviteOrigin returns an error unless a partial invite came from the server of its inviter: the invited server checks
// that the request came from the server of the inviting user (MSC1228, Sending invites), which the inviter's mapping names.
// state is the state that was sent with the invite. The keys needed are those of a server that has just signed a request,
// so they are available.
func (r Rules) CheckInviteOrigin(inviter identity.SenderKey, state []*pdu.Stripped, origin string, keys KeySource) error {
	for _, event := range state {
		if member, isMember := event.Member(); !isMember || member != string(inviter) {
			continue
		}
		j := r.JudgeStripped(event, keys)
		if j.Verdict != Verified {
			return fmt.Errorf("the mapping of the inviter %s is not verified (%s): %w", inviter, j.Cause, j.Err)
		}
		domain, err := identity.UserIDDomain(j.Mapping.UserID)
		if err != nil {
			return err
		}
		if domain != origin {
			return fmt.Errorf("the inviter %s is of %s, the invite came from %s", j.Mapping.UserID, domain, origin)
		}
		return nil
	}
	return fmt.Errorf("%w: %s", ErrInviterUnknown, inviter)
}

// CompleteInvite completes a partial invite of a local user: the invited server adds the user_room_key in the state
// key, the attestation of the user ID, and its signature, so that others can be sure that it has the event (MSC1228,
// Sending invites). The signature is made with the invited user's key, the one that will join. at is the time in
// milliseconds, used if the partial event has none.
func (r Rules) CompleteInvite(partial []byte, roomID, userID string, key identity.KeyPair, by ServerSigner, at int64) (*pdu.Event, error) {
	o, err := parseObject(partial, "a partial invite")
	if err != nil {
		return nil, err
	}
	content, inviter := o.child("content"), o.text(r.Dialect.SenderField())
	_, named := o["state_key"]
	switch {
	case o.text("type") != memberEvent || content.text("membership") != membershipInvite:
		return nil, errors.New("completing an invite: the event is not an invite")
	case o.text("room_id") != roomID:
		return nil, fmt.Errorf("completing an invite: the event is of room %q, the request of %q", o.text("room_id"), roomID)
	case named:
		return nil, errors.New("completing an invite: the event has a state key already, a partial one has none")
	case !validKey(inviter) || inviter == string(key.Public):
		return nil, fmt.Errorf("completing an invite: its sender %q is not another member's key", inviter)
	}
	mapping, err := r.NewMapping(key.Public, userID, by)
	if err != nil {
		return nil, err
	}
	content[pdu.MappingField] = mapping
	o.set("content", content)
	o.set("state_key", key.Public)
	if _, ok := o["origin_server_ts"]; !ok {
		o.set("origin_server_ts", at)
	}
	for _, field := range []string{"hashes", "signatures", "unsigned"} {
		delete(o, field)
	}
	completed, err := r.Sign(o.raw(), key)
	if err != nil {
		return nil, err
	}
	return pdu.Parse(completed, r.Format())
}

// CheckCompleted verifies, on the inviting server, the response to a partial invite of userID: the invited server must
// have added the three things that it adds, with the hash that goes with them, and nothing else (MSC1228, Sending
// invites; deployed servers also write origin, origin_server_ts and prev_state). The inviter is about to sign
// the event, so any other change is refused: to type, room, sender, place in the event graph, or content besides the
// mapping. The mapping must be of the invited user. The judgement of the mapping is returned for the directory.
//
// Deployed servers add no mapping. In their dialect the inviter treats the response itself as one: it comes from the
// user's own server and names the key of the user that was asked for.
func (r Rules) CheckCompleted(partial []byte, completed *pdu.Event, userID string, keys KeySource) (Judgement, error) {
	refuse := func(err error) (Judgement, error) {
		return Judgement{Err: err}, fmt.Errorf("the completed invite of %s: %w", userID, err)
	}
	if err := r.unchanged(partial, completed); err != nil {
		return refuse(err)
	}
	if err := completed.CheckContentHash(); err != nil {
		return refuse(err)
	}
	stateKey, _ := completed.StateKey()
	invited := identity.SenderKey(stateKey)
	if err := r.CheckSignedBy(completed, invited); err != nil {
		return refuse(fmt.Errorf("by the invited key: %w", err))
	}
	j := r.Judge(completed, keys)
	switch {
	case j.Cause == Missing && r.invitesLackMapping():
		return Judgement{Verdict: Verified, Mapping: pdu.Mapping{Dialect: r.Dialect, Key: invited, UserID: userID}}, nil
	case j.Verdict != Verified:
		return refuse(fmt.Errorf("its mapping is not verified (%s): %w", j.Cause, j.Err))
	case j.Mapping.UserID != userID:
		return refuse(fmt.Errorf("its mapping is of %s", j.Mapping.UserID))
	}
	return j, nil
}

// invitesLackMapping reports whether invites have no mapping, as on deployed servers.
func (r Rules) invitesLackMapping() bool {
	return r.Dialect == pdu.DialectDendrite
}

// completedFields are the fields that the invited server writes.
var completedFields = []string{"state_key", "hashes", "signatures", "content"}

// unchanged returns an error if a completed invite differs from the partial one in anything but what the invited server
// adds.
func (r Rules) unchanged(partial []byte, completed *pdu.Event) error {
	canonical, err := pdu.CanonicalJSON(partial)
	if err != nil {
		return fmt.Errorf("reading a partial invite: %w", err)
	}
	before, err := parseObject(canonical, "a partial invite")
	if err != nil {
		return err
	}
	after := objectOf(completed.Fields())
	added := slices.Clone(completedFields)
	if r.Dialect == pdu.DialectDendrite { // deployed servers leave these to the invited server
		added = append(added, "origin_server_ts", "origin")
	}
	if r.Dialect == pdu.DialectDendrite && string(after["prev_state"]) == "[]" { // deployed servers add it to state events
		added = append(added, "prev_state")
	}
	if field, ok := difference(before, after, added...); ok {
		return fmt.Errorf("its %q differs from the partial one's", field)
	}
	if field, ok := difference(before.child("content"), objectOf(completed.Contents()), pdu.MappingField); ok {
		return fmt.Errorf("the %q of its content differs from the partial one's", field)
	}
	return nil
}

// difference returns a field in which two objects of canonical JSON differ, other than those in but.
func difference(a, b object, but ...string) (string, bool) {
	for _, pair := range [][2]object{{a, b}, {b, a}} {
		for field, raw := range pair[0] {
			if !slices.Contains(but, field) && !bytes.Equal(raw, pair[1][field]) {
				return field, true
			}
		}
	}
	return "", false
}

// SignAsInviter adds the inviter's signature to a completed invite; the (double-signed) event then goes to the rest of
// the federation (MSC1228, Sending invites).
func (r Rules) SignAsInviter(completed *pdu.Event, inviter identity.KeyPair) (*pdu.Event, error) {
	if sender := completed.Sender(); sender != string(inviter.Public) {
		return nil, fmt.Errorf("signing a completed invite: its sender is %q, not %s", sender, inviter.Public)
	}
	return r.sign(completed, inviter)
}

// CheckInvite verifies the signatures of a whole invite that arrives over federation. It must be signed by the inviter's
// key, as every event is by its sender (MSC4014, Proposal 2), and by the invited one, so that other members can be sure
// that the invited server has it (MSC1228, Sending invites).
func (r Rules) CheckInvite(invite *pdu.Event) error {
	if err := r.CheckSender(invite); err != nil {
		return err
	}
	invited, _ := invite.StateKey()
	if err := r.CheckSignedBy(invite, identity.SenderKey(invited)); err != nil {
		return fmt.Errorf("by the invited key: %w", err)
	}
	return nil
}
