package rooms

// This file keeps the invites and knocks of local users in rooms that this server is not in.

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
	"msc4014/reference/store"
)

// Outside is the membership of a local user in a room that this server is not in.
type Outside struct {
	RoomID     string            `json:"room_id"`
	UserID     string            `json:"user_id"`
	Version    string            `json:"version"`
	Membership string            `json:"membership"` // "invite", "knock", "leave" or "ban"
	Event      json.RawMessage   `json:"event"`      // as on the wire
	State      []json.RawMessage `json:"state"`      // stripped state as clients see it, including the member event
	Wire       []json.RawMessage `json:"wire"`       // stripped state as it was received
	Servers    []string          `json:"servers"`    // through which the room can be joined
	Position   int64             `json:"position"`
}

// keepOutside stores a membership and notifies clients.
func (rs *Rooms) keepOutside(o Outside) error {
	return rs.advance(func(tx *store.Tx, position int64) error {
		o.Position = position
		rs.tables.outside.Put(tx, store.Key(o.UserID, o.RoomID), o)
		rs.tables.forgotten.Delete(tx, store.Key(o.UserID, o.RoomID))
		return nil
	})
}

// dropOutside deletes a membership once the room itself has it.
func (rs *Rooms) dropOutside(userID, roomID string) error {
	if _, there := rs.tables.outside.Get(store.Key(userID, roomID)); !there {
		return nil
	}
	return rs.Store.Update(func(tx *store.Tx) error {
		rs.tables.outside.Delete(tx, store.Key(userID, roomID))
		return nil
	})
}

// end ends a membership with another event. The earlier event stays in the state, since its mapping names the user.
func (o *Outside) end(membership string, event json.RawMessage) {
	o.Wire = append(slices.Clone(o.Wire), o.Event)
	o.Membership, o.Event = membership, event
}

// OutsideView returns the member event of an outside membership as its user sees it.
func (rs *Rooms) OutsideView(o Outside) (json.RawMessage, error) {
	format, known := rs.format(o.Version)
	if !known {
		return nil, NotFound("room %s has version %q, which this server does not have", o.RoomID, o.Version)
	}
	event, err := pdu.Parse(o.Event, format)
	if err != nil {
		return nil, fmt.Errorf("showing the member event of %s in room %s: %w", o.UserID, o.RoomID, err)
	}
	if format.Pseudonymous {
		names := rs.namesIn(o.RoomID, append(parseStripped(format, o.Wire), &event.Stripped))
		return rs.Pseudonym.ClientEvent(event, pseudonym.Additions{}, names), nil
	}
	return ordinaryView(event, pseudonym.Additions{}), nil
}

// OutsideOf returns the membership of a local user in a room that this server is not in, if there is one.
func (rs *Rooms) OutsideOf(userID, roomID string) (Outside, bool) {
	return rs.tables.outside.Get(store.Key(userID, roomID))
}

// parseStripped parses stripped state from another server. What is not an event is left out.
func parseStripped(format pdu.Format, state []json.RawMessage) []*pdu.Stripped {
	var events []*pdu.Stripped
	for _, one := range state {
		if event, err := pdu.ParseStripped(one, format); err == nil {
			events = append(events, event)
		}
	}
	return events
}

// stripped returns the stripped state of an invite or a knock as clients see it, including the member event. Keys in it
// are resolved by the verified mappings in it.
func (rs *Rooms) stripped(format pdu.Format, event *pdu.Event, state []json.RawMessage) []json.RawMessage {
	events := append(parseStripped(format, state), &event.Stripped)
	names := pseudonym.Names(plainNames{})
	if format.Pseudonymous {
		names = rs.namesIn(event.RoomID(), events)
	}
	return rs.strippedViews(format, events, names)
}

// strippedViews returns stripped events as clients see them.
func (rs *Rooms) strippedViews(format pdu.Format, events []*pdu.Stripped, names pseudonym.Names) []json.RawMessage {
	var shown []json.RawMessage
	for _, event := range events {
		if format.Pseudonymous {
			shown = append(shown, rs.Pseudonym.StrippedState(event, names))
			continue
		}
		view := map[string]json.RawMessage{}
		for _, field := range []string{"type", "state_key", "content", "sender"} {
			if value := event.Field(field); value.Exists() {
				view[field] = json.RawMessage(value.Raw)
			}
		}
		shown = append(shown, raw(view))
	}
	return shown
}

