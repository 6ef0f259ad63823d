package delivery

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/hostile"
)

// Paths by which the server under test requests an event that it misses in a room that it is in.
var (
	// GetMissingEvents is the answer to /get_missing_events.
	GetMissingEvents = Path{
		Name: "get_missing_events", Kinds: []Kind{Message, MemberState, PrivilegedState, Join}, Gap: true,
		Deliver: func(s Scene, event federation.Event, _ *federation.User) Delivery {
			return s.AfterGap(event, federation.GetMissingEvents)
		},
		Introduce: introduceByMissingEvents,
		Attack: func(a *Attack, inputs []hostile.Input) {
			for _, some := range a.apart(inputs) {
				for missing := range slices.Chunk(some, mostMissing) {
					togetherOrApart(missing, a.saysAfter)
				}
			}
		},
	}
	// State is the answer to /state or /state_ids: get_missing_events returns the gap without the event, so that the server
	// asks for the state there.
	State = Path{
		Name: "state", Kinds: []Kind{MemberState, PrivilegedState, Join}, Gap: true,
		Deliver: func(s Scene, event federation.Event, _ *federation.User) Delivery {
			defer s.LeavesOut(event)()
			return s.AfterGap(event, federation.GetStateIDs, federation.GetState)
		},
		Introduce: introduceByState,
	}
	// EventAuth is the answer to /event_auth, or to /event: the joiner is a member by one join, and then sends a message that
	// is authorised by another, which the server does not have.
	EventAuth = Path{Name: "event_auth", Known: true, Gap: true, Deliver: deliverByEventAuth}
)

// mostMissing is how many hostile events are in a gap: deployed servers ask for so many.
const mostMissing = 20

// LeavesOut lets Origin answer get_missing_events without an event, so that the server asks for the state there, until remove is called.
func (s Scene) LeavesOut(event federation.Event) (remove func()) {
	return s.Origin.Handle(federation.GetMissingEvents, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
		answer, kept := honest(), []json.RawMessage{}
		for _, missing := range answer.Get("events").Array() {
			if federation.NewEvent([]byte(missing.Raw), event.Format()).ID() != event.ID() {
				kept = append(kept, json.RawMessage(missing.Raw))
			}
		}
		return answer.Set("events", kept)
	})
}

// AfterGap sends the server an event that comes two events after the one to be delivered, and waits until the server has
// processed it. The barrier is beside the gap, not after it: it arrives whatever becomes of that. asked are the requests by
// which the server may have got the event.
func (s Scene) AfterGap(event federation.Event, asked ...federation.Endpoint) Delivery {
	before := len(s.Origin.Requests())
	barrier := s.Room.Builds(federation.TextMessage(s.Carol, "said beside the gap"))
	s.Room.Apply(event)
	s.Room.AppliesText(s.Carol, "said in the gap")
	after := s.Room.AppliesText(s.Carol, "said after the gap")
	answer := s.pushesBeside(after, barrier)
	s.Asked(before, asked...)
	return Delivery{Answer: answer, Barrier: barrier}
}

// pushesBeside pushes an event, and waits for a barrier that does not depend on it.
func (s Scene) pushesBeside(event, barrier federation.Event) (answer string) {
	response, err := s.Room.Pushes(event)
	s.C.Need("resilience/stays-up", err)
	s.Room.Delivers(barrier)
	s.awaits(barrier)
	return response.Answer.String()
}

func deliverByEventAuth(s Scene, join federation.Event, joiner *federation.User) Delivery {
	known := s.Room.Made(s.Room.MemberTemplate(joiner, "join").WithContent("displayname", "known before"))
	s.Room.Delivers(known)
	s.Alice.Blaming("membership/remote-joins-us").AwaitsMembership(s.Room.ID(), joiner.ID(), "join")
	after := s.Room.Made(s.TextMessage(joiner, "said as another").Alter(replaceAuthEvent(known.ID(), join.ID())))
	barrier := s.Room.Builds(federation.TextMessage(s.Carol, "said beside it"))
	chain := append(s.Room.AuthChain(join.AuthEvents()...), join)
	for _, id := range join.AuthEvents() {
		if event, ok := s.Room.Event(id); ok && !slices.ContainsFunc(chain, func(e federation.Event) bool { return e.ID() == id }) {
			chain = append(chain, event)
		}
	}
	s.Origin.Handle(federation.GetEventAuth, func(*federation.Request, func() federation.Answer) federation.Answer {
		return federation.JSON(http.StatusOK, map[string]any{"auth_chain": chain})
	})
	s.Origin.Handle(federation.GetEvent, func(request *federation.Request, honest func() federation.Answer) federation.Answer {
		if request.Parameters[0] != join.ID() {
			return honest()
		}
		return federation.JSON(http.StatusOK, map[string]any{
			"origin": s.Origin.Name(), "origin_server_ts": 0, "pdus": []federation.Event{join},
		})
	})
	before := len(s.Origin.Requests())
	answer := s.pushesBeside(after, barrier)
	s.Asked(before, federation.GetEventAuth, federation.GetEvent)
	return Delivery{Answer: answer, Shows: after, Barrier: barrier}
}

// replaceAuthEvent replaces one of the auth events of an event.
func replaceAuthEvent(old, replacement string) federation.Change {
	return func(event []byte) ([]byte, error) {
		var authEvents []string
		for _, id := range gjson.GetBytes(event, "auth_events").Array() {
			if id.String() == old {
				id.Str = replacement
			}
			authEvents = append(authEvents, id.Str)
		}
		return sjson.SetBytes(event, "auth_events", authEvents)
	}
}

// saysAfter has Carol send a message after hostile events, which the server must ask Origin for, and reports whether the server
// refused it. Each gap is in a room of its own: of several in one room deployed servers fill the first alone.
func (a *Attack) saysAfter(missing []hostile.Input) (refused bool) {
	room, err := a.opens(a.Origin, a.Carol)
	if err != nil {
		a.C.Notef("there is no room for a gap with %d hostile events: %v", len(missing), err)
		return false
	}
	a.Entered = append(a.Entered, room.ID())
	events := a.forgeIn(room, missing)
	remove := a.Origin.Handle(federation.GetMissingEvents, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
		return withHostile(honest(), "events", events)
	})
	defer remove()
	ids := room.Extremities()
	for _, event := range events[:min(len(events), 10)] {
		ids = append(ids, event.ID())
	}
	message, err := room.Template(federation.TextMessage(a.Carol, "said after a gap"))
	if err != nil {
		a.C.SuiteError(err)
	}
	after := room.Made(message.Alter(federation.SetField("prev_events", ids)))
	a.asks(func(ctx context.Context) error {
		answer, err := a.Origin.SendTransaction(ctx, a.ServerName(1), []federation.Event{after}, nil)
		refused = err == nil && (!answer.OK() || answer.PDUErrors[after.ID()] != "")
		return err
	})
	a.Chances++
	if a.awaitsFetch(room.ID()) {
		a.Taken++
	}
	return refused
}

// awaitsFetch waits until the server has asked Origin for missing events of a room, which it may do after it has answered, and reports
// whether it did.
func (a *Attack) awaitsFetch(roomID string) bool {
	ctx, cancel := a.While()
	defer cancel()
	_, err := a.Origin.WaitForRequest(ctx, func(request federation.Request) bool {
		return request.Endpoint == federation.GetMissingEvents && request.Room() != nil && request.Room().ID() == roomID
	})
	return err == nil
}
