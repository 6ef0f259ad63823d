package membership

// The positive controls of invites that come to nothing: hard requirement 1 asks that clients are told as in ordinary rooms, and some
// servers do not tell them there either.

import (
	"errors"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// ordinaryInvite is an invite of a peer's user to one of the server, to an ordinary room.
type ordinaryInvite struct {
	room  *stage.Room // of the peer or of the server
	user  *stage.User // who is invited
	event federation.Event
}

// control is what came of an ordinary invite that came to nothing: why the invited user, or the resident, is not told of it. Then nothing
// can be said of that in pseudo-ID rooms either.
type control struct{ invited, resident error }

// ordinarily lets an ordinary invite come to nothing, in a room such as the hosting's.
func (h hosting) ordinarily(comesToNothing func(ordinaryInvite)) (told control) {
	invite := ordinaryInvite{room: h.ordinaryRoom(), user: h.User("ordinary-invited")}
	invite.event = invite.room.InvitesOrdinary(h.host, invite.user)
	before := invite.user.SyncToken()
	comesToNothing(invite)
	told.invited = invite.user.SeesRoomIn(before, "leave", invite.room.ID())
	if told.invited == nil {
		told.invited = invite.user.SeesNot("invite", invite.room.ID())
	}
	if h.resident != nil {
		_, told.resident = h.resident.SeesMembership(invite.room.ID(), invite.user.UserID, "leave")
	}
	if told.invited == nil && told.resident == nil {
		h.C.Control(nil)
	}
	return told
}

// comesToNothing ensures that the resident and the invited user are told that an invite has come to nothing, by a leave of a sender, as far
// as they are in ordinary rooms. The check is inconclusive if one of them is not told there.
func (h hosting) comesToNothing(told control, invited *stage.User, before, sender string) {
	if h.resident != nil && told.resident == nil {
		shown := h.resident.AwaitsMembership(h.room.ID(), invited.UserID, "leave")
		assert.Equal(h.C, sender, shown.Get("sender").String(), "the sender of the leave, as a client in the room sees it")
		saysBefore(h.C, shown, "invite")
	}
	if told.invited == nil {
		invited.AwaitsRoomIn(before, "leave", h.room.ID())
		invited.AwaitsNot("invite", h.room.ID())
	}
	if err := errors.Join(told.invited, told.resident); err != nil {
		h.C.Control(err)
	}
}

// ordinaryRoom is an ordinary room in which the host may invite.
func (h hosting) ordinaryRoom() *stage.Room {
	if h.ofServer {
		room := h.inviting.JoinsOrdinary(h.resident.MakesOrdinary(stage.Public), h.host)
		resident := h.resident.Blaming(stage.OrdinaryRooms)
		resident.AwaitsMembership(room.ID(), h.host.ID(), "join")
		resident.GivesPower(room.ID(), map[string]int{h.host.ID(): 50})
		return room
	}
	room := h.inviting.MakesOrdinary(federation.RoomOptions{Creator: h.host})
	if h.resident != nil {
		h.resident.JoinsOrdinary(room.ID(), h.inviting.Name())
		h.resident.Blaming(stage.OrdinaryRooms).AwaitsMembership(room.ID(), h.resident.UserID, "join")
	}
	return room
}
