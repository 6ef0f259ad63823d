package membership

// Forgotten rooms.

import (
	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// stillServed reports whether a user is served the history of a room that it left and forgot.
func stillServed(c *check.C, user *stage.User, roomID string) bool {
	shown, err := user.Messages(c.Context(), roomID, "", "b", 10)
	return err == nil && len(shown.Get("chunk").Array()) > 0
}

// servesForgottenOrdinary reports whether that is so in an ordinary room: then clients work as there.
func servesForgottenOrdinary(s *stage.Stage) bool {
	host, guest := s.User("ordinary-host"), s.User("ordinary-guest")
	roomID := host.MakesOrdinary(stage.Public)
	guest.JoinsOrdinary(roomID)
	s.C.Need(stage.OrdinaryRooms, guest.LeaveRoom(s.C.Context(), roomID))
	s.C.Need(stage.OrdinaryRooms, guest.ForgetRoom(s.C.Context(), roomID))
	return stillServed(s.C, guest, roomID)
}

// A user that forgets a room which it left can read its history no more (client-server API, POST /forget), and is not shown it again,
// until it joins again.
func init() {
	for _, each := range []struct {
		name, path string
		makes      func(s *stage.Stage) (roomID string, other *stage.User, via []string)
	}{
		{"a user forgets a room", "client", func(s *stage.Stage) (string, *stage.User, []string) {
			alice := s.User("alice")
			return alice.Makes(stage.Public), alice, nil
		}},
		{"a user forgets a room of a peer", "client, of a peer", func(s *stage.Stage) (string, *stage.User, []string) {
			resident, other := s.Peer(), s.User("other")
			room := resident.Makes(federation.RoomOptions{Creator: resident.User("carol")})
			other.Joins(room.ID(), resident.Name())
			room.Blaming("membership/join-remote").AwaitsMember(other.UserID, "join")
			return room.ID(), other, []string{resident.Name()}
		}},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"membership/forget"},
			Path:     each.path,
			Body: func(c *check.C) {
				s := stage.Open(c, blueprints.OneServer)
				roomID, other, via := each.makes(s)
				bob := s.User("bob")
				bob.Joins(roomID, via...)
				joins, leave, leaves := "membership/join-local", bob.Leaves, "membership/leave"
				if len(via) > 0 {
					joins, leave, leaves = "membership/join-remote", bob.LeavesRemote, "membership/leave-remote"
				}
				other.Blaming(joins).AwaitsMembership(roomID, bob.UserID, "join")
				bob.Says(roomID, "said before the leave")
				before := bob.SyncToken()
				leave(roomID)
				bob.Blaming(leaves).AwaitsRoomIn(before, "leave", roomID)
				_, err := bob.Messages(c.Context(), roomID, "", "b", 10)
				c.Control(err)

				inOrdinary := servesForgottenOrdinary(s)
				c.UnderTest()
				c.Must(bob.ForgetRoom(c.Context(), roomID))
				switch {
				case !stillServed(c, bob, roomID):
				case inOrdinary:
					c.NotJudged("/messages of a room that a user forgot", "it still shows events of ordinary rooms, too")
				default:
					c.Errorf("/messages still shows events of a room to a user that forgot it")
				}
				assert.Equal(c, "", bob.FindsRoomIn(roomID), "the section of /sync in which a user is shown a room that it forgot")
				before = bob.SyncToken()
				_, err = bob.JoinRoom(c.Context(), roomID)
				c.Must(err)
				bob.AwaitsRoomIn(before, "join", roomID)
				other.Hears(roomID, bob)
			},
		})
	}
}

// A user must leave a room before it forgets it (client-server API, POST /forget): one that did not stays a member, and is shown what
// is said there. The control is a user that left.
var _ = check.Register(check.Check{
	Name:     "a member does not forget the room that it is in",
	Requires: []string{"membership/forget"},
	Path:     "client, as a member",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, dora := s.User("alice"), s.User("bob"), s.User("dora")
		roomID := alice.Makes(stage.Public)
		for _, user := range []*stage.User{bob, dora} {
			user.Joins(roomID)
			alice.Blaming("membership/join-local").AwaitsMembership(roomID, user.UserID, "join")
		}
		dora.Leaves(roomID)
		c.Control(dora.ForgetRoom(c.Context(), roomID))

		c.UnderTest()
		c.Notef("the request of a member to forget the room was answered with %v", bob.ForgetRoom(c.Context(), roomID))
		section := bob.FindsRoomIn(roomID)
		if membershipOf(c, alice, roomID, bob.UserID) == "join" {
			assert.Equal(c, "join", section, "the section of /sync in which a member is shown its room")
			bob.Hears(roomID, alice)
			alice.Hears(roomID, bob)
		} else {
			c.Errorf("a member that asked to forget its room is one no more")
		}
	},
})

// A user may forget a room whose invite it rejected, too.
var _ = check.Register(check.Check{
	Name:     "a user forgets a room that it was invited to",
	Requires: []string{"membership/forget"},
	Path:     "client, after an invite",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := s.User("alice"), s.User("bob")
		roomID := alice.Makes(stage.Private)
		alice.Blaming("membership/invite-local").Invites(roomID, bob.UserID)
		bob.Blaming("membership/invite-local").AwaitsOwn("", roomID, "invite")
		before := bob.SyncToken()
		c.Need("membership/reject-invite", bob.LeaveRoom(c.Context(), roomID))
		bob.Blaming("membership/reject-invite").AwaitsRoomIn(before, "leave", roomID)
		c.Must(bob.ForgetRoom(c.Context(), roomID))
		assert.Equal(c, "", bob.FindsRoomIn(roomID), "the section of /sync in which a user is shown a room that it forgot")
		before = bob.SyncToken()
		alice.Blaming("membership/invite-local").Invites(roomID, bob.UserID)
		bob.AwaitsOwn(before, roomID, "invite")
	},
})
