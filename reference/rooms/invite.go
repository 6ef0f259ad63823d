package rooms

// This file invites local and remote users, and accepts invites from other servers (server-server API, "Inviting to a
// room"; MSC1228, "Sending invites").

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/reference/federation/outgoing"
	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
)

// Invite invites a user on behalf of a local member. direct says that the room is for direct messages (client-server API, "Direct
// Messaging").
func (rs *Rooms) Invite(ctx context.Context, senderID, targetID, roomID, reason string, direct bool) error {
	room := rs.Get(roomID)
	if room == nil || room.Membership(senderID) != "join" {
		return Forbidden("%s is not in room %s", senderID, roomID)
	}
	domain, err := identity.UserIDDomain(targetID)
	if err != nil {
		return Bad("M_INVALID_PARAM", "cannot invite: %v", err)
	}
	switch room.Membership(targetID) {
	case "join":
		return Forbidden("%s is in room %s already", targetID, roomID)
	case "ban":
		return Forbidden("%s is banned from room %s", targetID, roomID)
	}
	key, sender, err := room.ownSender(senderID)
	if err != nil {
		return err
	}
	if levels := room.State().PowerLevels(); levels.Of(sender) < levels.For("invite") {
		return Forbidden("%s does not have the power level to invite to room %s", senderID, roomID)
	}
	content := map[string]any{"membership": "invite"}
	if reason != "" {
		content["reason"] = reason
	}
	if direct {
		content["is_direct"] = true
	}
	if rs.own(targetID) {
		if !rs.Exists(targetID) {
			return NotFound("there is no user %s on this server", targetID)
		}
		if profile := rs.Profile(targetID); profile.DisplayName != "" {
			content["displayname"] = profile.DisplayName
		}
		if profile := rs.Profile(targetID); profile.AvatarURL != "" {
			content["avatar_url"] = profile.AvatarURL
		}
	}
	d := pseudonym.Draft{Type: memberType, RoomID: roomID, Content: raw(content)}
	switch {
	case room.format.Pseudonymous:
		err = room.invitePseudonymous(ctx, d, key, targetID, domain)
	case rs.own(targetID):
		d.StateKey = &targetID
		_, err = room.write(d, key, sender, taking{})
	default:
		d.StateKey = &targetID
		err = room.inviteOrdinary(ctx, d, sender, domain)
	}
	return err
}

// invitePseudonymous invites a user whose key only its own server can know: that server gets a partial event, which has
// no state key yet, and completes it.
func (r *Room) invitePseudonymous(ctx context.Context, d pseudonym.Draft, inviter identity.KeyPair, targetID, domain string) error {
	p := r.rooms.Pseudonym
	r.mu.RLock()
	state := r.current.state
	r.place(&d, string(inviter.Public), state)
	r.mu.RUnlock()
	if rule := state.Get(joinRulesType, ""); rule != nil {
		d.AuthEvents = append(d.AuthEvents, rule.ID()) // the auth events of an invite include the join rules; AuthKeys cannot tell from a draft without a state key
	}
	// They also include the user's present member event, if there is one.
	if key, known := r.directory.Key(targetID); known && state.Member(string(key)) != nil {
		d.AuthEvents = append(d.AuthEvents, state.Member(string(key)).ID())
	}
	partial, err := p.PartialInvite(d, inviter.Public)
	if err != nil {
		return err
	}
	completed, err := r.completedInvite(ctx, partial, string(inviter.Public), targetID, domain, state)
	if err != nil {
		return err
	}
	j, err := p.CheckCompleted(partial, completed, targetID, ownKeys{r.rooms, r.rooms.MappingKeys})
	if err != nil {
		return &Error{Status: 502, Code: "M_UNKNOWN", Text: err.Error()}
	}
	event, err := p.SignAsInviter(completed, inviter)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before, err := r.stateBefore(event, nil)
	if err != nil {
		return err
	}
	_, err = r.takeOwn(event, before, taking{judgement: &j})
	return err
}

