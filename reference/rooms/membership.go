package rooms

// This file changes the memberships and profiles of users in rooms for local users: leave, kick, ban, unban, knock and
// forget.

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/reference/federation/outgoing"
	"msc4014/reference/identity"
	"msc4014/reference/pseudonym"
	"msc4014/reference/store"
)

// Leave makes a local user leave a room, reject an invite, or retract a knock.
func (rs *Rooms) Leave(ctx context.Context, userID, roomID, reason string) error {
	return rs.leave(ctx, userID, roomID, reason, true)
}

// leave is Leave. Unless it is mapped, the leave has no mapping.
func (rs *Rooms) leave(ctx context.Context, userID, roomID, reason string, mapped bool) error {
	room := rs.Get(roomID)
	if room != nil && room.Resident() {
		switch room.Membership(userID) {
		case "join", "invite", "knock":
			return room.leave(userID, reason, mapped)
		}
	}
	outside, ok := rs.OutsideOf(userID, roomID)
	if !ok || outside.Membership != "invite" && outside.Membership != "knock" {
		return Forbidden("%s is not in room %s", userID, roomID)
	}
	var left json.RawMessage
	err := rs.through(outside.Servers, func(server string) error {
		template, err := rs.template(roomID, userID, func(name string) (outgoing.Template, error) {
			return rs.Remote.MakeLeave(ctx, server, roomID, name)
		})
		if err != nil {
			return err
		}
		if template.RoomVersion == "" {
			template.RoomVersion = outside.Version
		}
		_, event, err := rs.fromTemplate(template, roomID, userID, "leave", reason, mapped)
		if err != nil {
			return err
		}
		left = event.JSON()
		return rs.Remote.SendLeave(ctx, server, roomID, event.ID(), left)
	}, nil)
	if err != nil { // the invite ends here all the same: the other server may be gone for good
		rs.Log.Info("the leave was only recorded locally", "room", roomID, "user", userID, "error", err)
	}
	if left == nil {
		outside.Membership = "leave"
	} else {
		outside.end("leave", left)
	}
	return rs.keepOutside(outside)
}

// leave sends the leave of a local user. Unless it is mapped, it has no mapping.
func (r *Room) leave(userID, reason string, mapped bool) error {
	key, sender, err := r.ownSender(userID)
	if err != nil {
		return err
	}
	d, err := r.memberDraft("leave", userID, sender, Profile{}, reason, true)
	if err == nil && !mapped {
		d.Content, err = r.rooms.Pseudonym.MemberContent(d.Content, nil, true)
	}
	if err != nil {
		return err
	}
	_, err = r.write(d, key, sender, taking{})
	return err
}

// Kick removes a user from a room, or revokes an invite.
func (rs *Rooms) Kick(_ context.Context, senderID, targetID, roomID, reason string) error {
	return rs.changeOther(senderID, targetID, roomID, "leave", reason, func(now string) error {
		if now != "join" && now != "invite" && now != "knock" {
			return Forbidden("%s is not in room %s", targetID, roomID)
		}
		return nil
	})
}

// Ban bans a user from a room. What it does to a user that was never in the room is membership/ban-before-join.
func (rs *Rooms) Ban(_ context.Context, senderID, targetID, roomID, reason string) error {
	return rs.changeOther(senderID, targetID, roomID, "ban", reason, func(string) error { return nil })
}

// Unban lifts the ban of a user.
func (rs *Rooms) Unban(_ context.Context, senderID, targetID, roomID, reason string) error {
	return rs.changeOther(senderID, targetID, roomID, "leave", reason, func(now string) error {
		if now != "ban" {
			return Forbidden("%s is not banned from room %s", targetID, roomID)
		}
		return nil
	})
}

// changeOther sends a member event of a local member about another user. allow returns an error if the target's present
// membership forbids it.
func (rs *Rooms) changeOther(senderID, targetID, roomID, membership, reason string, allow func(now string) error) error {
	room := rs.Get(roomID)
	if room == nil || room.Membership(senderID) != "join" {
		return Forbidden("%s is not in room %s", senderID, roomID)
	}
	if err := identity.CheckUserID(targetID); err != nil {
		return Bad("M_BAD_JSON", "%v", err)
	}
	if err := allow(room.Membership(targetID)); err != nil {
		return err
	}
	target := targetID
	if room.format.Pseudonymous {
		key, ok, err := rs.Pseudonym.MemberTarget(targetID, room.directory, room.makeKey)
		if err != nil {
			return noKey(err)
		}
		if !ok {
			return nil
		}
		target = string(key)
	}
	key, sender, err := room.ownSender(senderID)
	if err != nil {
		return err
	}
	d, err := room.memberDraft(membership, targetID, target, Profile{}, reason, senderID == targetID)
	if err != nil {
		return err
	}
	_, err = room.write(d, key, sender, taking{})
	return err
}

// Knock makes a local user knock on a room.
func (rs *Rooms) Knock(ctx context.Context, userID, roomID string, via []string, reason string) error {
	room := rs.Get(roomID)
	if room != nil && room.Resident() {
		key, sender, err := room.newSender(userID)
		if err != nil {
			return err
		}
		d, err := room.memberDraft("knock", userID, sender, rs.Profile(userID), reason, true)
		if err != nil {
			return err
		}
		_, err = room.write(d, key, sender, taking{})
		return err
	}
	if _, domain, ok := strings.Cut(roomID, ":"); ok {
		via = append(slices.Clone(via), domain)
	}
	return rs.through(via, func(server string) error {
		template, err := rs.template(roomID, userID, func(name string) (outgoing.Template, error) {
			return rs.Remote.MakeKnock(ctx, server, roomID, name, Versions())
		})
		if err != nil {
			return err
		}
		room, event, err := rs.fromTemplate(template, roomID, userID, "knock", reason, true)
		if err != nil {
			return err
		}
		state, err := rs.Remote.SendKnock(ctx, server, roomID, event.ID(), event.JSON())
		if err != nil {
			return err
		}
		return rs.keepOutside(Outside{
			RoomID: roomID, UserID: userID, Version: room.Version(), Membership: "knock", Event: event.JSON(), Wire: state,
			State: rs.stripped(room.format, event, state), Servers: []string{server},
		})
	}, NotFound("no server is known through which room %s can be knocked on", roomID))
}

