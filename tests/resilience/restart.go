package resilience

// Chapter resilience: what is true stays true through restarts, and nothing that the suite does brings a server down.

import (
	"errors"
	"fmt"
	"slices"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// No input of the suite makes a server crash, hang, or fail healthy requests afterwards. The runner judges it: every
// deployment is watched, and looked at in a healthy room when its last check is over.
var _ = check.Register(check.Check{
	Name:     "no server crashes, hangs or falls ill",
	Requires: []string{"resilience/stays-up"},
	Closing:  true,
})

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

// outlived is what was seen before and after an outage.
type outlived struct {
	differences []string // in the views of clients and of peers
	keys        []string // of users of the server: those that changed
}

func (o outlived) judge(c *check.C) {
	for _, difference := range o.differences {
		c.Errorf("%s", difference)
	}
}

func (o outlived) judgeKeys(c *check.C) {
	assert.Empty(c, o.keys, "users who write under another key than before")
}

// outlivedBy plays an outage, once for all checks that want to know what outlived it: a room with members here and on a
// peer, and one who left, is looked at before and after by clients, by the peer and by a server that joins later; and
// messages must flow again.
func outlivedBy(o blueprints.Outage, c *check.C) outlived {
	s := stage.Open(c, o.Blueprint)
	return stage.Scene(s, "outage", func() outlived {
		// Nothing here may fail a check, for it is not known which of them comes first; see stage.Scene.
		const requirement = "resilience/restart"
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
		locals := []*stage.User{alice, bob}
		for _, user := range locals {
			user.Blaming("membership/remote-joins-us").AwaitsEvent(roomID, said.ID())
		}

		before := map[string]stage.Snapshot{}
		for _, user := range locals {
			before[user.UserID] = user.Snapshot(roomID)
		}
		members := map[string]federation.Event{}
		for _, userID := range []string{alice.UserID, bob.UserID} {
			members[userID] = room.Blaming("mapping/in-creator-join").MemberOf(userID)
		}
		state, err := room.ServedState(said.ID())
		c.Need("membership/remote-joins-us", err)

		s.Restart(1, o.Kill)

		var seen outlived
		for i, user := range locals {
			for _, difference := range before[user.UserID].Differences(user.Snapshot(roomID)) {
				seen.differences = append(seen.differences, fmt.Sprintf("client %d: %s", i+1, difference))
			}
		}
		again, err := room.ServedState(said.ID())
		c.Need(requirement, err)
		if !slices.Equal(state, again) {
			seen.differences = append(seen.differences, fmt.Sprintf("the peer is served other state: %d events, and not the %d from before", len(again), len(state)))
		}
		// The server may wait before it tries the peer again; it knows better once it hears from it.
		back := room.Says(carol, "said after the outage")
		for _, user := range locals {
			user.Blaming(requirement).AwaitsEvent(roomID, back.ID())
			heard := room.Blaming(requirement).AwaitsEvent(user.Says(roomID, "said to the peer again"))
			if known := members[user.UserID].Sender(); heard.Sender() != known {
				seen.keys = append(seen.keys, fmt.Sprintf("%s wrote under %s and now under %s", user.UserID, known, heard.Sender()))
			}
		}
		later := s.Peer()
		joined := later.Joins(roomID, later.User("later"))
		for userID, member := range members {
			now, known := joined.StateEvent("m.room.member", member.Sender())
			if !known || now.ID() != member.ID() || joined.UserIDOf(member.Sender()) != userID {
				seen.differences = append(seen.differences, fmt.Sprintf("a server that joins later is given another member event of %s", userID))
			}
		}
		if sender := joined.SenderOf(left.UserID); sender != "" && joined.Membership(sender) != "leave" {
			c.Need(requirement, errors.New("a user that had left is in the room again"))
		}
		return seen
	})
}