// completedInvite returns a partial invite as the invited user's server completes it.
func (r *Room) completedInvite(ctx context.Context, partial []byte, inviter, targetID, domain string, state rules.State) (*pdu.Event, error) {
	if r.rooms.own(targetID) {
		key, err := pseudonym.SenderKey(r.rooms.keys, r.id, targetID)
		if err != nil {
			return nil, err
		}
		return r.rooms.Pseudonym.CompleteInvite(partial, r.id, targetID, key, r.rooms.Server, now())
	}
	path, err := r.rooms.Pseudonym.InvitePath(r.id, partial, targetID)
	if err != nil {
		return nil, err
	}
	completed, err := r.rooms.Remote.InvitePartial(ctx, domain, path, outgoing.Invite{RoomVersion: r.Version(), Event: partial, InviteRoomState: r.strippedInviteState(state, inviter)})
	if err != nil {
		return nil, refusalOf(err)
	}
	event, err := pdu.Parse(completed, r.format)
	if err != nil {
		return nil, &Error{Status: 502, Code: "M_UNKNOWN", Text: fmt.Sprintf("the completed invite of %s: %v", targetID, err)}
	}
	return event, nil
}

// inviteOrdinary invites a user of another server, which signs the whole event.
func (r *Room) inviteOrdinary(ctx context.Context, d pseudonym.Draft, sender, domain string) error {
	r.mu.RLock()
	state := r.current.state
	r.place(&d, sender, state)
	event, err := r.build(d, identity.KeyPair{}, sender)
	if err == nil {
		err = r.checkAuth(event, state)
	}
	r.mu.RUnlock()
	if err != nil {
		return Forbidden("%v", err)
	}
	answer, err := r.rooms.Remote.Invite(ctx, domain, r.id, event.ID(), outgoing.Invite{RoomVersion: r.Version(), Event: event.JSON(), InviteRoomState: r.strippedInviteState(state, sender)})
	if err != nil {
		return refusalOf(err)
	}
	signatures := gjson.GetBytes(answer, "signatures."+gjson.Escape(domain))
	if !signatures.IsObject() {
		return &Error{Status: 502, Code: "M_UNKNOWN", Text: domain + " did not sign the invite"}
	}
	signed, err := sjson.SetRawBytes(event.JSON(), "signatures."+gjson.Escape(domain), []byte(signatures.Raw))
	if err != nil {
		return err
	}
	if event, err = pdu.Parse(signed, r.format); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	before, err := r.stateBefore(event, nil)
	if err != nil {
		return err
	}
	_, err = r.takeOwn(event, before, taking{})
	return err
}

// Invited accepts a whole invite of a local user to an ordinary room (PUT /invite, versions 1 and 2): in a pseudonymous
// one there are only partial invites (InvitedPartial). It returns the event with this server's signature added.
func (rs *Rooms) Invited(ctx context.Context, origin, roomID string, invite outgoing.Invite) (json.RawMessage, error) {
	format, known := rs.format(invite.RoomVersion)
	if !known || format.Pseudonymous {
		return nil, &Error{Status: 400, Code: "M_INCOMPATIBLE_ROOM_VERSION", RoomVersion: invite.RoomVersion,
			Text: fmt.Sprintf("no whole invites to rooms of version %q are taken", invite.RoomVersion)}
	}
	room := newRoom(rs, roomID, format)
	event, err := room.readForeign(ctx, invite.Event)
	if err != nil {
		return nil, Forbidden("%v", err)
	}
	target, _ := event.StateKey()
	domain, _ := identity.UserIDDomain(event.Sender())
	switch {
	case event.Type() != memberType || event.Membership() != "invite" || event.RoomID() != roomID:
		return nil, Bad("M_BAD_JSON", "the event is not an invite to room %s", roomID)
	case domain != origin:
		return nil, Forbidden("the inviter %s is not of %s", event.Sender(), origin)
	case !rs.own(target) || !rs.Exists(target):
		return nil, NotFound("there is no user %s on this server", target)
	}
	signed, err := rs.Server.Sign(event.JSON(), format)
	if err != nil {
		return nil, err
	}
	return signed.JSON(), rs.keepInvite(origin, roomID, target, format, signed, invite.InviteRoomState)
}

