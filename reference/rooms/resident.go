package rooms

// This file lets users of other servers join, leave and knock through this one (server-server API, "Joining rooms",
// "Knocking upon a room", "Leaving rooms").

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/tidwall/sjson"

	"msc4014/reference/federation/outgoing"
	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
)

// resident returns a room that this server is in, if its access control list allows the requesting server.
func (rs *Rooms) resident(origin, roomID string) (*Room, error) {
	room := rs.Get(roomID)
	if room == nil || !room.Resident() {
		return nil, NotFound("this server is not in room %s", roomID)
	}
	if !room.ACLAllows(origin) {
		return nil, Forbidden("%s is denied by the access control list of room %s", origin, roomID)
	}
	return room, nil
}

// MakeMember returns a template of a member event for a user of the requesting server: the response to make_join,
// make_leave and make_knock. name is the user's ID, or its key by one reading of membership/make-template; versions are the room versions
// that the requesting server supports, nil if the request does not have any.
func (rs *Rooms) MakeMember(_ context.Context, origin, membership, roomID, name string, versions []string) (outgoing.Template, error) {
	none := outgoing.Template{}
	room, err := rs.resident(origin, roomID)
	if err != nil {
		return none, err
	}
	if membership != "leave" && !slices.Contains(versions, room.Version()) {
		return none, &Error{Status: 400, Code: "M_INCOMPATIBLE_ROOM_VERSION", RoomVersion: room.Version(),
			Text: fmt.Sprintf("room %s has version %s, which the asking server does not list", roomID, room.Version())}
	}
	userID, byKey := name, room.format.Pseudonymous && rs.Pseudonym.TemplatesByKey() && isKey(name)
	newKey := false
	if byKey {
		var verified bool
		userID, verified = room.directory.Verified(identity.SenderKey(name))
		newKey = !verified
	}
	if domain, err := identity.UserIDDomain(userID); !newKey && (err != nil || domain != origin) {
		return none, Forbidden("%s is not of %s", name, origin)
	}
	sender, known := name, byKey
	if !byKey {
		if sender, known = room.Sender(userID); !known {
			sender = userID
		}
	}
	admitted := room.admission(userID)
	if newKey {
		admitted.refusal = nil // whose key it is, the join tells
	}
	room.mu.RLock()
	defer room.mu.RUnlock()
	state := room.current.state
	if err := room.mayEnter(state, membership, sender, name); err != nil {
		return none, err
	}
	content := []byte(raw(map[string]string{"membership": membership}))
	if membership == "join" && needsAuthoriser(state, sender) {
		if content, _, err = room.authoriseJoin(content, admitted, state); err != nil {
			return none, err
		}
	}
	d := pseudonym.Draft{Type: memberType, RoomID: roomID, StateKey: &sender, Content: content}
	room.place(&d, sender, state)
	if !room.format.Pseudonymous {
		return outgoing.Template{RoomVersion: room.Version(), Event: ordinaryEvent(d, sender)}, nil
	}
	event, err := room.templateOf(d, rs.Pseudonym.TemplateName(userID, identity.SenderKey(sender), known))
	return outgoing.Template{RoomVersion: room.Version(), Event: event}, err
}

func isKey(name string) bool {
	_, err := identity.ParseSenderKey(name)
	return err == nil
}

// templateOf returns a template of a member event that names a user, or nobody if name is empty.
func (r *Room) templateOf(d pseudonym.Draft, name string) (event []byte, err error) {
	d.StateKey = &name
	event, err = sjson.DeleteBytes(ordinaryEvent(d, ""), "sender")
	switch {
	case err != nil:
		return nil, err
	case name == "":
		return sjson.DeleteBytes(event, "state_key")
	}
	return sjson.SetBytes(event, r.format.SenderField(), name)
}

// mayEnter returns an error if a membership is clearly not allowed. The authorisation rules decide once the event
// arrives.
func (r *Room) mayEnter(state rules.State, membership, sender, userID string) error {
	now, rule := state.Membership(sender), state.JoinRule()
	switch {
	case now == "ban" && membership != "leave":
		return Forbidden("%s is banned from room %s", userID, r.id)
	case membership == "leave" && now != "join" && now != "invite" && now != "knock":
		return Forbidden("%s is not in room %s", userID, r.id)
	case membership == "join" && now != "join" && now != "invite" && rule != "public" && !state.Restricted():
		return Forbidden("%s is not invited to room %s", userID, r.id)
	case membership == "knock" && rule != "knock" && rule != "knock_restricted":
		return Forbidden("nobody may knock on room %s", r.id)
	}
	return nil
}

// Joined is the response to send_join.
type Joined struct {
	State, AuthChain []json.RawMessage
	Event            json.RawMessage
}

// SendJoin accepts the join of a user of another server, and returns the room's state.
func (rs *Rooms) SendJoin(ctx context.Context, origin, roomID, eventID string, event json.RawMessage) (Joined, error) {
	room, taken, err := rs.takeMember(ctx, origin, roomID, eventID, "join", event)
	if err != nil {
		return Joined{}, err
	}
	room.applyAllDeferred()
	state := room.stored(taken.before.state)
	return Joined{State: room.served(state), AuthChain: room.served(room.AuthChain(append(state, taken))), Event: taken.JSON()}, nil
}

// SendLeave accepts the leave of a user of another server.
func (rs *Rooms) SendLeave(ctx context.Context, origin, roomID, eventID string, event json.RawMessage) error {
	_, _, err := rs.takeMember(ctx, origin, roomID, eventID, "leave", event)
	return err
}

