package membership

// Accepted invites: at once or late, by the first or the second user of a server.

import (
	"fmt"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// A local user who is invited may enter a room that nobody else may (client-server API, Room membership; authorisation rules,
// m.room.member).
var _ = check.Register(check.Check{
	Name:     "a local user accepts an invite",
	Requires: []string{"membership/accept-invite"},
	Path:     "client",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := s.User("alice"), s.User("bob")
		roomID := alice.Makes(stage.Private)
		alice.Blaming("membership/invite-local").Invites(roomID, bob.UserID)
		bob.Blaming("membership/invite-local").AwaitsOwn("", roomID, "invite")
		before := bob.SyncToken()
		_, err := bob.JoinRoom(c.Context(), roomID)
		c.Must(err)
		bob.AwaitsOwn(before, roomID, "join")
		alice.AwaitsMembership(roomID, bob.UserID, "join")
		seeAndHearEachOther(roomID, alice, bob)
	},
})

// So may a remote one, by make_join and send_join, and so may a second one of its server (MSC1228, Sending invites: each has a key of
// its own).
func init() {
	for _, each := range []struct{ name, path string }{
		{"a user of a peer accepts an invite", "send_join"},
		{"a second user of a peer accepts an invite", "send_join, the second of its server"},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"membership/accept-invite"},
			Path:     each.path,
			Body: func(c *check.C) {
				m := openClosedMeeting(c)
				guests := m.Peer()
				first, second := guests.User("first"), guests.User("second")
				m.invitesGuest(first)
				if each.path != "send_join" {
					m.invitesGuest(second)
				}
				accepts := func(guest *federation.User) {
					room, err := guests.TryJoin(m.ServerName(1), m.room.ID(), guest)
					c.Must(err)
					m.alice.AwaitsMembership(m.room.ID(), guest.ID(), "join")
					room.ExchangesMessages(m.alice, guest)
				}
				accepts(first)
				if each.path != "send_join" {
					accepts(second)
				}
			},
		})
	}
}

// invitesGuest lets Alice invite a user of another peer, and waits until the room knows that.
func (m meeting) invitesGuest(guest *federation.User) federation.Event {
	m.alice.Blaming("membership/invite-remote").Invites(m.room.ID(), guest.ID())
	m.alice.Blaming("membership/invite-remote").AwaitsMembership(m.room.ID(), guest.ID(), "invite")
	return m.room.Blaming("membership/invite-remote").AwaitsMember(guest.ID(), "invite")
}

// A user of the server accepts the invite of a peer: the server knows through whom to join. The second one of its users who was
// invited does so when the first is in the room already.
func init() {
	for _, each := range hostings {
		check.Register(check.Check{
			Name:     "a user accepts the invite of a peer to " + each.name,
			Requires: []string{"membership/accept-invite"},
			Path:     "invite of a peer",
			Deadly:   each.deadly,
			Body: func(c *check.C) {
				h := each.open(stage.Open(c, blueprints.OneServer), "invite")
				alice := h.User("alice")
				h.invites(alice)
				h.isAcceptedBy(alice)
			},
		})
		check.Register(check.Check{
			Name:     "two users accept the invites of a peer to " + each.name,
			Requires: []string{"membership/accept-invite"},
			Path:     "invite of a peer, the second of its server",
			Deadly:   each.deadly,
			Body: func(c *check.C) {
				h := each.open(stage.Open(c, blueprints.OneServer), "invite")
				alice, dora := h.User("alice"), h.User("dora")
				h.invites(alice)
				h.invites(dora)
				h.isAcceptedBy(alice)
				h.isAcceptedBy(dora)
			},
		})
	}
}

// isAcceptedBy lets an invited user join by the room's ID alone.
func (h hosting) isAcceptedBy(user *stage.User) {
	before := user.SyncToken()
	_, err := user.JoinRoom(h.C.Context(), h.room.ID())
	h.C.Must(err)
	user.AwaitsOwn(before, h.room.ID(), "join")
	h.room.AwaitsMember(user.UserID, "join")
	h.room.ExchangesMessages(user, h.host)
}

// An invite outlasts the membership of who sent it: the authorisation rules look at the invited user's membership alone.
var _ = check.Register(check.Check{
	Name:     "a local user accepts an invite whose sender has left",
	Requires: []string{"membership/accept-invite"},
	Path:     "client, late",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, dora := s.User("alice"), s.User("bob"), s.User("dora")
		roomID := alice.Makes(stage.Private)
		for _, user := range []*stage.User{dora, bob} {
			alice.Blaming("membership/invite-local").Invites(roomID, user.UserID)
		}
		_, err := dora.JoinRoom(c.Context(), roomID)
		c.Must(err)
		dora.AwaitsOwn("", roomID, "join")
		alice.Leaves(roomID)
		dora.Blaming("membership/leave").AwaitsMembership(roomID, alice.UserID, "leave")
		_, err = bob.JoinRoom(c.Context(), roomID)
		c.Must(err)
		dora.AwaitsMembership(roomID, bob.UserID, "join")
		seeAndHearEachOther(roomID, dora, bob)
	},
})

// And a server: the invited user enters through another one that is in the room, which its client names.
var _ = check.Register(check.Check{
	Name:     "a user accepts the invite of a peer that is gone",
	Requires: []string{"membership/accept-invite"},
	Path:     "invite of a peer, late",
	Deadly:   true, // deployed servers crash on an invite to a room that they are not in
	Body: func(c *check.C) {
		h := openHosting(stage.Open(c, blueprints.OneServer), "public", false)
		alice, other := h.User("alice"), h.Peer()
		guest := other.User("guest")
		elsewhere, err := other.TryJoin(h.inviting.Name(), h.room.ID(), guest)
		if err != nil {
			c.SuiteError(fmt.Errorf("a peer cannot join the room of another one: %w", err))
		}
		h.sets("invite")
		h.room.Tells(h.invites(alice))
		h.inviting.PlayDead(federation.DeadRefusing)
		_, err = alice.JoinRoom(c.Context(), h.room.ID(), other.Name())
		c.Must(err)
		elsewhere = elsewhere.At(1)
		elsewhere.AwaitsMember(alice.UserID, "join")
		elsewhere.ExchangesMessages(alice, guest)
	},
})

// Between two servers under test, seen by the clients of both.
var _ = check.Register(check.Check{
	Name:       "a user accepts the invite of a user of another server",
	Requires:   []string{"membership/accept-invite"},
	TwoServers: true,
	Deadly:     true, // deployed servers crash on an invite to a room that they are not in
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.TwoServers)
		alice, bob := s.UserAt(1, "alice"), s.UserAt(2, "bob")
		roomID := alice.Makes(stage.Private)
		alice.Blaming("membership/invite-remote").Invites(roomID, bob.UserID)
		bob.Blaming("membership/invite-from-remote").AwaitsOwn("", roomID, "invite")
		_, err := bob.JoinRoom(c.Context(), roomID)
		c.Must(err)
		alice.AwaitsMembership(roomID, bob.UserID, "join")
		seeAndHearEachOther(roomID, alice, bob)
	},
})
