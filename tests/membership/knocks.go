package membership

// Knocks: of local users and of users of a peer, here and on a room of a peer; let in, turned away, or taken back.

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// openKnocking makes a room on which users may knock.
func openKnocking(c *check.C) meeting {
	m := openMeeting(c)
	m.TakesKnocks()
	m.joinRule("knock")
	return m
}

// knocks lets a user knock, or returns why it cannot.
func (m meeting) knocks(user party) (event federation.Event, err error) {
	if user.local != nil {
		_, err = user.local.Knock(m.C.Context(), m.room.ID(), "")
		return event, err
	}
	ctx, cancel := m.peer.Within()
	defer cancel()
	return m.sendsKnock(ctx, user.remote)
}

func (m meeting) sendsKnock(ctx context.Context, user *federation.User) (federation.Event, error) {
	template, err := m.peer.KnockTemplate(ctx, m.ServerName(1), m.room.ID(), user)
	if err != nil {
		return federation.Event{}, err
	}
	knock := m.room.Made(template)
	answer, err := m.peer.SendKnock(ctx, m.ServerName(1), m.room.ID(), knock)
	if err == nil && !answer.OK() {
		err = fmt.Errorf("the knock was answered with %s", answer)
	}
	if err != nil {
		return knock, err
	}
	m.room.Apply(knock)
	if !answer.Get("knock_room_state").IsArray() {
		m.C.Errorf("the answer to send_knock has no knock_room_state: %s", answer)
	}
	return knock, nil
}

// isSeenKnocking ensures that Alice's client sees a user knock, and returns the key that knocked.
func (m meeting) isSeenKnocking(user party) (key string) {
	event := m.alice.AwaitsMembership(m.room.ID(), user.id, "knock")
	assert.Equal(m.C, user.id, event.Get("sender").String(), "the sender of the knock, as a client in the room sees it")
	if user.remote != nil {
		return user.remote.SenderIn(m.room.Room)
	}
	return m.room.Awaits(scenes.OfMembership("knock")).Sender()
}

// Who may not enter may knock where the join rule says so, is seen knocking by user ID, and can be let in by an invite (client-server
// API, Knocking on rooms): a local user, and one of another server by make_knock and send_knock.
func init() {
	for _, each := range []struct {
		name, path string
		isRemote   bool
	}{
		{"a local user knocks and is let in", "client", false},
		{"a user of a peer knocks and is let in", "send_knock", true},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"membership/knock"},
			Path:     each.path,
			Body: func(c *check.C) {
				m := openKnocking(c)
				user := m.party("bob", each.isRemote)
				before := ""
				if user.local != nil {
					before = user.local.SyncToken()
				}
				_, err := m.knocks(user)
				c.Must(err)
				if user.local != nil {
					user.local.AwaitsOwn(before, m.room.ID(), "knock")
				}
				key := m.isSeenKnocking(user)
				m.alice.SeesMembers(m.room.ID(), m.alice.UserID, m.carol.ID())
				inviting.does(c, m.alice, m.room.ID(), user.id)
				invite := m.room.Awaits(scenes.MemberByKey(key, "invite"))
				assert.Equal(c, m.alice.UserID, m.room.UserIDOf(invite.Sender()), "the user who invites who knocked")
				c.Must(m.admits(user))
			},
		})
		check.Register(check.Check{
			Name:     each.name[:len(each.name)-len("let in")] + "turned away",
			Requires: []string{"membership/knock"},
			Path:     each.path + ", turned away",
			Body: func(c *check.C) {
				m := openKnocking(c)
				user := m.party("bob", each.isRemote)
				_, err := m.knocks(user)
				c.Must(err)
				key, before := m.isSeenKnocking(user), ""
				if user.local != nil {
					before = user.local.SyncToken()
				}
				kicking.does(c, m.alice, m.room.ID(), user.id)
				saysBefore(c, m.alice.AwaitsMembership(m.room.ID(), user.id, "leave"), "knock")
				m.awaitsAct(key, "leave")
				if user.local != nil {
					user.local.AwaitsRoomIn(before, "leave", m.room.ID())
				}
			},
		})
	}
}

