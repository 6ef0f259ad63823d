package rules

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/pdu"
)

// resolveInAllOrders resolves the states of some forks, in every order of two and many of more, and returns the one
// state that all must come to.
func resolveInAllOrders(t *testing.T, forks ...*room) State {
	var states []State
	for _, fork := range forks {
		states = append(states, fork.state)
	}
	resolved, err := Rules{}.Resolve(states, forks[0])
	require.NoError(t, err)
	random := rand.New(rand.NewPCG(1, 2))
	for range 4 {
		slices.Reverse(states)
		if len(states) > 2 {
			random.Shuffle(len(states), func(i, j int) { states[i], states[j] = states[j], states[i] })
		}
		again, err := Rules{}.Resolve(states, forks[0])
		require.NoError(t, err)
		require.Equal(t, idsOf(resolved), idsOf(again), "the order of the states matters")
	}
	return resolved
}

func idsOf(state State) map[pdu.StateKey]string {
	ids := map[pdu.StateKey]string{}
	for key, event := range state {
		ids[key] = event.ID()
	}
	return ids
}

// TestResolve has auth/state-resolution: what two servers make of what they did while they were cut off.
func TestResolve(t *testing.T) {
	demoteBob := func(r *room) *pdu.Event {
		return r.event("alice", powerLevelsType, new(""), r.levels(object{"users": object{r.id("alice"): 100}}))
	}
	cases := map[string]struct {
		here, there []func(*room) *pdu.Event
		check       func(t *testing.T, r *room, resolved State)
	}{
		"who is demoted here bans nobody there": {
			here:  []func(*room) *pdu.Event{demoteBob},
			there: []func(*room) *pdu.Event{membership("bob", "carol", "ban")},
			check: func(t *testing.T, r *room, resolved State) {
				assert.EqualValues(t, 0, resolved.PowerLevels().Of(r.id("bob")))
				assert.Equal(t, "join", resolved.Membership(r.id("carol")))
			},
		},
		"also when he did so before": {
			here:  []func(*room) *pdu.Event{membership("bob", "carol", "ban")},
			there: []func(*room) *pdu.Event{demoteBob},
			check: func(t *testing.T, r *room, resolved State) {
				assert.Equal(t, "join", resolved.Membership(r.id("carol")))
			},
		},
		"who is banned here has not changed its name there": {
			here: []func(*room) *pdu.Event{membership("bob", "carol", "ban")},
			there: []func(*room) *pdu.Event{func(r *room) *pdu.Event {
				return r.event("carol", memberType, new(r.id("carol")), object{"membership": "join", "displayname": "C"})
			}},
			check: func(t *testing.T, r *room, resolved State) {
				assert.Equal(t, "ban", resolved.Membership(r.id("carol")))
			},
		},
		"nor left": {
			here:  []func(*room) *pdu.Event{membership("bob", "carol", "ban")},
			there: []func(*room) *pdu.Event{membership("carol", "carol", "leave"), membership("carol", "carol", "join")},
			check: func(t *testing.T, r *room, resolved State) {
				assert.Equal(t, "ban", resolved.Membership(r.id("carol")))
			},
		},
		"nor done anything, also before": {
			here:  []func(*room) *pdu.Event{stateKeyed("carol", "carol")},
			there: []func(*room) *pdu.Event{membership("bob", "carol", "ban")},
			check: func(t *testing.T, r *room, resolved State) {
				assert.Nil(t, resolved.Get("org.example.own", r.id("carol")))
			},
		},
		"who was given power here uses it here": {
			here: []func(*room) *pdu.Event{
				powerLevelsBy("alice", func(r *room) object { return object{"users": object{r.id("alice"): 100, r.id("bob"): 100}} }),
				powerLevelsBy("bob", func(r *room) object {
					return object{"users": object{r.id("alice"): 100, r.id("bob"): 100}, "kick": 60}
				}),
			},
			there: []func(*room) *pdu.Event{powerLevelsBy("alice", func(*room) object { return object{"kick": 40} })},
			check: func(t *testing.T, r *room, resolved State) {
				assert.EqualValues(t, 60, resolved.PowerLevels().For("kick"))
			},
		},
		"an event comes after what it stands on, whoever has more power": {
			here: []func(*room) *pdu.Event{
				powerLevelsBy("bob", func(*room) object { return object{"events": object{"x": 20}} }),
				powerLevelsBy("alice", func(*room) object { return object{"kick": 40} }),
			},
			there: []func(*room) *pdu.Event{message("carol")},
			check: func(t *testing.T, r *room, resolved State) {
				assert.EqualValues(t, 40, resolved.PowerLevels().For("kick"))
			},
		},
		"a room closed here was not joined there": {
			here: []func(*room) *pdu.Event{func(r *room) *pdu.Event {
				return r.event("alice", joinRulesType, new(""), object{"join_rule": "invite"})
			}},
			there: []func(*room) *pdu.Event{membership("dave", "dave", "join")},
			check: func(t *testing.T, r *room, resolved State) {
				assert.Equal(t, "leave", resolved.Membership(r.id("dave")))
				assert.Equal(t, "invite", resolved.JoinRule())
			},
		},
		"what does not conflict is all there": {
			here:  []func(*room) *pdu.Event{membership("dave", "dave", "join")},
			there: []func(*room) *pdu.Event{membership("erin", "erin", "join")},
			check: func(t *testing.T, r *room, resolved State) {
				assert.Equal(t, "join", resolved.Membership(r.id("dave")))
				assert.Equal(t, "join", resolved.Membership(r.id("erin")))
			},
		},
		"of two names the one on the newer power levels stands": {
			here: []func(*room) *pdu.Event{
				func(r *room) *pdu.Event {
					return r.event("alice", powerLevelsType, new(""), r.levels(object{"kick": 40}))
				},
				func(r *room) *pdu.Event { return r.event("alice", "m.room.name", new(""), object{"name": "here"}) },
			},
			there: []func(*room) *pdu.Event{func(r *room) *pdu.Event { return r.event("alice", "m.room.name", new(""), object{"name": "there"}) }},
			check: func(t *testing.T, r *room, resolved State) {
				assert.Equal(t, "here", resolved.Get("m.room.name", "").Content("name").String())
			},
		},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			inFormats(t, nil, func(t *testing.T, f pdu.Format) {
				here := populated(t, f)
				anyoneSendsState(here)
				there := here.fork()
				having(c.here...)(here)
				having(c.there...)(there)
				c.check(t, here, resolveInAllOrders(t, here, there))
			})
		})
	}
}

