package delivery

import (
	"context"
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
				a.entersAmong(some)
			}
		},
	}
	// AuthChainOfSendJoin is the auth chain in the answer to send_join: the joiner left, and set state before that is
	// authorised by its join.
	AuthChainOfSendJoin = Path{
		Name: "the auth chain of send_join", Enters: true,
		Deliver: func(s Scene, join federation.Event, joiner *federation.User) Delivery {
			s.Room.Apply(join)
			note := s.Room.Builds(MemberStateUnder(joiner, joiner.ID()[1:]))
			s.Room.Apply(note)
			Leaves(s.Room, joiner, join)
			without(s.Origin, federation.Backfill)
			entered := s.Enters()
			entered.Shows = note
			return entered
		},
	}
	// Backfill is the answer to /backfill: the event is neither in the room's state nor in the auth chain of the state, and is
	// requested when a client pages back.
	Backfill = Path{
		Name: "backfill", Kinds: []Kind{Message}, Enters: true,
		Deliver: func(s Scene, event federation.Event, _ *federation.User) Delivery {
			s.Room.Apply(event)
			s.Room.AppliesText(s.Carol, "said before alice's join")
			entered := s.Enters()
			if !entered.Outside {
				s.Alice.Browses(s.Room.ID())
			}
			return entered
		},
		Introduce: introduceByBackfill,
	}
	// BackfillOfMember is Backfill for a join: its user joined, sent a message and left. The message is requested when a client
	// pages back, and the join with it.
	BackfillOfMember = Path{
		Name: "backfill", Enters: true,
		Deliver: func(s Scene, join federation.Event, joiner *federation.User) Delivery {
			s.Room.Apply(join)
			said := s.Room.AppliesText(joiner, "said long ago")
			Leaves(s.Room, joiner, join)
			before := len(s.Origin.Requests())
			entered := s.Enters()
			if !entered.Outside {
				s.Alice.Browses(s.Room.ID())
				s.Asked(before, federation.Backfill)
			}
			entered.Shows = said
			return entered
		},
	}
)

// without makes a peer return no events at an endpoint.
func without(peer *stage.Peer, endpoint federation.Endpoint) {
	peer.Handle(endpoint, func(*federation.Request, func() federation.Answer) federation.Answer {
		return federation.JSON(http.StatusOK, map[string]any{"origin": peer.Name(), "origin_server_ts": 0, "pdus": []any{}})
	})
}

// entersAmong has Alice join a room of Origin with hostile members. If the server refuses to, because of some of them, it is told each
// half of them in a room of its own, so that these hide nothing of the others.
func (a *Attack) entersAmong(members []hostile.Input) {
	if refused := a.entersOnce(members); refused && len(members) > 1 {
		half := len(members) / 2
		a.entersAmong(members[:half])
		a.entersAmong(members[half:])
	}
}

// entersOnce has Alice join one room with hostile members, and reports whether the server refused to.
func (a *Attack) entersOnce(members []hostile.Input) (refused bool) {
	room := a.Origin.Makes(federation.RoomOptions{Creator: a.Carol})
	events := a.forgeIn(room, members)
	remove := a.Origin.Handle(federation.SendJoin, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
		return withHostile(honest(), "state", events)
	})
	defer remove()
	a.Entered = append(a.Entered, room.ID())
	a.asks(func(ctx context.Context) error {
		_, err := a.Alice.JoinRoom(ctx, room.ID(), a.Origin.Name())
		_, refused = csapi.Refused(err)
		return err
	})
	return refused
}
