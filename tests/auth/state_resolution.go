package auth

// Chapter auth, state resolution: two servers that learn of the same conflicting events in another order come to the same
// state, and to the one that the rules give by key.

import (
	"fmt"
	"maps"
	"slices"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// conflict is two events that do not know of each other: the one by carol, who has all power, the other by dan, who has
// some, or by frank, who is not in the room. The one takes from the other what it stands on, and so stays in the state,
// and the other does not. Erin is a member without power.
type conflict struct {
	name  string
	one   func(q scene) federation.Event
	other func(q scene) federation.Event
	// stays is what must be in the state as it was before.
	stays  func(q scene) federation.Event
	deadly bool // deployed servers die of it
}

// scene is a room of a peer in which alice of hs1 and bob of hs2 are, with the peer's users.
type scene struct {
	delivery.Scene
	bob         *stage.User
	erin, frank *federation.User
}

func (q scene) state(eventType, stateKey string, by *federation.User, content any) federation.Event {
	return q.Room.Builds(federation.Proto{Type: eventType, StateKey: federation.StateKey(stateKey), Sender: by, Content: content})
}

func (q scene) current(eventType, stateKey string) federation.Event {
	event, _ := q.Room.StateEvent(eventType, stateKey)
	return event
}

func (q scene) keyOf(user *federation.User) string { return user.SenderIn(q.Room.Room) }

// levels are power levels in which dan has that much.
func (q scene) levels(dans int) map[string]any {
	return map[string]any{"users": map[string]int{q.keyOf(q.Carol): 100, q.keyOf(q.Dan): dans}}
}

var conflicts = []conflict{
	{
		name: "what a member did beside its demotion",
		one:  func(q scene) federation.Event { return q.state("m.room.power_levels", "", q.Carol, q.levels(0)) },
		other: func(q scene) federation.Event {
			return q.state("m.room.topic", "", q.Dan, map[string]string{"topic": "by the demoted"})
		},
		stays: func(q scene) federation.Event { return q.current("m.room.topic", "") },
	},
	{
		name: "what a member did beside its ban",
		one: func(q scene) federation.Event {
			return q.state("m.room.member", q.keyOf(q.Dan), q.Carol, map[string]string{"membership": "ban"})
		},
		other: func(q scene) federation.Event {
			return q.state("m.room.member", q.keyOf(q.erin), q.Dan, map[string]string{"membership": "leave"})
		},
		stays: func(q scene) federation.Event { return q.current("m.room.member", q.keyOf(q.erin)) },
	},
	{
		name: "a join beside the closing of the room", deadly: true,
		one: func(q scene) federation.Event {
			return q.state("m.room.join_rules", "", q.Carol, map[string]string{"join_rule": "invite"})
		},
		other: func(q scene) federation.Event {
			join, err := q.Room.MemberTemplate(q.frank, "join").Build()
			if err != nil {
				q.C.SuiteError(err)
			}
			return join
		},
		stays: func(q scene) federation.Event { return q.current("m.room.member", q.keyOf(q.erin)) },
	},
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
			Body:       func(c *check.C) { judgeConflict(c, each) },
		})
	}
}

func judgeConflict(c *check.C, over conflict) {
	q := openScene(stage.Open(c, blueprints.TwoServers))
	stays, one, other := over.stays(q), over.one(q), over.other(q)
	hs1, hs2 := q.ServerName(1), q.ServerName(2)
	q.tells(hs1, one)
	q.tells(hs1, other)
	q.tells(hs2, other)
	q.tells(hs2, one)
	q.Room.Apply(one)
	q.Room.Apply(other)
	merged := q.Room.Builds(federation.TextMessage(q.Carol, "said when all know of both"))
	q.tells(hs1, merged)
	q.tells(hs2, merged)
	q.Alice.Blaming("auth/state-resolution").AwaitsEvent(q.Room.ID(), merged.ID())
	q.bob.Blaming("auth/state-resolution").AwaitsEvent(q.Room.ID(), merged.ID())

	alices, bobs := q.clientState(q.Alice), q.clientState(q.bob)
	assert.Equal(c, alices, bobs, "the room's state as clients of the two servers see it")
	at1, at2 := q.served(hs1, merged), q.served(hs2, merged)
	assert.Equal(c, at1, at2, "the state as the two servers serve it to a peer")
	for where, state := range map[string][]string{
		"a client of hs1": slices.Collect(maps.Values(alices)), "a client of hs2": slices.Collect(maps.Values(bobs)),
		"a peer of hs1": at1, "a peer of hs2": at2,
	} {
		assert.Contains(c, state, one.ID(), fmt.Sprintf("the state that %s sees, with %s", where, one))
		assert.NotContains(c, state, other.ID(), fmt.Sprintf("the state that %s sees, without %s", where, other))
		assert.Contains(c, state, stays.ID(), fmt.Sprintf("the state that %s sees, still with %s", where, stays))
	}
}

// openScene makes the room, and lets alice and bob join it.
func openScene(s *stage.Stage) scene {
	q := scene{Scene: delivery.Open(s), bob: s.UserAt(2, "bob")}
	q.erin, q.frank = q.Origin.User("erin"), q.Origin.User("frank")
	q.Room = q.Origin.Makes(federation.RoomOptions{Creator: q.Carol, Topic: "by the creator"})
	q.Room.Applies(q.Room.MemberTemplate(q.Dan, "join"))
	q.Room.Applies(q.Room.MemberTemplate(q.erin, "join"))
	q.Room.Apply(q.state("m.room.power_levels", "", q.Carol, q.levels(50)))
	q.Alice.Joins(q.Room.ID(), q.Origin.Name())
	q.bob.Joins(q.Room.ID(), q.Origin.Name())
	q.Alice.Blaming("membership/join-remote").AwaitsMembership(q.Room.ID(), q.bob.UserID, "join")
	return q
}

// tells sends an event to one server, and nobody else.
func (q scene) tells(server string, event federation.Event) {
	ctx, cancel := q.Origin.Within()
	defer cancel()
	_, err := q.Origin.SendTransaction(ctx, server, []federation.Event{event}, nil)
	q.C.Need("resilience/stays-up", err)
}

// clientState are the event IDs of the room's state as a client sees it, by type and state key.
func (q scene) clientState(user *stage.User) map[string]string {
	answer, err := user.State(q.C.Context(), q.Room.ID())
	q.C.Need("client-view/unmodified-client", err)
	state := map[string]string{}
	for _, event := range answer.JSON().Array() {
		state[event.Get("type").String()+" "+event.Get("state_key").String()] = event.Get("event_id").String()
	}
	return state
}

// served are the event IDs of the state before an event as a server serves it, ordered.
func (q scene) served(server string, event federation.Event) []string {
	ctx, cancel := q.Origin.Within()
	defer cancel()
	state, _, answer, err := q.Origin.FetchStateIDs(ctx, server, q.Room.Room, event.ID())
	if err == nil && !answer.OK() {
		err = fmt.Errorf("GET /state_ids of %s was answered %s", server, answer)
	}
	q.C.Need("routing/backfill-authorised", err)
	slices.Sort(state)
	return state
}
