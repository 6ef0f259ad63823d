package delivery

import (
	"context"
	"encoding/json"
	"net/http"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
	"msc4014/helpers/stage"
)

// Paths by which the server under test receives an event when it joins a room.
var (
	// StateOfSendJoin is the room's state in the answer to send_join.
	StateOfSendJoin = Path{
		Name: "the state of send_join", Kinds: []Kind{Join, PrivilegedState}, Enters: true,
		Deliver: func(s Scene, event federation.Event, _ *federation.User) Delivery {
			s.Room.Apply(event)
			without(s.Origin, federation.Backfill) // history that clients page back to would be another path
			return s.Enters()
		},
		Introduce: introduceByStateOfSendJoin,
		Attack: func(a *Attack, inputs []hostile.Input) {
			for _, some := range a.apart(inputs) {
				togetherOrApart(some, a.entersAmong)
			}
		},
	}
	// AuthChainOfSendJoin is the auth chain in the answer to send_join: the state has an event of the joiner that is authorised by its
	// join, and not the join.
	AuthChainOfSendJoin = Path{
		Name: "the auth chain of send_join", Enters: true,
		Deliver: func(s Scene, join federation.Event, joiner *federation.User) Delivery {
			s.Room.Apply(join)
			note := s.Room.Builds(MemberStateUnder(joiner, joiner.ID()[1:]))
			s.Room.Apply(note)
			s.withholds(join)
			without(s.Origin, federation.Backfill)
			entered := s.Enters()
			entered.Shows = note
			return entered
		},
	}
	// Backfill is the answer to /backfill: the event is neither in the room's state nor in the auth chain of the state, and is
	// requested when a client pages back.
	Backfill = Path{
		Name: "backfill", Kinds: []Kind{Message, MemberState}, Enters: true,
		Deliver: func(s Scene, event federation.Event, _ *federation.User) Delivery {
			s.Room.Apply(event)
			s.Room.AppliesText(s.Carol, "said before alice's join")
			if _, isState := event.StateKey(); isState {
				s.withholds(event)
			}
			return s.entersAndPages()
		},
		Introduce: introduceByBackfill,
	}
	// BackfillOfMember is Backfill for a join: its user sent a message, and is not in the state. The message is requested when a client
	// pages back, and the join with it.
	BackfillOfMember = Path{
		Name: "backfill", Enters: true,
		Deliver: func(s Scene, join federation.Event, joiner *federation.User) Delivery {
			s.Room.Apply(join)
			said := s.Room.AppliesText(joiner, "said long ago")
			s.withholds(join)
			entered := s.entersAndPages()
			entered.Shows = said
			return entered
		},
	}
)

// entersAndPages has Alice join the room and page back, for which the server must ask Origin for history.
func (s Scene) entersAndPages() Delivery {
	before := len(s.Origin.Requests())
	entered := s.Enters()
	if entered.KeptOut == nil {
		s.Alice.Browses(s.Room.ID())
		s.Asked(before, federation.Backfill, federation.GetMissingEvents, federation.GetEvent)
	}
	return entered
}

// withholds makes Origin leave a state event, such as a join, out of the state that it gives to servers that join. Instead of a join a
// leave would do, by an event that carries a mapping of its own, or none, and deployed servers do not join a room with a member event
// without one in its state.
func (s Scene) withholds(event federation.Event) {
	s.Origin.Handle(federation.SendJoin, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
		answer, kept := honest(), []json.RawMessage{}
		for _, given := range answer.Get("state").Array() {
			if federation.NewEvent([]byte(given.Raw), event.Format()).ID() != event.ID() {
				kept = append(kept, json.RawMessage(given.Raw))
			}
		}
		if !answer.OK() {
			return answer
		}
		return answer.Set("state", kept)
	})
}

// without makes a peer return no events at an endpoint.
func without(peer *stage.Peer, endpoint federation.Endpoint) {
	peer.Handle(endpoint, func(*federation.Request, func() federation.Answer) federation.Answer {
		return federation.JSON(http.StatusOK, map[string]any{"origin": peer.Name(), "origin_server_ts": 0, "pdus": []any{}})
	})
}

// entersAmong has Alice join a room with hostile members, and reports whether the server refused to.
func (a *Attack) entersAmong(members []hostile.Input) (refused bool) {
	room := a.Origin.Makes(federation.RoomOptions{Creator: a.Carol})
	events := a.forgeIn(room, members)
	remove := a.Origin.Handle(federation.SendJoin, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
		return withHostile(honest(), "state", events)
	})
	defer remove()
	a.asks(func(ctx context.Context) error {
		_, err := a.Alice.JoinRoom(ctx, room.ID(), a.Origin.Name())
		_, refused = csapi.Refused(err)
		return err
	})
	if refused {
		a.KeptOut = append(a.KeptOut, room.ID())
	} else {
		a.Entered = append(a.Entered, room.ID())
	}
	return refused
}
