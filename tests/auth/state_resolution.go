package auth

// Two servers that receive the same conflicting events in another order resolve the same state, and the one that the rules
// give by key.

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// conflict is two concurrent events: one by Carol, who has all power, the other by Dan, who has some, or by Frank, who is not
// in the room. The one takes away what authorises the other, or comes after it in the order of the rules: it stays in the state,
// and the other, unless it is a message, does not. Erin is a member without power.
type conflict struct {
	name string
	// first comes before the one alone; nil for nothing.
	first func(s scene) federation.Event
	one   func(s scene) federation.Event
	other func(s scene) federation.Event
	// stays is what must be in the state as it was before.
	stays  func(s scene) federation.Event
	deadly bool // deployed servers crash of it
}

// scene is a room of a peer that Alice of hs1 and Bob of hs2 are in, with the peer's users.
type scene struct {
	delivery.Scene
	bob         *stage.User
	erin, frank *federation.User
}

func (s scene) state(eventType, stateKey string, by *federation.User, content any) federation.Event {
	return s.Room.Builds(federation.Proto{Type: eventType, StateKey: federation.StateKey(stateKey), Sender: by, Content: content})
}

func (s scene) current(eventType, stateKey string) federation.Event {
	event, _ := s.Room.StateEvent(eventType, stateKey)
	return event
}

func (s scene) keyOf(user *federation.User) string { return user.SenderIn(s.Room.Room) }

// levels are power levels in which Dan has that much.
func (s scene) levels(ofDan int) map[string]any {
	return map[string]any{"users": map[string]int{s.keyOf(s.Carol): 100, s.keyOf(s.Dan): ofDan}}
}

var conflicts = []conflict{
	{
		name: "what a member did beside its demotion",
		one:  func(s scene) federation.Event { return s.state("m.room.power_levels", "", s.Carol, s.levels(0)) },
		other: func(s scene) federation.Event {
			return s.state("m.room.topic", "", s.Dan, map[string]string{"topic": "by the demoted"})
		},
		stays: func(s scene) federation.Event { return s.current("m.room.topic", "") },
	},
	{
		name: "what a member did beside its ban",
		one: func(s scene) federation.Event {
			return s.state("m.room.member", s.keyOf(s.Dan), s.Carol, map[string]string{"membership": "ban"})
		},
		other: func(s scene) federation.Event {
			return s.state("m.room.member", s.keyOf(s.erin), s.Dan, map[string]string{"membership": "leave"})
		},
		stays: func(s scene) federation.Event { return s.current("m.room.member", s.keyOf(s.erin)) },
	},
	{
		// On the side of the message Erin is still joined. Her join, which authorises the kick, comes before it in the order of power
		// events, although both are in conflict: after it, the join would be allowed, as the room is public.
		name: "a kick beside a message",
		one: func(s scene) federation.Event {
			return s.state("m.room.member", s.keyOf(s.erin), s.Carol, map[string]string{"membership": "leave"})
		},
		other: func(s scene) federation.Event {
			return s.Room.Builds(federation.TextMessage(s.Dan, "said beside the kick"))
		},
		stays: func(s scene) federation.Event { return s.current("m.room.topic", "") },
	},
	{
		name: "a join beside the closing of the room", deadly: true,
		one: func(s scene) federation.Event {
			return s.state("m.room.join_rules", "", s.Carol, map[string]string{"join_rule": "invite"})
		},
		other: func(s scene) federation.Event { return s.Room.BuildsMember(s.frank, "join") },
		stays: func(s scene) federation.Event { return s.current("m.room.member", s.keyOf(s.erin)) },
	},
	{
		// By mainline ordering, what newer power levels authorise comes later, however old it says it is.
		name: "an event under newer power levels, beside one with a later time,",
		first: func(s scene) federation.Event {
			return s.state("m.room.power_levels", "", s.Carol, s.levels(60))
		},
		one:   func(s scene) federation.Event { return s.topicAt(s.Carol, -time.Minute) },
		other: func(s scene) federation.Event { return s.topicAt(s.Dan, time.Minute) },
		stays: func(s scene) federation.Event { return s.current("m.room.member", s.keyOf(s.erin)) },
	},
}

// topicAt is a topic that says it was sent some time from now.
func (s scene) topicAt(by *federation.User, after time.Duration) federation.Event {
	return s.Room.Builds(federation.Proto{
		Type: "m.room.topic", StateKey: federation.StateKey(""), Sender: by, Content: map[string]string{"topic": "of " + by.ID()},
		OriginServerTS: time.Now().Add(after).UnixMilli(),
	})
}

// Room state is resolved by power and history alone, so that all servers end in the same (room version 2, state
// resolution), with keys in the place of user IDs (MSC1228, Proposal).
func init() {
	for _, each := range conflicts {
		check.Register(check.Check{
			Name:       each.name + " resolves alike on two servers",
			Requires:   []string{"auth/state-resolution"},
			TwoServers: true,
			Deadly:     each.deadly,
			Body:       each.judge,
		})
	}
}

