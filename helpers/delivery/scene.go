package delivery

import (
	"slices"
	"time"

	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// Scene is a room of a peer that a user of the server under test is in, or enters, and in which the peer delivers events.
type Scene struct {
	*stage.Stage
	Alice      *stage.User      // of the server under test
	Origin     *stage.Peer      // delivers events, and lies where the check makes it
	Carol, Dan *federation.User // of Origin: the creator, which has all power, and a member without power
	Room       *stage.Room      // as Origin knows it
	// Breaks is the requirement that is broken when Alice sees no more of what is said in the room; "": membership/join-remote.
	Breaks string
	// Patience is how long the server under test may take to show an event, and Deadline how long for an exchange with Origin,
	// on a quiet machine. Open sets both to stage.Patience.
	Patience, Deadline time.Duration
}

// Open makes the scene's users and peer, and no room.
func Open(s *stage.Stage) Scene {
	opened := Scene{Stage: s, Alice: s.User("alice"), Origin: s.Peer(), Patience: stage.Patience, Deadline: stage.Patience}
	opened.Carol, opened.Dan = opened.Origin.User("carol"), opened.Origin.User("dan")
	return opened
}

// MakesRoom makes a room of Origin with Carol and Dan in it.
func (s Scene) MakesRoom() *stage.Room {
	room := s.Origin.Makes(federation.RoomOptions{
		Creator: s.Carol, PowerLevels: map[string]any{"events": map[string]any{MemberStateType: 0}},
	})
	room.Applies(room.MemberTemplate(s.Dan, "join"))
	return room
}

// OpensRoom makes the scene's room anew, and lets Alice join it.
func (s *Scene) OpensRoom() {
	s.Room = s.MakesRoom()
	s.Alice.Joins(s.Room.ID(), s.Origin.Name())
	s.Barrier()
}

// Enters lets Alice enter the room, and waits until her client sees what is said there. The room may be refused.
func (s Scene) Enters() Delivery {
	if _, err := s.Alice.JoinRoom(s.C.Context(), s.Room.ID(), s.Origin.Name()); err != nil {
		return Delivery{Answer: "a refusal to enter the room: " + err.Error(), Outside: true}
	}
	s.Barrier()
	return Delivery{Answer: "entering the room"}
}

// Barrier has Carol say something that Alice must be shown: the server has dealt with what was delivered before it.
func (s Scene) Barrier() { s.awaits(s.Room.Says(s.Carol, "said when all of that was told")) }

// awaits waits until Alice is shown an event that is beyond doubt.
func (s Scene) awaits(event federation.Event) {
	requirement := s.Breaks
	if requirement == "" {
		requirement = "membership/join-remote"
	}
	s.Alice.Blaming(requirement).AwaitsEvent(s.Room.ID(), event.ID())
}

// Asked ends the check unless the server under test asked Origin at one of the endpoints, after so many earlier requests: it
// met the event nowhere.
func (s Scene) Asked(earlier int, endpoints ...federation.Endpoint) {
	if !slices.ContainsFunc(s.Origin.Requests()[earlier:], func(request federation.Request) bool {
		return slices.Contains(endpoints, request.Endpoint)
	}) {
		s.C.Inconclusive("the server never asked for what it misses: none of %v reached %s", endpoints, s.Origin.Name())
	}
}

// TextMessage is a text message of a member, at the room's end.
func (s Scene) TextMessage(sender *federation.User, body string) federation.Template {
	return s.Template(federation.TextMessage(sender, body))
}

// Note is state that every member may send, at the room's end.
func (s Scene) Note(sender *federation.User, body string) federation.Template {
	return s.Template(federation.Proto{
		Type: MemberStateType, Sender: sender, StateKey: federation.StateKey(sender.ID()[1:]), Content: map[string]string{"note": body},
	})
}

// Template makes a template at the room's end; one that cannot be made is the suite's fault.
func (s Scene) Template(proto federation.Proto) federation.Template {
	template, err := s.Room.Template(proto)
	if err != nil {
		s.C.SuiteError(err)
	}
	return template
}

// Leaves applies the leave of a joiner to a room. It claims what the join claimed: deployed servers do not enter a room in
// whose state a member event is without a mapping.
func Leaves(room *stage.Room, joiner *federation.User, join federation.Event) {
	leave := room.MemberTemplate(joiner, "leave")
	if mapping, carried := mappingOf(join); carried {
		leave = leave.WithMapping(mapping)
	}
	room.Applies(leave)
}
