package membership

// Invites that come to nothing: rejected by who was invited, or taken back by who invited.

import (
	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// A user who is invited leaves the room in order to reject the invite (client-server API, Room membership): it is offered that no
// more, and cannot enter by it.
var _ = check.Register(check.Check{
	Name:     "a local user rejects an invite",
	Requires: []string{"membership/reject-invite"},
	Path:     "client",
	Body: func(c *check.C) {
		m := openClosedMeeting(c)
		bob := m.invitesLocals()
		invite := m.room.Blaming("membership/invite-local").Awaits(scenes.OfMembership("invite"))
		before := bob.local.SyncToken()
		c.Must(bob.local.LeaveRoom(c.Context(), m.room.ID()))
		bob.local.AwaitsRoomIn(before, "leave", m.room.ID())
		bob.local.AwaitsNot("invite", m.room.ID())
		event := m.alice.AwaitsMembership(m.room.ID(), bob.id, "leave")
		assert.Equal(c, bob.id, event.Get("sender").String(), "the sender of the rejection, as a client in the room sees it")
		saysBefore(c, event, "invite")
		isRejectionOf(c, invite, m.room.Awaits(scenes.OfMembership("leave")))
		m.keepsOut(bob, "leave")
	},
})

// invitesLocals lets Alice invite two users, and one of them join, as the positive control of joins without an invite. It returns the
// other one.
func (m meeting) invitesLocals() party {
	first, second := m.party("first", false), m.party("second", false)
	alice := m.alice.Blaming("membership/invite-local")
	alice.Invites(m.room.ID(), second.id)
	second.local.Blaming("membership/invite-local").AwaitsOwn("", m.room.ID(), "invite")
	alice.Invites(m.room.ID(), first.id)
	m.C.Control(m.admits(first))
	return second
}

// isRejectionOf ensures that a leave is the rejection of an invite: of the invited key, and signed by it.
func isRejectionOf(c *check.C, invite, leave federation.Event) {
	assert.Equal(c, stateKeyOf(invite), leave.Sender(), "the sender of the rejection, against the invited key")
	assert.Equal(c, stateKeyOf(invite), stateKeyOf(leave), "the state key of the rejection, against the invited key")
	_, err := pseudoid.VerifySenderSignature(leave.JSON(), leave.Format())
	assert.NoError(c, err, "the invited key's signature of the rejection")
}

// A user of another server rejects by make_leave and send_leave, since its server is not in the room (server-server API, Leaving
// rooms).
var _ = check.Register(check.Check{
	Name:     "a user of a peer rejects an invite",
	Requires: []string{"membership/reject-invite"},
	Path:     "send_leave",
	Body: func(c *check.C) {
		m := openClosedMeeting(c)
		guests := m.Peer()
		guest, other := guests.User("guest"), guests.User("other")
		m.invitesGuest(guest)
		m.invitesGuest(other)
		m.enters(guestOf(guests, other))

		ctx, cancel := guests.Within()
		defer cancel()
		template, err := guests.LeaveTemplate(ctx, m.ServerName(1), m.room.ID(), guest)
		c.Must(err)
		leave := m.room.Made(template)
		answer, err := guests.SendLeave(ctx, m.ServerName(1), m.room.ID(), leave)
		c.Must(err)
		c.Notef("the rejection was answered with %s", answer)
		m.barrier() // the answer does not decide: the server may have accepted the leave all the same
		if membership := m.membership(guest.ID()); membership != "leave" {
			c.Failf("send_leave of a rejection that the invited key signed was answered with %s; the room still shows the user with membership %q",
				answer, membership)
		}
		m.room.AwaitsEvent(leave.ID())
		m.keepsOut(guestOf(guests, guest), "leave")
	},
})

// enters is the positive control of joins without an invite: an invited user of a peer joins, without make_join.
func (m meeting) enters(guest party) {
	m.C.Control(m.pushesJoin(guest))
	_, err := m.alice.SeesMembership(m.room.ID(), guest.id, "join")
	m.C.Control(err)
}

// A user of the server rejects the invite of a peer, whose server is told: as the leave of the invited key, and signed by it. The
// server is in the room, or asks the inviter's for a template (server-server API, Leaving rooms).
func init() {
	for _, each := range hostings {
		check.Register(check.Check{
			Name:     "a user rejects the invite of a peer to " + each.name,
			Requires: []string{"membership/reject-invite"},
			Path:     "invite of a peer",
			Deadly:   each.deadly,
			Body: func(c *check.C) {
				h := each.open(stage.Open(c, blueprints.OneServer), "invite")
				told := h.ordinarily(func(invite ordinaryInvite) {
					c.Need(stage.OrdinaryRooms, invite.user.LeaveRoom(c.Context(), invite.room.ID()))
				})
				alice := h.User("alice")
				invite := h.invites(alice)
				c.UnderTest()
				before := alice.SyncToken()
				c.Must(alice.LeaveRoom(c.Context(), h.room.ID()))
				isRejectionOf(c, invite, h.room.Awaits(scenes.OfMembership("leave")))
				h.comesToNothing(told, alice, before, alice.UserID)
			},
		})
	}
}

// If the inviter's server is gone, nobody can be told. Whether the request fails then is not said: it may where it does in ordinary rooms,
// too (hard requirement 1). If it succeeds, the invite is gone.
var _ = check.Register(check.Check{
	Name:     "a user rejects the invite of a peer that is gone",
	Requires: []string{"membership/reject-invite"},
	Path:     "invite of a peer, late",
	Deadly:   true, // deployed servers crash on an invite to a room that they are not in
	Body: func(c *check.C) {
		h := openHosting(stage.Open(c, blueprints.OneServer), "invite", false)
		alice, ordinary, other := h.User("alice"), h.ordinaryRoom(), h.User("ordinary-invited")
		ordinary.InvitesOrdinary(h.host, other)
		h.invites(alice)
		h.inviting.PlayDead(federation.DeadRefusing)
		inOrdinary := other.LeaveRoom(c.Context(), ordinary.ID())
		c.UnderTest()
		before := alice.SyncToken()
		err := alice.LeaveRoom(c.Context(), h.room.ID())
		if _, refused := csapi.Refused(err); refused && inOrdinary != nil {
			c.NotJudged("that the invite is gone", "an invite to an ordinary room whose sender's server is gone cannot be rejected either: %v", inOrdinary)
			return
		}
		c.Must(err)
		alice.AwaitsRoomIn(before, "leave", h.room.ID())
		alice.AwaitsNot("invite", h.room.ID())
	},
})

// Who invited takes that back by kicking the invited user (client-server API, POST /kick): it is offered the room no more, and cannot
// enter by the invite.
var _ = check.Register(check.Check{
	Name:     "the invite of a local user is taken back",
	Requires: []string{"membership/rescind-invite"},
	Path:     "client",
	Body: func(c *check.C) {
		m := openClosedMeeting(c)
		bob := m.invitesLocals()
		before := bob.local.SyncToken()
		kicking.does(c, m.alice, m.room.ID(), bob.id)
		bob.local.AwaitsRoomIn(before, "leave", m.room.ID())
		bob.local.AwaitsNot("invite", m.room.ID())
		event := m.alice.AwaitsMembership(m.room.ID(), bob.id, "leave")
		assert.Equal(c, m.alice.UserID, event.Get("sender").String(), "the sender of what takes the invite back, as a client in the room sees it")
		saysBefore(c, event, "invite")
		m.keepsOut(bob, "leave")
	},
})

// So does who invited a user of another server. Whether that server is told, which is not in the room, is not said.
var _ = check.Register(check.Check{
	Name:     "the invite of a user of a peer is taken back",
	Requires: []string{"membership/rescind-invite"},
	Path:     "client, of a remote user",
	Body: func(c *check.C) {
		m := openClosedMeeting(c)
		guests, others := m.Peer(), m.Peer()
		guest, other := guests.User("guest"), others.User("other")
		invite := m.invitesGuest(guest)
		m.invitesGuest(other)
		m.enters(guestOf(others, other))
		kicking.does(c, m.alice, m.room.ID(), guest.ID())
		event := m.alice.AwaitsMembership(m.room.ID(), guest.ID(), "leave")
		saysBefore(c, event, "invite")
		leave := m.awaitsAct(stateKeyOf(invite), "leave")
		m.keepsOut(guestOf(guests, guest), "leave")
		c.Notef("the invited user's server, which is not in the room, was sent what takes the invite back: %t", guests.HasReceived(leave.ID()))
	},
})

// And so does a user of a peer who invited one of the server, which is in the room.
func init() {
	for _, each := range hostings {
		if each.deadly {
			continue // a server that is not in the room need not be told
		}
		check.Register(check.Check{
			Name:     "a user of a peer takes back the invite to " + each.name,
			Requires: []string{"membership/rescind-invite"},
			Path:     "send",
			Body: func(c *check.C) {
				h := each.open(stage.Open(c, blueprints.OneServer), "invite")
				takesBack := func(room *stage.Room, invite federation.Event) {
					room.Delivers(room.Builds(membershipBy(room, h.host, stateKeyOf(invite), "leave")))
				}
				told := h.ordinarily(func(invite ordinaryInvite) { takesBack(invite.room, invite.event) })
				alice := h.User("alice")
				invite := h.invites(alice)
				c.UnderTest()
				before := alice.SyncToken()
				takesBack(h.room, invite)
				h.comesToNothing(told, alice, before, h.host.ID())
			},
		})
	}
}