// Who knocked may think better of it.
var _ = check.Register(check.Check{
	Name:     "a local user knocks and takes that back",
	Requires: []string{"membership/knock"},
	Path:     "client, taken back",
	Body: func(c *check.C) {
		m := openKnocking(c)
		bob := m.party("bob", false)
		_, err := m.knocks(bob)
		c.Must(err)
		key, before := m.isSeenKnocking(bob), bob.local.SyncToken()
		c.Must(bob.local.LeaveRoom(c.Context(), m.room.ID()))
		saysBefore(c, m.alice.AwaitsMembership(m.room.ID(), bob.id, "leave"), "knock")
		bob.local.AwaitsRoomIn(before, "leave", m.room.ID())
		leave := m.room.Awaits(scenes.MemberByKey(key, "leave"))
		assert.Equal(c, key, leave.Sender(), "the sender of the leave, against the key that knocked")
	},
})

// Nobody knocks where the join rule does not say so. The control is a knock in a room where it does.
func init() {
	for _, each := range []struct {
		name, path string
		isRemote   bool
	}{
		{"a local user does not knock on a room that takes no knocks", "client, refused", false},
		{"a user of a peer does not knock on a room that takes no knocks", "send_knock, refused", true},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"membership/knock"},
			Path:     each.path,
			Body: func(c *check.C) {
				m := openKnocking(c)
				other, user := m.party("other", each.isRemote), m.party("bob", each.isRemote)
				_, err := m.knocks(other)
				c.Control(err)
				_, err = m.alice.SeesMembership(m.room.ID(), other.id, "knock")
				c.Control(err)
				m.joinRule("invite")

				c.UnderTest()
				if user.local != nil {
					_, err = m.knocks(user)
					c.Notef("the knock was answered with %v", err)
				} else {
					m.pushesKnock(user.remote)
				}
				m.barrier()
				m.is(user.id, "")
			},
		})
	}
}

// pushesKnock sends a knock by send_knock without asking for a template.
func (m meeting) pushesKnock(user *federation.User) {
	ctx, cancel := m.peer.Within()
	defer cancel()
	answer, err := m.peer.SendKnock(ctx, m.ServerName(1), m.room.ID(), m.room.BuildsMember(user, "knock"))
	m.C.Need("resilience/stays-up", err)
	m.C.Notef("the knock was answered with %s", answer)
}

// A user of the server knocks on a room of a peer, which is sent the knock of its key, with its mapping; who is there lets it in, turns
// it away, or it thinks better of it.
func init() {
	for _, each := range []struct {
		name, path string
		inRoom     bool
	}{
		{"a user knocks on a room of a peer", "make_knock", false},
		{"a user knocks on a room of a peer that the server is in", "send", true},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"membership/knock"},
			Path:     each.path,
			Deadly:   !each.inRoom, // deployed servers crash on an invite to a room that they are not in
			Body: func(c *check.C) {
				s := stage.Open(c, blueprints.OneServer)
				s.TakesKnocks()
				h := openHosting(s, "knock", each.inRoom)
				bob := h.User("bob")
				before := bob.SyncToken()
				_, err := bob.Knock(c.Context(), h.room.ID(), "", h.inviting.Name())
				c.Must(err)
				bob.AwaitsOwn(before, h.room.ID(), "knock")
				knock := h.room.Awaits(scenes.OfMembership("knock"))
				assert.Equal(c, knock.Sender(), stateKeyOf(knock), "the state key of the knock, against its sender")
				_, err = pseudoid.VerifySenderSignature(knock.JSON(), knock.Format())
				assert.NoError(c, err, "the signature of the knock")
				if h.resident != nil {
					h.resident.AwaitsMembership(h.room.ID(), bob.UserID, "knock")
				}

				h.invites(bob)
				h.isAcceptedBy(bob)
			},
		})
	}
	check.Register(check.Check{
		Name:     "a user takes back its knock on a room of a peer",
		Requires: []string{"membership/knock"},
		Path:     "make_knock, taken back",
		Body: func(c *check.C) {
			s := stage.Open(c, blueprints.OneServer)
			s.TakesKnocks()
			h := openHosting(s, "knock", false)
			bob := h.User("bob")
			_, err := bob.Knock(c.Context(), h.room.ID(), "", h.inviting.Name())
			c.Must(err)
			knock := h.room.Awaits(scenes.OfMembership("knock"))
			bob.AwaitsOwn("", h.room.ID(), "knock")
			before := bob.SyncToken()
			c.Must(bob.LeaveRoom(c.Context(), h.room.ID()))
			bob.AwaitsRoomIn(before, "leave", h.room.ID())
			leave := h.room.Awaits(scenes.OfMembership("leave"))
			assert.Equal(c, knock.Sender(), leave.Sender(), "the sender of the leave, against the key that knocked")
		},
	})
}
