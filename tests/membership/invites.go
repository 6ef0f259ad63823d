package membership

// Invites: of local and of remote users, and by users of other servers.

import (
	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// Clients invite by user ID (client-server API, Room membership; hard requirement 1), and the invited user's client is shown the
// invite.
var _ = check.Register(check.Check{
	Name:     "a local user is invited",
	Requires: []string{"membership/invite-local"},
	Path:     "client",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := s.User("alice"), s.User("bob")
		roomID := alice.Makes(stage.Private)
		before := bob.SyncToken()
		inviting.does(c, alice, roomID, bob.UserID)
		bob.AwaitsOwn(before, roomID, "invite")
		event := alice.AwaitsMembership(roomID, bob.UserID, "invite")
		assert.Equal(c, alice.UserID, event.Get("sender").String(), "the sender of the invite, as the inviter's client sees it")
		alice.SeesMembers(roomID, alice.UserID)
	},
})

// A remote user's key is known to its own server alone, which is asked for it (MSC1228, Sending invites): for each user of a server
// anew, also once that server is in the room.
func init() {
	for _, each := range []struct {
		name, path string
		before     func(m meeting, guests *stage.Peer) // what precedes the invite
	}{
		{"a user of a peer is invited", "invite", func(meeting, *stage.Peer) {}},
		{"a second user of a peer is invited", "invite, the second of its server", func(m meeting, guests *stage.Peer) {
			first := guests.User("first")
			inviting.does(m.C, m.alice, m.room.ID(), first.ID())
			m.room.AwaitsMember(first.ID(), "invite")
		}},
		{"another user of a peer in the room is invited", "invite, of a server in the room", func(m meeting, guests *stage.Peer) {
			guests.Joins(m.room.ID(), guests.User("first"))
		}},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"membership/invite-remote"},
			Path:     each.path,
			Body: func(c *check.C) {
				m := openMeeting(c)
				guests := m.Peer()
				each.before(m, guests)
				guest := guests.User("guest")
				inviting.does(c, m.alice, m.room.ID(), guest.ID())
				m.guestIsAsked(guests, guest)
				invite := m.room.AwaitsMember(guest.ID(), "invite")
				assert.Equal(c, guest.SenderIn(m.room.Room), stateKeyOf(invite), "the state key of the invite, against the key of the invited user")
				event := m.alice.AwaitsMembership(m.room.ID(), guest.ID(), "invite")
				assert.Equal(c, m.alice.UserID, event.Get("sender").String(), "the sender of the invite, as the inviter's client sees it")
			},
		})
	}
}

// guestIsAsked waits until a peer is asked for the key of an invited user.
func (m meeting) guestIsAsked(guests *stage.Peer, guest *federation.User) {
	ctx, cancel := guests.Within()
	defer cancel()
	_, err := guests.WaitForRequest(ctx, func(request federation.Request) bool {
		return request.Endpoint == federation.Invite && len(request.Parameters) == 2 && request.Parameters[1] == guest.ID()
	})
	m.C.Must(err)
}

func stateKeyOf(event federation.Event) string {
	key, _ := event.StateKey()
	return key
}

// hosting is a room of a peer whose host invites users of the server, or of the server itself.
type hosting struct {
	*stage.Stage
	inviting *stage.Peer
	host     *federation.User
	room     *stage.Room
	resident *stage.User // of the server, a member of the room; nil: there is none
	ofServer bool        // the resident created the room
}

// hostings are the rooms to which users of the server are invited by a peer. Deployed servers crash on an invite to a room that they
// are not in.
var hostings = []struct {
	name   string
	deadly bool
	open   func(s *stage.Stage, rule string) hosting
}{
	{"a room that the server is in", false, func(s *stage.Stage, rule string) hosting { return openHosting(s, rule, true) }},
	{"a room that is new to the server", true, func(s *stage.Stage, rule string) hosting { return openHosting(s, rule, false) }},
	{"a room of the server", false, func(s *stage.Stage, rule string) hosting {
		h := hosting{Stage: s, inviting: s.Peer(), resident: s.User("resident"), ofServer: true}
		h.host = h.inviting.User("host")
		h.room = h.inviting.Joins(h.resident.Makes(stage.Public), h.host)
		h.resident.Blaming("membership/remote-joins-us").AwaitsMembership(h.room.ID(), h.host.ID(), "join")
		h.resident.Blaming("client-view/power-levels-write").GivesPower(h.room.ID(), map[string]int{h.host.ID(): 50})
		h.room.Blaming("routing/reaches-members").AwaitsEvent(
			h.resident.Sets(h.room.ID(), "m.room.join_rules", "", map[string]any{"join_rule": rule}))
		return h
	}},
}

