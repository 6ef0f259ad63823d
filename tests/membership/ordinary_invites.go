package membership

// The positive controls of invites that come to nothing: hard requirement 1 asks that clients are told as in ordinary rooms, and some
// servers do not tell them there either.

import (
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

// ordinarily lets an ordinary invite come to nothing, in a room such as the hosting's. It returns an error if its user is not told, so that
// nothing can be said of pseudo-ID rooms either.
func (h hosting) ordinarily(comesToNothing func(ordinaryInvite) error) error {
	invite := ordinaryInvite{room: h.ordinaryRoom(), host: h.host, user: h.User("ordinary-invited")}
	invite.event = invite.room.InvitesOrdinary(h.host, invite.user)
	before := invite.user.SyncToken()
	if err := comesToNothing(invite); err != nil {
		return err
	}
	if err := invite.user.SeesRoomIn(before, "leave", invite.room.ID()); err != nil {
		return err
	}
	return invite.user.SeesNot("invite", invite.room.ID())
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
		h.resident.Blaming(blame).AwaitsMembership(room.ID(), h.resident.UserID, "join")
	}
	return room
}
