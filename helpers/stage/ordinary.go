package stage

import (
	"github.com/tidwall/gjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

// OrdinaryRooms is the requirement that a server breaks if anything fails in a room of an ordinary version.
const OrdinaryRooms = "room-version/ordinary-rooms-untouched"

// JoinsOrdinary lets a user of the peer join an ordinary room through hs1, by make_join and send_join.
func (p *Peer) JoinsOrdinary(roomID string, user *federation.User) *Room {
	ctx, cancel := p.Within()
	defer cancel()
	server := p.stage.ServerName(1)
	room, err := p.Join(ctx, server, roomID, user)
	p.stage.C.Need(OrdinaryRooms, err)
	return &Room{Room: room, stage: p.stage, peer: p, server: server}
}

// MakesOrdinary creates a room of version 10 on the peer.
func (p *Peer) MakesOrdinary(options federation.RoomOptions) *Room {
	room, err := p.CreateRoom(pseudoid.FormatV10, options)
	if err != nil {
		p.stage.C.SuiteError(err)
	}
	return &Room{Room: room, stage: p.stage, peer: p, server: p.stage.ServerName(1)}
}

// JoinsOrdinary joins an ordinary room, through the servers via if given.
func (u *User) JoinsOrdinary(roomID string, via ...string) {
	_, err := u.JoinRoom(u.stage.C.Context(), roomID, via...)
	u.stage.C.Need(OrdinaryRooms, err)
}

// InvitesOrdinary lets a user of the peer invite one of the server under test to an ordinary room, and delivers the invite. It waits until
// the invited user's client is shown it.
func (r *Room) InvitesOrdinary(inviter *federation.User, user *User) federation.Event {
	c := r.stage.C
	before := user.SyncToken()
	ctx, cancel := c.Within(Patience)
	defer cancel()
	invite, err := r.InviteOrdinary(ctx, r.server, inviter, user.UserID)
	c.Need(OrdinaryRooms, err)
	r.Delivers(invite)
	user.Blaming(OrdinaryRooms).AwaitsOwn(before, r.ID(), "invite")
	return invite
}

// Untouched ensures that nothing that clients or the peer get of an ordinary room has a trace of pseudonymous identities: no sender
// key and no mapping, and user IDs wherever events identify users.
func (r *Room) Untouched(clients ...*User) {
	c := r.stage.C
	seen := 0
	examine := func(where string, event gjson.Result) {
		seen++
		if trace := traceOfPseudonyms(event); trace != "" {
			c.Errorf("%s: an event of type %s in an ordinary room has %s", where, event.Get("type").String(), trace)
		}
	}
	for _, event := range r.Events() {
		examine("in the peer's model of the room", gjson.ParseBytes(event.JSON()))
	}
	for _, arrival := range r.peer.Received() {
		if arrival.Event.RoomID() == r.ID() {
			examine("sent to the peer", gjson.ParseBytes(arrival.Event.JSON()))
			for _, problem := range arrival.Problems {
				c.Errorf("the peer received an event of type %s with a wrong %s", arrival.Event.Type(), problem)
			}
		}
	}
	for _, client := range clients {
		for _, view := range client.Views(r.ID()) {
			for _, event := range view.Events {
				examine(view.Name, event)
			}
			for _, userID := range view.Keys {
				if err := pseudoid.ValidUserID(userID); err != nil {
					c.Errorf("%s of an ordinary room is keyed by %q: %v", view.Name, userID, err)
				}
			}
		}
	}
	if seen == 0 {
		c.Failf("neither the peer nor a client got any event of the room")
	}
}

// traceOfPseudonyms names what in an event comes from pseudonymous identities, or returns "".
func traceOfPseudonyms(event gjson.Result) string {
	for _, path := range []string{"sender_key", "content.sender_key", "unsigned.sender_key", "content." + pseudoid.MappingField, "unsigned.prev_content." + pseudoid.MappingField} {
		if event.Get(path).Exists() {
			return path
		}
	}
	named := [][2]string{{"sender", event.Get("sender").String()}}
	switch event.Get("type").String() {
	case "m.room.member":
		named = append(named, [2]string{"state_key", event.Get("state_key").String()})
	case "m.room.power_levels":
		for userID := range event.Get("content.users").Map() {
			named = append(named, [2]string{"content.users", userID})
		}
	}
	for _, each := range named {
		if field, userID := each[0], each[1]; pseudoid.ValidUserID(userID) != nil {
			return "no user ID in " + field + " but " + userID
		}
	}
	return ""
}
