package redaction

// Members of a room, of the server under test or of a peer: what either does, told in the same words.

import (
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// member is somebody in a room.
type member interface {
	// ID is the user ID.
	ID() string
	// says sends a text message.
	says(text string) (eventID string)
	// names sets the room's topic, which takes power.
	names(topic string) (eventID string)
	// redacts redacts an event.
	redacts(eventID string)
}

// local is a member of the server under test. requirement is what the server breaks when it refuses something.
type local struct {
	*stage.User
	c                   *check.C
	requirement, roomID string
}

func (l local) ID() string { return l.UserID }

func (l local) says(text string) string {
	eventID, err := l.SendMessage(l.c.Context(), l.roomID, text)
	l.c.Need(l.requirement, err)
	return eventID
}

func (l local) names(topic string) string {
	eventID, err := l.SendState(l.c.Context(), l.roomID, "m.room.topic", "", map[string]any{"topic": topic})
	l.c.Need(l.requirement, err)
	return eventID
}

func (l local) redacts(eventID string) { l.Blaming(l.requirement).Redacts(l.roomID, eventID) }

// attempting is a local member whose redactions may be refused: consequences decide, and the refusal is noted.
type attempting struct{ local }

func (a attempting) redacts(eventID string) {
	if _, err := a.Redact(a.c.Context(), a.roomID, eventID, ""); err != nil {
		a.c.Notef("the server answered the redaction by %s with %v", a.UserID, err)
	}
}

// remote is a member of a peer, which tells all servers in the room what its user writes.
type remote struct {
	*federation.User
	room *stage.Room
}

func (r remote) says(text string) string {
	return r.tells(federation.TextMessage(nil, text))
}

func (r remote) names(topic string) string {
	none := ""
	return r.tells(federation.Proto{Type: "m.room.topic", StateKey: &none, Content: map[string]string{"topic": topic}})
}

func (r remote) redacts(eventID string) { r.room.Redacts(r.User, eventID) }

func (r remote) tells(proto federation.Proto) string {
	proto.Sender = r.User
	event := r.room.Builds(proto)
	r.room.Tells(event)
	return event.ID()
}
