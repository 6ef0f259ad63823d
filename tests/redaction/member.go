package redaction

// Members of a room, of the server under test or of a peer, with one set of methods for both.

import (
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// member is a member of a room.
type member interface {
	// ID is the user ID.
	ID() string
	// says sends a text message.
	says(text string) (eventID string)
	// setsTopic sets the room's topic, which takes power.
	setsTopic(topic string) (eventID string)
	// redacts redacts an event.
	redacts(eventID string)
}

// local is a member of the server under test.
type local struct {
	*stage.User
	c      *check.C
	roomID string
	breaks string // the requirement that the server breaks by a refusal; "": what the check judges
}

func (l local) need(err error) {
	if l.breaks != "" {
		l.c.Need(l.breaks, err)
	}
	l.c.Must(err)
}

func (l local) ID() string { return l.UserID }

func (l local) says(text string) string {
	eventID, err := l.SendMessage(l.c.Context(), l.roomID, text)
	l.need(err)
	return eventID
}

func (l local) setsTopic(topic string) string {
	eventID, err := l.SendState(l.c.Context(), l.roomID, "m.room.topic", "", map[string]any{"topic": topic})
	l.need(err)
	return eventID
}

func (l local) redacts(eventID string) { l.Blaming(l.breaks).Redacts(l.roomID, eventID) }

// attempting is a local member whose redactions may be refused: consequences decide, and the refusal is noted.
type attempting struct{ local }

func (a attempting) redacts(eventID string) { a.tries(eventID) }

// tries redacts an event and returns the ID of the redaction, "" if it was refused.
func (a attempting) tries(eventID string) (redactionID string) {
	redactionID, err := a.Redact(a.c.Context(), a.roomID, eventID, "")
	if err != nil {
		a.c.Notef("the server answered the redaction by %s with %v", a.UserID, err)
	}
	return redactionID
}

// remote is a member of a peer, which sends the events of its user to all servers in the room.
type remote struct {
	*federation.User
	room *stage.Room
}

func (r remote) says(text string) string { return r.sends(federation.TextMessage(r.User, text)) }

func (r remote) setsTopic(topic string) string {
	return r.sends(federation.Proto{
		Type: "m.room.topic", StateKey: federation.StateKey(""), Sender: r.User, Content: map[string]string{"topic": topic},
	})
}

func (r remote) redacts(eventID string) { r.room.Redacts(r.User, eventID) }

func (r remote) sends(proto federation.Proto) string {
	event := r.room.Builds(proto)
	r.room.Tells(event)
	return event.ID()
}