func TestResolveWithoutConflict(t *testing.T) {
	r := populated(t, pdu.FormatMSC4014)
	assert.Equal(t, idsOf(r.state), idsOf(resolveInAllOrders(t, r)))
	assert.Equal(t, idsOf(r.state), idsOf(resolveInAllOrders(t, r, r.fork(), r.fork())))
	none, err := Rules{}.Resolve(nil, r)
	require.NoError(t, err)
	assert.Empty(t, none)
}

func TestResolveNeedsTheAuthChain(t *testing.T) {
	here := populated(t, pdu.FormatMSC4014)
	there := here.fork()
	having(membership("bob", "carol", "ban"))(here)
	having(membership("dave", "dave", "join"))(there)
	delete(here.events, here.state.Create().ID())
	_, err := Rules{}.Resolve([]State{here.state, there.state}, here)
	assert.ErrorContains(t, err, "not in the history")
}

// TestResolveWithTheEventsOwnAuthEvents has a state that lacks what an event needs: dave's join, which the room refuses
// by now. It is taken from the event's own auth events, unless it was rejected.
func TestResolveWithTheEventsOwnAuthEvents(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pdu.Format) {
		here := populated(t, f)
		anyoneSendsState(here)
		there := here.fork()
		join := there.add(there.member("dave", "dave", "join"))
		topic := there.add(there.event("dave", "m.room.topic", new(""), object{"topic": "x"}))
		key := pdu.StateKey{Type: "m.room.topic"}
		there.state = maps.Clone(here.state)
		there.state[key] = topic
		resolved := resolveInAllOrders(t, here, there)
		assert.Equal(t, join, resolved.Member(here.id("dave")), "control: the auth difference has the join, and it is allowed")

		here.joinRule("invite")
		there.state = maps.Clone(here.state)
		there.state[key] = topic
		resolved = resolveInAllOrders(t, here, there)
		assert.Equal(t, topic, resolved[key])
		assert.Nil(t, resolved.Member(here.id("dave")))
		here.rejected[join.ID()] = true
		assert.Nil(t, resolveInAllOrders(t, here, there)[key])
	})
}