func openHosting(s *stage.Stage, rule string, inRoom bool) hosting {
	h := hosting{Stage: s, inviting: s.Peer()}
	h.host = h.inviting.User("host")
	h.room = h.inviting.Makes(federation.RoomOptions{Creator: h.host})
	if inRoom {
		h.resident = s.User("resident")
		h.resident.Joins(h.room.ID(), h.inviting.Name())
		h.room.Blaming("membership/join-remote").AwaitsMember(h.resident.UserID, "join")
		h.resident.LetsVerify(h.room.ID(), h.host.ID())
	}
	h.sets(rule)
	return h
}

// sets lets the host set the join rule.
func (h hosting) sets(rule string) {
	event := h.room.Builds(federation.Proto{
		Type: "m.room.join_rules", StateKey: federation.StateKey(""), Sender: h.host, Content: map[string]string{"join_rule": rule},
	})
	h.room.Tells(event)
	if h.resident == nil {
		return
	}
	h.resident.Blaming("membership/join-remote").AwaitsEvent(h.room.ID(), event.ID())
}

// invites lets the host invite a user, whose client is shown that.
func (h hosting) invites(user *stage.User) federation.Event {
	before := user.SyncToken()
	event := h.room.InvitesUser(h.host, user.UserID)
	user.Blaming("membership/invite-from-remote").AwaitsOwn(before, h.room.ID(), "invite")
	if h.resident != nil { // the client may be told before the room is
		h.resident.Blaming("membership/invite-from-remote").AwaitsMembership(h.room.ID(), user.UserID, "invite")
	}
	return event
}

// A user of another server invites one by user ID, whose server completes the invite (MSC1228, Sending invites): whether that server is
// in the room or not, and for the second of its users, too.
func init() {
	for _, each := range hostings {
		check.Register(check.Check{
			Name:     "a user of a peer invites a local user to " + each.name,
			Requires: []string{"membership/invite-from-remote"},
			Path:     "invite",
			Deadly:   each.deadly,
			Body: func(c *check.C) {
				h := each.open(stage.Open(c, blueprints.OneServer), "invite")
				alice := h.User("alice")
				h.invites(alice)
				if h.resident != nil {
					event := h.resident.AwaitsMembership(h.room.ID(), alice.UserID, "invite")
					assert.Equal(c, h.host.ID(), event.Get("sender").String(), "the sender of the invite, as a client in the room sees it")
				}
			},
		})
		check.Register(check.Check{
			Name:     "a user of a peer invites a second local user to " + each.name,
			Requires: []string{"membership/invite-from-remote"},
			Path:     "invite, the second of its server",
			Deadly:   each.deadly,
			Body: func(c *check.C) {
				h := each.open(stage.Open(c, blueprints.OneServer), "invite")
				alice, dora := h.User("alice"), h.User("dora")
				first, second := h.invites(alice), h.invites(dora)
				assert.NotEqual(c, stateKeyOf(first), stateKeyOf(second), "the keys of two invited users")
				assert.Equal(c, "invite", alice.FindsRoomIn(h.room.ID()), "the section of /sync in which the first one is shown the room")
			},
		})
	}
}

// Between two servers under test, seen by the clients of both.
var _ = check.Register(check.Check{
	Name:       "a user of another server is invited",
	Requires:   []string{"membership/invite-remote", "membership/invite-from-remote"},
	TwoServers: true,
	Deadly:     true, // deployed servers crash on an invite to a room that they are not in
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.TwoServers)
		alice, bob := s.UserAt(1, "alice"), s.UserAt(2, "bob")
		roomID := alice.Makes(stage.Private)
		before := bob.SyncToken()
		inviting.does(c, alice, roomID, bob.UserID)
		bob.AwaitsOwn(before, roomID, "invite")
		alice.AwaitsMembership(roomID, bob.UserID, "invite")
	},
})