// SendKnock accepts the knock of a user of another server, and returns the stripped state of the room.
func (rs *Rooms) SendKnock(ctx context.Context, origin, roomID, eventID string, event json.RawMessage) ([]json.RawMessage, error) {
	room, _, err := rs.takeMember(ctx, origin, roomID, eventID, "knock", event)
	if err != nil {
		return nil, err
	}
	state := room.State()
	return room.strippedInviteState(state, state.Create().Sender()), nil
}

// takeMember accepts a member event from its own server. If the event is refused, it is not stored at all, not even as
// rejected.
func (rs *Rooms) takeMember(ctx context.Context, origin, roomID, eventID, membership string, raw json.RawMessage) (*Room, *Event, error) {
	room, err := rs.resident(origin, roomID)
	if err != nil {
		return nil, nil, err
	}
	event, err := room.readMember(ctx, raw)
	if err != nil {
		return nil, nil, err
	}
	stateKey, isState := event.StateKey()
	switch {
	case !isState || event.Type() != memberType || event.Membership() != membership || event.RoomID() != roomID:
		return nil, nil, Bad("M_INVALID_PARAM", "the event is no %s in room %s", membership, roomID)
	case event.ID() != eventID:
		return nil, nil, Bad("M_INVALID_PARAM", "the event is %s, the request is for %s", event.ID(), eventID)
	case stateKey != event.Sender():
		return nil, nil, Bad("M_INVALID_PARAM", "the state key is not the sender")
	}
	if domain, _ := identity.UserIDDomain(event.Sender()); !room.format.Pseudonymous && domain != origin {
		return nil, nil, Forbidden("%s is not of %s", event.Sender(), origin)
	}
	if event, err = room.addSignatures(event); err != nil {
		return nil, nil, err
	}
	room.intake.Lock()
	defer room.intake.Unlock()
	if known := room.Event(eventID); known != nil && !known.Outlier() {
		if known.Visible() {
			return room, known, nil
		}
		return nil, nil, Forbidden("the event was refused")
	}
	if missing := room.missing(event.PrevEvents()); len(missing) > 0 {
		return nil, nil, Bad("M_INVALID_PARAM", "the prev event %s is unknown", missing[0])
	}
	j := room.judge(event)
	if j != nil {
		if why := room.refuses(origin, event, *j, true); why != "" {
			return nil, nil, Forbidden("%s", why)
		}
		if !room.admits(event, j) {
			return nil, nil, Forbidden("%s may not join with this key", j.Mapping.UserID)
		}
	}
	room.mu.Lock()
	defer room.mu.Unlock()
	before, err := room.stateBefore(event, nil)
	if err != nil {
		return nil, nil, Bad("M_INVALID_PARAM", "%v", err)
	}
	if err := room.checkAuth(event, before); err != nil {
		return nil, nil, Forbidden("%v", err)
	}
	if err := room.rules().Allowed(event, room.current.state); err != nil {
		return nil, nil, Forbidden("%v", err)
	}
	if room.closedTo(event, j, before) {
		return nil, nil, Forbidden("%v", errClosed)
	}
	how := taking{judgement: j, send: true, but: []string{origin}}
	if j != nil {
		how.concealed = room.conceals(event, *j)
	}
	taken, err := room.take(event, before, how)
	return room, taken, err
}

// readMember parses and checks a member event from its own server. A join of an ordinary room that a local member
// authorises is signed first: it cannot be verified without this server's signature.
func (r *Room) readMember(ctx context.Context, raw json.RawMessage) (*pdu.Event, error) {
	event, err := pdu.Parse(raw, r.format)
	if err != nil {
		return nil, Forbidden("%v", err)
	}
	if authoriser := event.Content(pseudonym.AuthoriserField).Str; !r.format.Pseudonymous && r.rooms.own(authoriser) {
		if err := r.mayAuthorise(event.Sender(), event.Sender()); err != nil {
			return nil, err
		}
		if event, err = r.rooms.Server.Sign(event.JSON(), r.format); err != nil {
			return nil, Bad("M_BAD_JSON", "%v", err)
		}
	}
	if event, err = r.check(ctx, event); err != nil {
		return nil, Forbidden("%v", err)
	}
	return event, nil
}

// mayAuthorise returns an error if a join cannot be authorised.
func (r *Room) mayAuthorise(sender, userID string) error {
	if state := r.State(); needsAuthoriser(state, sender) {
		return r.checkAllowed(userID, state)
	}
	return nil
}

// addSignatures adds to a join of a pseudonymous room the signature of the local member that authorises it, and those
// that a resident server adds.
func (r *Room) addSignatures(event *pdu.Event) (*pdu.Event, error) {
	if event.Membership() != "join" || !r.format.Pseudonymous {
		return event, nil
	}
	authoriser := identity.SenderKey(event.Content(pseudonym.AuthoriserField).Str)
	if userID, verified := r.directory.Verified(authoriser); verified && r.rooms.own(userID) {
		if err := r.mayAuthorise(event.Sender(), claimedBy(event)); err != nil {
			return nil, err
		}
		key, _, err := r.rooms.keys.Load(r.id, userID)
		if err != nil {
			return nil, err
		}
		if event, err = r.rooms.Pseudonym.SignAsAuthoriser(event, key); err != nil {
			return nil, err
		}
	}
	return r.rooms.Pseudonym.SignAsResident(event, r.rooms.Server)
}

// claimedBy returns the user ID that a member event's mapping names; it is not verified.
func claimedBy(event *pdu.Event) string {
	return event.Content(pdu.MappingField).Get("user_id").String()
}
