package delivery

import (
	"slices"
	"time"

	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// Scene is a room of a peer that a user of the server under test is in, or joins, and in which the peer delivers events.
type Scene struct {
	*stage.Stage
	Alice      *stage.User      // of the server under test
	Origin     *stage.Peer      // delivers events, and alters them where the check says so
	Carol, Dan *federation.User // of Origin: the creator, who has all power, and a member without power
	Room       *stage.Room      // as Origin knows it
	// Patience is how long the server under test may take to show an event, and Deadline how long to answer Origin, on a quiet
	// machine. Open sets both to stage.Patience.
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

// AliceJoins lets Alice join the room.
func (s Scene) AliceJoins() {
	s.Alice.Joins(s.Room.ID(), s.Origin.Name())
	s.Room.Blaming("mapping/in-remote-join").MemberOf(s.Alice.UserID) // otherwise peers do not take her server for a member
}

// OpensRoom makes a new room, lets Alice join it and waits until her client sees its messages.
func (s *Scene) OpensRoom() {
	s.Room = s.MakesRoom()
	s.AliceJoins()
	s.Barrier()
}

// Enters lets Alice join the room, which may fail, and waits until her client sees its messages.
func (s Scene) Enters() Delivery {
	if err := s.JoinsIfLet(); err != nil {
		return Delivery{Answer: "a refusal to join the room: " + err.Error(), KeptOut: err}
	}
	return Delivery{Answer: "joining the room", Barrier: s.Barrier()}
}

// JoinsIfLet lets Alice join the room, and returns the error if the server does not.
func (s Scene) JoinsIfLet() error {
	_, err := s.Alice.JoinRoom(s.C.Context(), s.Room.ID(), s.Origin.Name())
	s.C.Timely(err) // Dendrite answers a join after 20 s, whether joined or not
	return err
}

// KeepsOut fails the check because Alice could not enter a room with a lie in it, and could enter one without. What clients were given
// before they are given after: only a demand that the room itself be refused is met by that.
func (s Scene) KeepsOut(what string, refusal error) {
	s.C.Errorf("%s keeps others out of the room: the server answered with a refusal to join the room: %v", what, refusal)
}

// Barrier waits until Alice is shown a new message of Carol, which it returns: the server has processed what was delivered before it. In a
// room that it has entered it may verify members after that (stage.User.LetsVerify), so Barrier waits until Carol is shown by user ID. If she
// is not, the check judges what clients are shown then.
func (s Scene) Barrier() federation.Event {
	barrier := s.Room.Says(s.Carol, "said after the delivery")
	s.Alice.Blaming("membership/join-remote").AwaitsEventBy(s.Room.ID(), barrier.ID(), s.Carol.ID())
	return barrier
}

// awaits waits until Alice is shown an event that every server accepts.
func (s Scene) awaits(event federation.Event) {
	s.Alice.Blaming("membership/join-remote").AwaitsEvent(s.Room.ID(), event.ID())
}

// Asked ends the check unless the server under test sent Origin a request to one of the endpoints, after so many earlier
// requests: otherwise it cannot have received the event.
func (s Scene) Asked(earlier int, endpoints ...federation.Endpoint) {
	if !slices.ContainsFunc(s.Origin.Requests()[earlier:], func(request federation.Request) bool {
		return slices.Contains(endpoints, request.Endpoint)
	}) {
		s.C.Inconclusive("the server never asked for what it misses: none of %v reached %s", endpoints, s.Origin.Name())
	}
}

// TextMessage is a text message of a member, at the end of the room.
func (s Scene) TextMessage(sender *federation.User, body string) federation.Template {
	return s.Template(federation.TextMessage(sender, body))
}

// Invite is an invite of a user of Origin by a member, with the invited user's mapping; the key of the invited user has not signed it.
func (s Scene) Invite(by, invited *federation.User) federation.Template {
	key := invited.KeyIn(s.Room.ID()).Public
	return s.Template(federation.Proto{
		Type: "m.room.member", StateKey: federation.StateKey(string(key)), Sender: by, Content: map[string]string{"membership": "invite"},
	}).WithMappingOf(invited).NamingKey(key)
}

// Template makes a template at the end of the room. One that cannot be made is an error of the suite.
func (s Scene) Template(proto federation.Proto) federation.Template {
	template, err := s.Room.Template(proto)
	if err != nil {
		s.C.SuiteError(err)
	}
	return template
}

// LaterJoiner lets a user of a new peer join a room of the server under test, and returns the room as the peer was served it.
func LaterJoiner(s *stage.Stage, roomID string) *stage.Room {
	later := s.Peer()
	return later.Joins(roomID, later.User("witness"))
}

// ServesLaterJoiner reports whether a server that joins the room later is served an event in its state or auth chain.
func ServesLaterJoiner(s *stage.Stage, roomID, eventID string) bool {
	_, served := LaterJoiner(s, roomID).Event(eventID)
	return served
}
