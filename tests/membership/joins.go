package membership

// Joins of users of the server, and of users of other servers.

import (
	"strings"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// A local user joins a room of its own server, and each sees the other by user ID.
var _ = check.Register(check.Check{
	Name:     "a local user joins a room",
	Requires: []string{"membership/join-local"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := s.User("alice"), s.User("bob")
		room := alice.Makes(stage.Public)
		bob.Joins(room)
		alice.AwaitsMembership(room, bob.UserID, "join")
		bob.AwaitsMembership(room, bob.UserID, "join")
		seeAndHearEachOther(room, alice, bob)
	},
})

// seeAndHearEachOther ensures that each of the two members of a room is shown both, and the messages of the other.
func seeAndHearEachOther(room string, alice, bob *stage.User) {
	alice.SeesMembers(room, alice.UserID, bob.UserID)
	bob.SeesMembers(room, alice.UserID, bob.UserID)
	alice.Hears(room, bob)
	bob.Hears(room, alice)
}

// A local user joins a room that lives on a remote server.
var _ = check.Register(check.Check{
	Name:     "a user joins a room of a peer",
	Requires: []string{"membership/join-remote"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol})
		alice.Joins(room.ID(), resident.Name())
		joinedRemotely(room, alice, carol)
	},
})

// joinedRemotely ensures that a user of the server under test and one of a peer see each other in a room of the peer.
func joinedRemotely(room *stage.Room, alice *stage.User, carol *federation.User) {
	room.AwaitsMember(alice.UserID, "join")
	alice.AwaitsMembership(room.ID(), carol.ID(), "join")
	alice.SeesMembers(room.ID(), alice.UserID, carol.ID())
	room.ExchangesMessages(alice, carol)
}

// And joins it again after it has left: nothing of the first membership may prevent that.
var _ = check.Register(check.Check{
	Name:     "a user joins a room of a peer again after it left",
	Requires: []string{"membership/join-remote"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol})
		alice.Joins(room.ID(), resident.Name())
		room.AwaitsMember(alice.UserID, "join")
		alice.LetsVerify(room.ID(), carol.ID())
		alice.LeavesRemote(room.ID())
		room.Blaming("membership/leave-remote").AwaitsLeave(alice.UserID)
		c.UnderTest()
		alice.Joins(room.ID(), resident.Name())
		room.ExchangesMessages(alice, carol)
	},
})

// The same between two servers under test, seen by the clients of both.
var _ = check.Register(check.Check{
	Name:       "a user joins a room of another server",
	Requires:   []string{"membership/join-remote"},
	TwoServers: true,
	Body: func(c *check.C) {
		s := stage.OpenSharedRoom(c)
		s.Alice.AwaitsMembership(s.RoomID, s.Bob.UserID, "join")
		s.Bob.AwaitsMembership(s.RoomID, s.Alice.UserID, "join")
		seeAndHearEachOther(s.RoomID, s.Alice, s.Bob)
	},
})

// A user joins by an alias of its own server.
var _ = check.Register(check.Check{
	Name:     "a user joins by a local alias",
	Requires: []string{"membership/join-by-alias"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := s.User("alice"), s.User("bob")
		room := alice.Makes(stage.Public)
		alias := "#" + strings.TrimPrefix(alice.UserID, "@") // a user's own name is free as an alias
		if err := alice.CreateAlias(c.Context(), alias, room); err != nil {
			if inOrdinary := alice.CreateAlias(c.Context(), alias, alice.MakesOrdinary(stage.Public)); inOrdinary != nil {
				c.Unsupported("users cannot give an ordinary room of the server an alias either: %v", inOrdinary)
			}
			c.Must(err)
		}
		joined, err := bob.JoinRoom(c.Context(), alias)
		c.Must(err)
		assert.Equal(c, room, joined, "the room that an alias leads into")
		alice.AwaitsMembership(room, bob.UserID, "join")
		alice.Hears(room, bob)
	},
})

// A user joins by an alias in a remote server's directory.
var _ = check.Register(check.Check{
	Name:     "a user joins by an alias of a peer",
	Requires: []string{"membership/join-by-alias"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, resident := s.User("alice"), s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol, AliasName: "meeting"})
		joined, err := alice.JoinRoom(c.Context(), "#meeting:"+resident.Name())
		if err != nil {
			other := s.Peer()
			other.MakesOrdinary(federation.RoomOptions{Creator: other.User("host"), AliasName: "meeting"})
			if _, refusal := alice.JoinRoom(c.Context(), "#meeting:"+other.Name()); refusal != nil {
				c.Timely(refusal)
				c.Unsupported("users cannot join ordinary rooms by an alias of a peer either: %v", refusal)
			}
		}
		c.Must(err)
		assert.Equal(c, room.ID(), joined, "the room that an alias leads into")
		joinedRemotely(room, alice, carol)
	},
})

// A remote user joins a room of the server by make_join and send_join.
var _ = check.Register(check.Check{
	Name:     "a user of a peer joins a room",
	Requires: []string{"membership/remote-joins-us"},
	Path:     "send_join",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		carol := peer.User("carol")
		room := peer.Joins(alice.Makes(stage.Public), carol)
		alice.AwaitsMembership(room.ID(), carol.ID(), "join")
		alice.SeesMembers(room.ID(), alice.UserID, carol.ID())
		room.MemberOf(alice.UserID)
		room.ExchangesMessages(alice, carol)
	},
})

// A second user of a server that is in the room joins by an event that its server sends in a transaction.
var _ = check.Register(check.Check{
	Name:     "another user of a peer joins a room",
	Requires: []string{"membership/remote-joins-us"},
	Path:     "send",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		carol, dan := peer.User("carol"), peer.User("dan")
		room := peer.Joins(alice.Makes(stage.Public), carol)
		room.JoinsByEvent(dan)
		alice.AwaitsMembership(room.ID(), dan.ID(), "join")
		alice.SeesMembers(room.ID(), alice.UserID, carol.ID(), dan.ID())
		room.ExchangesMessages(alice, dan)
	},
})