// InvitedPartial accepts a partial invite of a local user (PUT /v3/invite/{roomID or eventID}/{userID}), and completes
// it.
func (rs *Rooms) InvitedPartial(_ context.Context, origin, userID string, invite outgoing.Invite) (json.RawMessage, error) {
	format, known := rs.format(invite.RoomVersion)
	roomID := gjson.GetBytes(invite.Event, "room_id").String()
	switch {
	case !known || !format.Pseudonymous:
		return nil, &Error{Status: 400, Code: "M_INCOMPATIBLE_ROOM_VERSION", RoomVersion: invite.RoomVersion,
			Text: fmt.Sprintf("no partial invites to rooms of version %q are taken", invite.RoomVersion)}
	case roomID == "" || roomID[0] != '!' || len(roomID) > 255:
		return nil, Bad("M_BAD_JSON", "the event names no room")
	case !rs.own(userID) || !rs.Exists(userID) && rs.Pseudonym.Readings.UnknownInvited != "completed":
		return nil, NotFound("there is no user %s on this server", userID)
	}
	p := rs.Pseudonym
	inviter := identity.SenderKey(format.Sender(invite.Event))
	err := rs.checkInviteOrigin(inviter, parseStripped(format, invite.InviteRoomState), roomID, origin)
	if err != nil && !(errors.Is(err, pseudonym.ErrInviterUnknown) && p.Dialect == pdu.DialectDendrite) {
		return nil, Forbidden("%v", err)
	}
	if room := rs.Get(roomID); room != nil && !room.ACLAllows(origin) {
		return nil, Forbidden("%s is denied by the access control list of room %s", origin, roomID)
	}
	key, err := pseudonym.SenderKey(rs.keys, roomID, userID)
	if err != nil {
		return nil, err
	}
	completed, err := p.CompleteInvite(invite.Event, roomID, userID, key, rs.Server, now())
	if err != nil {
		return nil, Bad("M_BAD_JSON", "%v", err)
	}
	return completed.JSON(), rs.keepInvite(origin, roomID, userID, format, completed, invite.InviteRoomState)
}

// keepInvite stores an invite of a local user, unless this server is in the room and gets the event there.
func (rs *Rooms) keepInvite(origin, roomID, userID string, format pdu.Format, event *pdu.Event, state []json.RawMessage) error {
	if room := rs.Get(roomID); room != nil && room.Resident() {
		return nil
	}
	return rs.keepOutside(Outside{
		RoomID: roomID, UserID: userID, Version: format.RoomVersion, Membership: "invite", Event: event.JSON(), Wire: state,
		State: rs.stripped(format, event, state), Servers: []string{origin},
	})
}

// checkInviteOrigin returns an error unless a partial invite came from the server of its inviter. A server that is in the room
// knows who the inviter is, and does not go by the state that was sent with the invite, which nobody signed.
func (rs *Rooms) checkInviteOrigin(inviter identity.SenderKey, state []*pdu.Stripped, roomID, origin string) error {
	if room := rs.Get(roomID); room != nil && room.Resident() {
		if domain, proven := pseudonym.VerifiedDomain(inviter, room.directory); proven && domain != origin {
			return fmt.Errorf("the inviter %s is of %s, the invite came from %s", inviter, domain, origin)
		}
	}
	return rs.Pseudonym.CheckInviteOrigin(inviter, state, origin, ownKeys{rs, rs.MappingKeys})
}
