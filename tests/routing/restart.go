package routing

// After a restart events and EDUs go to the same servers as before, and the same servers may request history (MSC4014, hard
// requirement 1).

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

func init() {
	for _, each := range blueprints.Outages {
		check.Register(check.Check{
			Name:     "events go to the same servers after " + each.Name,
			Requires: []string{"routing/after-restart"},
			Slow:     blueprints.RestartTime,
			Body:     func(c *check.C) { openRestartRoom(c).judgeAfter(each) },
		})
	}
}

// restartRoom is a room of Alice with peers that must be sent its events after a restart, and peers that must not.
type restartRoom struct {
	*stage.Stage
	alice     *stage.User
	roomID    string
	room      *stage.Room   // as a peer with a member knows it, the first of members
	members   []*stage.Peer // with a member: as it joined, redacted, and by a newer mapping
	gone      []goneServer  // without a member any more
	elsewhere string        // another room of Alice that all of gone are in
}

// goneServer is a peer whose last member is gone.
type goneServer struct {
	room      *stage.Room
	last      federation.Event // the last event that it must be sent
	elsewhere *stage.Room
}

// openRestartRoom makes a room with four peers: one with a member, one whose only member's event was redacted, one whose member
// left, and one whose member a newer mapping moved to a fifth.
func openRestartRoom(c *check.C) *restartRoom {
	s := &restartRoom{Stage: stage.Open(c, blueprints.PrivateServer)}
	s.alice = s.User("alice")
	s.roomID = s.alice.Makes(stage.Public, stage.InitialState("m.room.history_visibility", "", map[string]any{"history_visibility": "joined"}))
	s.elsewhere = s.alice.Makes(stage.Public)
	plain, redacted, left, old, moved := s.Peer(), s.Peer(), s.Peer(), s.Peer(), s.Peer()
	// Events queued for those that are gone arrive before the messages of another room.
	leftElsewhere, oldElsewhere := left.Joins(s.elsewhere, left.User("member")), old.Joins(s.elsewhere, old.User("member"))

	leftRoom := s.joins(left)
	leave := leftRoom.Leaves(left.User("member"))
	s.alice.Blaming("membership/leave-remote").AwaitsMembership(s.roomID, left.User("member").ID(), "leave")
	oldRoom := s.joins(old)
	move := oldRoom.Made(oldRoom.MemberTemplate(old.User("member"), "join").WithMappingOf(moved.User("moved")))
	movesTo(moved, oldRoom, move)
	s.alice.Blaming("mapping/latest-wins").AwaitsMembership(s.roomID, moved.User("moved").ID(), "join")
	redactedRoom := s.joins(redacted)
	join, _ := redactedRoom.StateEvent("m.room.member", redacted.User("member").SenderIn(redactedRoom.Room))
	redaction := s.alice.Blaming("redaction/displayname-goes").Redacts(s.roomID, join.ID())
	s.alice.Blaming("redaction/mapping-stays").AwaitsEvent(s.roomID, redaction)
	s.room = s.joins(plain)
	s.members = []*stage.Peer{plain, redacted, moved}
	s.gone = []goneServer{{leftRoom, leave, leftElsewhere}, {oldRoom, move, oldElsewhere}}
	return s
}

// joins lets a user of a peer join the room.
func (s *restartRoom) joins(peer *stage.Peer) *stage.Room {
	room := peer.Joins(s.roomID, peer.User("member"))
	s.alice.Blaming("membership/remote-joins-us").AwaitsMembership(s.roomID, peer.User("member").ID(), "join")
	return room
}

// judgeAfter stops the server and starts it again, and ensures that events, EDUs and history go to the same servers as before.
func (s *restartRoom) judgeAfter(outage blueprints.Outage) {
	c := s.C
	// By another user than afterwards: one typing notification is like the other.
	bob := s.User("bob")
	bob.Joins(s.roomID)
	before := s.reachesMembers(bob, "said before the outage", func(what string, err error) { c.Need(what, err) })
	unserved := map[string]error{}
	for _, each := range fetches {
		unserved[each.name] = each.served(s.Stage, s.members[0], s.room, before)
	}
	stranger := s.Peer()
	open := openTo(s.Stage, stranger, s.room, before)
	last := s.alice.Says(s.elsewhere, "said elsewhere before the outage")
	for _, server := range s.gone {
		server.elsewhere.Blaming("routing/reaches-members").AwaitsEvent(last)
	}
	s.Restart(1, outage.Kill)
	c.UnderTest()

	after := s.reachesMembers(s.alice, "said after the outage", func(_ string, err error) { c.Must(err) })
	c.Control(s.room.Receives(after))
	last = s.alice.Says(s.elsewhere, "said elsewhere after that")
	for _, server := range s.gone {
		server.elsewhere.AwaitsEvent(last)
	}
	for _, server := range s.gone {
		server.room.ReceivedNothingAfter(server.last)
	}
	for _, each := range fetches {
		if err := unserved[each.name]; err != nil {
			c.NotJudged("/"+each.name, "the server of a member is not served before the outage either: %v", err)
		} else if err := each.served(s.Stage, s.members[0], s.room, after); err != nil {
			c.Errorf("the server of a member is not served after the outage: %v", err)
		}
		if !open[each.name] { // else it was open to every server before, which the checks of history judge
			each.denied(s.Stage, stranger, s.room, after, "a server that never had a member in the room")
		}
	}
}

// reachesMembers lets a user send a message and type, and the peers with a member receive both. It returns the message.
func (s *restartRoom) reachesMembers(user *stage.User, text string, judge func(requirement string, err error)) (eventID string) {
	eventID = user.Says(s.roomID, text)
	typing, err := scenes.Typing.Happens(s.C.Context(), scenes.Occasion{User: user, RoomID: s.roomID})
	judge("routing/edus", err)
	for _, peer := range s.members {
		judge("routing/reaches-members", peer.Receives(eventID))
		judge("routing/edus", scenes.Typing.Arrives(peer, typing))
	}
	return eventID
}
