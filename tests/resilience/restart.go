package resilience

// What is true of rooms and keys stays true when a server is restarted or killed.

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

func init() {
	for _, each := range blueprints.Outages {
		check.Register(check.Check{
			Name:     "rooms are the same after " + each.Name,
			Requires: []string{"resilience/restart"},
			Slow:     blueprints.RestartTime,
			Body:     func(c *check.C) { outlivedBy(each, c).judge(c) },
		})
		// The key of a user in a room should not change (MSC4014, Proposal 3.2): a server keeps it for good.
		check.Register(check.Check{
			Name:     "sender keys are the same after " + each.Name,
			Requires: []string{"sender-key/kept-across-restart"},
			Slow:     blueprints.RestartTime,
			Body:     func(c *check.C) { outlivedBy(each, c).judgeKeys(c) },
		})
	}
}

// outlived is what is different after an outage.
type outlived struct {
	differences []string // in the views of clients and of peers
	keys        []string // of users of the server that have another key than before
}

func (o outlived) judge(c *check.C) {
	for _, difference := range o.differences {
		c.Errorf("%s", difference)
	}
}

func (o outlived) judgeKeys(c *check.C) {
	assert.Empty(c, o.keys, "users who write under another key than before")
}

// outlivedBy restarts a server once for all checks that judge what outlives it. Nothing in it blames what a check judges, for
// any of the checks may come first; see stage.Scene.
func outlivedBy(o blueprints.Outage, c *check.C) outlived {
	s := stage.Open(c, o.Blueprint)
	return stage.Scene(s, "outage", func() outlived {
		before := observeRoom(s)
		s.Restart(1, o.Kill)
		return before.compare()
	})
}

// restartBroken is the requirement that a server breaks that does not work after a restart.
const restartBroken = "resilience/restart"

// observed is a room with members of the server and of a peer, and a user who left, as it was before an outage.
type observed struct {
	*stage.Stage
	room    *stage.Room // as the peer knows it
	carol   *federation.User
	said    string // the ID of the last event
	members []observedMember
	left    *stage.User
	state   []string // as the peer is served it
}

// observedMember is a user of the server in the room.
type observedMember struct {
	*stage.User
	views stage.Snapshot
	event federation.Event // its member event as the peer received it
}

// observeRoom makes the room and observes it as clients and as the peer.
func observeRoom(s *stage.Stage) observed {
	alice, bob, left, peer := s.User("alice"), s.User("bob"), s.User("left"), s.Peer()
	carol := peer.User("carol")
	roomID := alice.Makes(stage.Public)
	bob.Joins(roomID)
	left.Joins(roomID)
	left.Leaves(roomID)
	room := peer.Joins(roomID, carol)
	alice.Sets(roomID, "m.room.topic", "", map[string]any{"topic": "outages"})
	room.Blaming("routing/reaches-members").AwaitsEvent(bob.Says(roomID, "said to the peer"))
	said := room.Says(carol, "said before the outage")
	before := observed{Stage: s, room: room, carol: carol, said: said.ID(), left: left}
	for _, user := range []*stage.User{alice, bob} {
		shown := user.Blaming("membership/remote-joins-us")
		shown.AwaitsEvent(roomID, said.ID())
		shown.AwaitsMembership(roomID, carol.ID(), "join") // a server may verify her in the background (MSC1228, Handling the mxid mapping)
		before.members = append(before.members, observedMember{
			user, user.Snapshot(roomID), room.Blaming("mapping/in-creator-join").MemberOf(user.UserID),
		})
	}
	var err error
	before.state, err = room.ServedState(said.ID())
	s.C.Need("membership/remote-joins-us", err)
	return before
}

// compare observes the room again after the outage, and ensures that messages are sent both ways.
func (o observed) compare() (now outlived) {
	differs := func(format string, arguments ...any) {
		now.differences = append(now.differences, fmt.Sprintf(format, arguments...))
	}
	for i, member := range o.members {
		for _, difference := range member.views.Differences(member.Snapshot(o.room.ID())) {
			differs("client %d: %s", i+1, difference)
		}
	}
	state, err := o.room.ServedState(o.said)
	o.C.Need(restartBroken, err)
	if !slices.Equal(o.state, state) {
		differs("the peer is served other state: %d events, and not the %d from before", len(state), len(o.state))
	}
	// The server may wait before it tries to reach the peer again; it stops waiting once the peer sends it something.
	said := o.room.Says(o.carol, "said after the outage")
	for _, member := range o.members {
		member.Blaming(restartBroken).AwaitsEvent(o.room.ID(), said.ID())
		received := o.room.Blaming(restartBroken).AwaitsEvent(member.Says(o.room.ID(), "said to the peer again"))
		if known := member.event.Sender(); received.Sender() != known {
			now.keys = append(now.keys, fmt.Sprintf("%s wrote under %s and now under %s", member.UserID, known, received.Sender()))
		}
	}
	later := delivery.LaterJoiner(o.Stage, o.room.ID())
	for _, member := range o.members {
		served, known := later.StateEvent("m.room.member", member.event.Sender())
		if key := member.event.Sender(); !known || served.ID() != member.event.ID() || later.UserIDOf(key) != o.room.UserIDOf(key) {
			differs("a server that joins later is given another member event of %s", member.UserID)
		}
	}
	if sender := later.SenderOf(o.left.UserID); sender != "" && later.Membership(sender) != "leave" {
		o.C.Need(restartBroken, errors.New("a user that had left is in the room again"))
	}
	return now
}
