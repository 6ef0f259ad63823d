package delivery

import (
	"context"
	"net/http"

	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
	"msc4014/helpers/stage"
)

// Paths by which the server under test meets an event when it enters a room.
var (
	// StateOfSendJoin is the room's state in the answer to send_join.
	StateOfSendJoin = Path{
		Name: "the state of send_join", Kinds: []Kind{Join, PrivilegedState}, Enters: true,
		Deliver: func(s Scene, event federation.Event, _ *federation.User) Delivery {
			s.Room.Apply(event)
			without(s.Origin, federation.Backfill) // what clients look back to would be another path
			return s.Enters()
		},
		Introduce: introduceByStateOfSendJoin,
		Attack: func(a *Attack, inputs []hostile.Input) {
			for _, some := range a.apart(inputs) {
				a.entersAmong(some)
			}
		},
	}
	// AuthChainOfSendJoin is the auth chain in the answer to send_join: the joiner set state, which stands on its join, and left.
	AuthChainOfSendJoin = Path{
		Name: "the auth chain of send_join", Enters: true,
		Deliver: func(s Scene, join federation.Event, joiner *federation.User) Delivery {
			s.Room.Apply(join)
			note := s.Room.Applies(s.Note(joiner, "left behind"))
			Leaves(s.Room, joiner, join)
			without(s.Origin, federation.Backfill)
			entered := s.Enters()
			entered.Shows = note
			return entered
		},
	}
	// Backfill is the answer to /backfill: the event is neither in the room's state nor in the auth chain of that, and comes
	// when a client looks back.
	Backfill = Path{
		Name: "backfill", Kinds: []Kind{Message}, Enters: true,
		Deliver: func(s Scene, event federation.Event, _ *federation.User) Delivery {
			s.Room.Apply(event)
			s.Room.Apply(s.Room.Builds(federation.TextMessage(s.Carol, "said before alice came")))
			entered := s.Enters()
			if !entered.Outside {
				s.Alice.Views(s.Room.ID())
			}
			return entered
		},
		Introduce: introduceByBackfill,
	}
	// BackfillOfMember is Backfill for a join: its user came, said something and left. What was said comes when a client looks
	// back, and the join with it.
	BackfillOfMember = Path{
		Name: "backfill", Enters: true,
		Deliver: func(s Scene, join federation.Event, joiner *federation.User) Delivery {
			s.Room.Apply(join)
			said := s.Room.Applies(s.TextMessage(joiner, "said long ago"))
			Leaves(s.Room, joiner, join)
			before := len(s.Origin.Requests())
			entered := s.Enters()
			if !entered.Outside {
				s.Alice.Views(s.Room.ID())
				s.Asked(before, federation.Backfill)
			}
			entered.Shows = said
			return entered
		},
	}
)

// without lets a peer have nothing to answer at an endpoint that gives events.
func without(peer *stage.Peer, endpoint federation.Endpoint) {
	peer.Handle(endpoint, func(*federation.Request, func() federation.Answer) federation.Answer {
		return federation.JSON(http.StatusOK, map[string]any{"origin": peer.Name(), "origin_server_ts": 0, "pdus": []any{}})
	})
}

// entersAmong has Alice enter a room of Origin with hostile members.
func (a *Attack) entersAmong(members []hostile.Input) {
	room := a.Origin.Makes(federation.RoomOptions{Creator: a.Carol})
	events := a.forgeIn(room, members)
	remove := a.Origin.Handle(federation.SendJoin, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
		return withHostile(honest(), "state", events)
	})
	defer remove()
	a.Entered = append(a.Entered, room.ID())
	a.asks(func(ctx context.Context) error {
		_, err := a.Alice.JoinRoom(ctx, room.ID(), a.Origin.Name())
		return err
	})
}