// sendMember handles a member event that a client sends as state like the corresponding membership request.
func (rs *Rooms) sendMember(ctx context.Context, room *Room, userID string, w Write) (eventID string, err error) {
	target, membership := *w.StateKey, gjson.GetBytes(w.Content, "membership").String()
	reason := gjson.GetBytes(w.Content, "reason").String()
	switch {
	case membership == "join" && target == userID && room.Membership(userID) == "join":
		err = room.writeProfile(userID, Profile{
			DisplayName: gjson.GetBytes(w.Content, "displayname").String(), AvatarURL: gjson.GetBytes(w.Content, "avatar_url").String(),
		})
	case membership == "join" && target == userID:
		err = rs.Join(ctx, userID, room.id, nil, reason)
	case membership == "join":
		err = Forbidden("a user cannot join on behalf of another")
	case membership == "invite":
		err = rs.Invite(ctx, userID, target, room.id, reason, false)
	case membership == "knock" && target == userID:
		err = rs.Knock(ctx, userID, room.id, nil, reason)
	case membership == "leave" && target == userID:
		err = rs.Leave(ctx, userID, room.id, reason)
	case membership == "leave" && room.Membership(target) == "ban":
		err = rs.Unban(ctx, userID, target, room.id, reason)
	case membership == "leave":
		err = rs.Kick(ctx, userID, target, room.id, reason)
	case membership == "ban":
		err = rs.Ban(ctx, userID, target, room.id, reason)
	default:
		err = Bad("M_BAD_JSON", "membership %q is unknown", membership)
	}
	if err != nil {
		return "", err
	}
	if sender, ok := room.Sender(target); ok {
		if member := room.State().Member(sender); member != nil {
			return member.ID(), nil
		}
	}
	return "", nil
}

// ProfileChanged sends a local user's new profile to all rooms that the user is joined to.
func (rs *Rooms) ProfileChanged(userID string) error {
	var problems []error
	for _, room := range rs.All() {
		if room.Resident() && room.Membership(userID) == "join" {
			problems = append(problems, room.writeProfile(userID, rs.Profile(userID)))
		}
	}
	return errors.Join(problems...)
}

// writeProfile sends a join of a local member with a new profile. It has the mapping too: the new field is in the
// content of m.room.member events, and a profile change is one (MSC4014, Proposal 4).
func (r *Room) writeProfile(userID string, profile Profile) error {
	key, sender, err := r.ownSender(userID)
	if err != nil {
		return err
	}
	d, err := r.memberDraft("join", userID, sender, profile, "", true)
	if err != nil {
		return err
	}
	_, err = r.write(d, key, sender, taking{})
	return err
}

// Deactivate makes a local user leave all rooms for good, and removes its mappings (MSC4014, Addressing 3;
// redaction/deactivation): the leaves do not repeat them.
func (rs *Rooms) Deactivate(ctx context.Context, userID string) error {
	var problems []error
	mapped := !rs.Pseudonym.PurgesDeactivated()
	for _, room := range rs.All() {
		if membership := room.Membership(userID); room.Resident() && (membership == "join" || membership == "invite" || membership == "knock") {
			problems = append(problems, room.leave(userID, "", mapped))
		}
		problems = append(problems, room.purge(userID))
	}
	for _, outside := range rs.tables.outside.All() {
		if outside.UserID == userID && (outside.Membership == "invite" || outside.Membership == "knock") {
			problems = append(problems, rs.leave(ctx, userID, outside.RoomID, "", mapped))
		}
	}
	return errors.Join(problems...)
}

// purge removes the mapping of a local user. The user's key is looked up among this server's own: the directory does not
// find it by the user ID if clients see the user by another.
func (r *Room) purge(userID string) error {
	key, known, err := r.rooms.keys.Load(r.id, userID)
	if err != nil || !known || !r.format.Pseudonymous {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.rooms.advance(func(tx *store.Tx, position int64) error {
		r.keep(tx, r.directory.Purge(key.Public), position)
		return nil
	})
}

// Forget hides a room that a local user has left from the user.
func (rs *Rooms) Forget(userID, roomID string) error {
	membership := ""
	if room := rs.Get(roomID); room != nil {
		membership = room.Membership(userID)
	}
	if outside, ok := rs.OutsideOf(userID, roomID); ok && membership == "" {
		membership = outside.Membership
	}
	switch membership {
	case "":
		return NotFound("%s was never in room %s", userID, roomID)
	case "join", "invite", "knock":
		return Bad("M_UNKNOWN", "%s is in room %s, and must leave it first", userID, roomID)
	}
	return rs.advance(func(tx *store.Tx, position int64) error {
		rs.tables.outside.Delete(tx, store.Key(userID, roomID))
		rs.tables.forgotten.Put(tx, store.Key(userID, roomID), position)
		return nil
	})
}

// Forgotten returns the position at which a user forgot a room, or 0.
func (rs *Rooms) Forgotten(userID, roomID string) int64 {
	position, _ := rs.tables.forgotten.Get(store.Key(userID, roomID))
	return position
}

var _ pseudonym.KeyMaker = (*Room)(nil).makeKey