// namesIn returns the names given by the mappings in some member events of a pseudonymous room, and those of local users, whose member
// events may lack one (mapping/in-leave-ban-knock). If this server was in the room, it still knows whom it verified then.
func (rs *Rooms) namesIn(roomID string, events []*pdu.Stripped) pseudonym.Names {
	directory := pseudonym.NewDirectory(rs.Pseudonym)
	format, _ := rs.format(pdu.RoomVersion)
	room := newRoom(rs, roomID, format)
	for place, event := range events {
		if member, isMember := event.Member(); isMember {
			directory.Learn(pseudonym.Seen{
				Key: identity.SenderKey(member), Membership: event.Membership(), Current: true, Position: int64(place),
				Judgement: room.ownersJudgement(member, rs.Pseudonym.JudgeStripped(event, ownKeys{rs, rs.MappingKeys})),
			})
		}
	}
	if left := rs.Get(roomID); left != nil {
		return namesSinceLeft{directory, left.directory}
	}
	return directory
}

// namesSinceLeft are names in a room that this server has left, and those from when it was in the room.
type namesSinceLeft struct {
	pseudonym.Names
	before pseudonym.Names
}

func (n namesSinceLeft) UserID(key identity.SenderKey) string {
	if userID, ok := n.Verified(key); ok {
		return userID
	}
	return n.Names.UserID(key)
}

func (n namesSinceLeft) Verified(key identity.SenderKey) (userID string, ok bool) {
	if userID, ok = n.Names.Verified(key); ok {
		return userID, true
	}
	return n.before.Verified(key)
}

func (n namesSinceLeft) Knows(key identity.SenderKey) bool {
	return n.Names.Knows(key) || n.before.Knows(key)
}

func (n namesSinceLeft) Key(userID string) (identity.SenderKey, bool) {
	if key, ok := n.Names.Key(userID); ok {
		return key, true
	}
	return n.before.Key(userID)
}

// receiveOutside accepts an event of a room that this server is not in: a leave or ban that ends the invite or the
// knock of a local user.
func (rs *Rooms) receiveOutside(ctx context.Context, origin, roomID string, event json.RawMessage) (eventID string, err error) {
	for _, outside := range rs.tables.outside.All() {
		if outside.RoomID != roomID {
			continue
		}
		format, known := rs.format(outside.Version)
		if !known {
			continue
		}
		room := newRoom(rs, roomID, format)
		read, err := room.readForeign(ctx, event)
		if err != nil {
			return "", err
		}
		if member, isMember := read.Member(); !isMember || member != rs.wireNameOf(outside) || !slices.Contains(outside.Servers, origin) {
			continue
		}
		membership := read.Membership()
		if membership != "leave" && membership != "ban" {
			continue
		}
		outside.end(membership, read.JSON())
		outside.State = rs.stripped(format, read, outside.Wire)
		return read.ID(), rs.keepOutside(outside)
	}
	return "", NotFound("this server is not in room %s", roomID)
}

// wireNameOf returns the wire name of the user of an outside membership.
func (rs *Rooms) wireNameOf(o Outside) string {
	if o.Version != pdu.RoomVersion {
		return o.UserID
	}
	key, ok, err := rs.keys.Load(o.RoomID, o.UserID)
	if err != nil || !ok {
		return ""
	}
	return string(key.Public)
}

// inviteState returns the state that is sent with an invite or a knock: some state about the room, and the inviting
// user's join event, whose mapping tells the invited server who the inviter is (MSC1228, Sending invites; in ordinary
// rooms client-server API, "Stripped state"). For a knock it is the creator's.
func (r *Room) inviteState(state rules.State, inviter string) []*Event {
	var events []*pdu.Event
	if join := state.Member(inviter); join != nil {
		events = append(events, join)
	}
	for _, eventType := range []string{
		createType, joinRulesType, "m.room.name", "m.room.topic", "m.room.avatar", "m.room.canonical_alias", "m.room.encryption",
	} {
		if event := state.Get(eventType, ""); event != nil {
			events = append(events, event)
		}
	}
	var stored []*Event
	for _, event := range events {
		stored = append(stored, r.Event(event.ID()))
	}
	return stored
}

// strippedInviteState is inviteState in the form in which it is sent to peers.
func (r *Room) strippedInviteState(state rules.State, inviter string) []json.RawMessage {
	var stripped []json.RawMessage
	for _, event := range r.inviteState(state, inviter) {
		stripped = append(stripped, r.forPeers(event).Strip())
	}
	return stripped
}