// TestResolveKeepsWhatDoesNotConflict has a state with an event whose power levels neither state has (step 5).
func TestResolveKeepsWhatDoesNotConflict(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pdu.Format) {
		here := populated(t, f)
		there := here.fork()
		there.add(powerLevelsBy("alice", func(*room) object { return object{"kick": 40} })(there))
		topic := there.add(there.event("alice", "m.room.topic", new(""), object{"topic": "x"}))
		there.state = maps.Clone(here.state)
		there.state[pdu.StateKey{Type: "m.room.topic"}] = topic
		resolved := resolveInAllOrders(t, here, there)
		assert.EqualValues(t, 50, resolved.PowerLevels().For("kick"))
		assert.Equal(t, topic, resolved.Get("m.room.topic", ""))
	})
}

// TestResolveRandomRooms lets members of a room act at random on forks that know nothing of each other, merges them,
// and does so again. All orders must come to one state, and all formats to the same one.
func TestResolveRandomRooms(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			want := randomRoom(t, formats["v10"], seed)
			for name, f := range formats {
				assert.Equal(t, want, randomRoom(t, f, seed), name)
			}
		})
	}
}

// randomRoom returns when the events of the resolved state were sent, for each merge: no two of a room are of one time.
func randomRoom(t *testing.T, f pdu.Format, seed uint64) (sent [][]int64) {
	random := rand.New(rand.NewPCG(seed, 7))
	trunk := populated(t, f)
	for range 3 {
		var forks []*room
		for range 2 + random.IntN(3) {
			fork := trunk.fork()
			for range 12 {
				act(fork, random)
			}
			forks = append(forks, fork)
		}
		trunk = trunk.fork()
		trunk.state, trunk.heads = resolveInAllOrders(t, forks...), nil
		for _, fork := range forks {
			trunk.heads = append(trunk.heads, fork.heads...)
		}
		var times []int64
		for _, event := range trunk.state {
			times = append(times, event.OriginServerTS())
		}
		sent = append(sent, slices.Sorted(slices.Values(times)))
		assert.NoError(t, Rules{}.Allowed(message("alice")(trunk), trunk.state), "alice is never overruled")
	}
	return sent
}

// act adds one random event, if the rules allow it.
func act(r *room, random *rand.Rand) {
	names := []string{"alice", "bob", "carol", "dave", "erin", "frank"}
	actor, target := names[random.IntN(len(names))], names[random.IntN(len(names))]
	var e *pdu.Event
	switch choice := random.IntN(12); choice {
	case 0, 1:
		users := maps.Clone(r.levels(nil)["users"].(object))
		users[r.id("bob")] = []int{0, 50, 75}[random.IntN(3)]
		users[r.id(target)] = []int{0, 50, 75}[random.IntN(3)]
		users[r.id("alice")] = 100
		e = r.event(actor, powerLevelsType, new(""), object{"users": users})
	case 2:
		e = r.event(actor, joinRulesType, new(""), object{"join_rule": []string{"public", "invite", "knock"}[random.IntN(3)]})
	case 3, 4:
		e = r.event(actor, "m.room.topic", new(""), object{"topic": "x"})
	case 5, 6, 7:
		e = r.member(target, target, "join")
	default:
		if target == "alice" {
			return
		}
		e = r.member(actor, target, []string{"ban", "leave", "invite", "knock"}[choice-8])
	}
	if (Rules{}).Allowed(e, r.state) == nil {
		r.add(e)
	}
}
