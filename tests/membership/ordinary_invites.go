package membership

// The positive controls of invites that come to nothing: hard requirement 1 asks that clients are told as in ordinary rooms, and some
// servers do not tell them there either.

import (
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// ordinaryInvite is an invite of a peer's user to one of the server, to an ordinary room.
type ordinaryInvite struct {
	room  *stage.Room // of the peer or of the server
	host  *federation.User
	user  *stage.User // who is invited
	event federation.Event
}

// ordinarily ensures that the user of an ordinary invite is told when that has come to nothing. The room is one such as the hosting's.
func (h hosting) ordinarily(c *check.C, comesToNothing func(ordinaryInvite) error) {
	invite := ordinaryInvite{room: h.ordinaryRoom(), host: h.host, user: h.User("ordinary-invited")}
	invite.event = invite.room.InvitesOrdinary(h.host, invite.user)
	before := invite.user.SyncToken()
	c.Control(comesToNothing(invite))
	c.Control(invite.user.SeesRoomIn(before, "leave", invite.room.ID()))
	c.Control(invite.user.SeesNot("invite", invite.room.ID()))
}

// ordinaryRoom is an ordinary room in which the host may invite.
func (h hosting) ordinaryRoom() *stage.Room {
	const blame = "room-version/ordinary-rooms-untouched"
	if h.ofServer {
		room := h.inviting.JoinsOrdinary(h.resident.MakesOrdinary(stage.Public), h.host)
		resident := h.resident.Blaming(blame)
		resident.AwaitsMembership(room.ID(), h.host.ID(), "join")
		resident.GivesPower(room.ID(), map[string]int{h.host.ID(): 50})
		return room
	}
	room := h.inviting.MakesOrdinary(federation.RoomOptions{Creator: h.host})
	if h.resident != nil {
		h.resident.JoinsOrdinary(room.ID(), h.inviting.Name())
		room.Blaming(blame).AwaitsMember(h.resident.UserID, "join")
	}
	return room
}