// judge sends both branches to both servers, in opposite orders, and then a message after both.
func (pair conflict) judge(c *check.C) {
	s := openScene(stage.Open(c, blueprints.TwoServers))
	stays, other := pair.stays(s), pair.other(s)
	var branch []federation.Event
	if pair.first != nil {
		branch = append(branch, pair.first(s))
		s.Room.Apply(branch[0])
	}
	one := pair.one(s)
	branch = append(branch, one)
	hs1, hs2 := s.ServerName(1), s.ServerName(2)
	c.UnderTest()
	s.sends(hs1, append(branch, other)...)
	s.sends(hs2, append([]federation.Event{other}, branch...)...)
	s.Room.Apply(one)
	s.Room.Apply(other)
	merged := s.Room.Builds(federation.TextMessage(s.Carol, "said after both"))
	s.sends(hs1, merged)
	s.sends(hs2, merged)
	s.Alice.AwaitsEvent(s.Room.ID(), merged.ID())
	s.bob.AwaitsEvent(s.Room.ID(), merged.ID())

	ofAlice, ofBob := s.clientState(s.Alice), s.clientState(s.bob)
	assert.Equal(c, ofAlice, ofBob, "the room's state as clients of the two servers see it")
	served1, served2 := s.servedState(hs1, merged), s.servedState(hs2, merged)
	assert.Equal(c, served1, served2, "the state as the two servers serve it to a peer")
	for _, seen := range []struct {
		by    string
		state []string
	}{
		{"a client of hs1", slices.Collect(maps.Values(ofAlice))}, {"a client of hs2", slices.Collect(maps.Values(ofBob))},
		{"a peer of hs1", served1}, {"a peer of hs2", served2},
	} {
		assert.Contains(c, seen.state, one.ID(), fmt.Sprintf("the state that %s sees, with %s", seen.by, one))
		assert.NotContains(c, seen.state, other.ID(), fmt.Sprintf("the state that %s sees, without %s", seen.by, other))
		assert.Contains(c, seen.state, stays.ID(), fmt.Sprintf("the state that %s sees, still with %s", seen.by, stays))
	}
}

// openScene makes the room, and lets Alice and Bob join it.
func openScene(s *stage.Stage) scene {
	opened := scene{Scene: delivery.Open(s), bob: s.UserAt(2, "bob")}
	opened.erin, opened.frank = opened.Origin.User("erin"), opened.Origin.User("frank")
	opened.Room = opened.Origin.Makes(federation.RoomOptions{Creator: opened.Carol, Topic: "by the creator"})
	opened.Room.Applies(opened.Room.MemberTemplate(opened.Dan, "join"))
	opened.Room.Applies(opened.Room.MemberTemplate(opened.erin, "join"))
	opened.Room.Apply(opened.state("m.room.power_levels", "", opened.Carol, opened.levels(50)))
	opened.AliceJoins()
	opened.bob.Joins(opened.Room.ID(), opened.ServerName(1)) // mapping/delivered-by-third-server is open: hs1 has the join from hs2 itself
	opened.Alice.Blaming("membership/remote-joins-us").AwaitsMembership(opened.Room.ID(), opened.bob.UserID, "join")
	opened.Room.Blaming("routing/reaches-members").AwaitsMember(opened.bob.UserID, "join")
	return opened
}

// sends sends events to one server alone, each in a transaction.
func (s scene) sends(server string, events ...federation.Event) {
	for _, event := range events {
		ctx, cancel := s.Origin.Within()
		_, err := s.Origin.SendTransaction(ctx, server, []federation.Event{event}, nil)
		cancel()
		s.C.Need("resilience/stays-up", err)
	}
}

// clientState are the event IDs of the room's state as a client sees it, by type and state key.
func (s scene) clientState(user *stage.User) map[string]string {
	answer, err := user.State(s.C.Context(), s.Room.ID())
	s.C.Need("client-view/unmodified-client", err)
	state := map[string]string{}
	for _, event := range answer.JSON().Array() {
		state[event.Get("type").String()+" "+event.Get("state_key").String()] = event.Get("event_id").String()
	}
	return state
}

// servedState are the event IDs of the state before an event as a server serves it, ordered.
func (s scene) servedState(server string, event federation.Event) []string {
	ctx, cancel := s.Origin.Within()
	defer cancel()
	state, _, answer, err := s.Origin.FetchStateIDs(ctx, server, s.Room.Room, event.ID())
	if err == nil && !answer.OK() {
		err = fmt.Errorf("GET /state_ids of %s was answered %s", server, answer)
	}
	s.C.Need("routing/backfill-authorised", err)
	slices.Sort(state)
	return state
}
