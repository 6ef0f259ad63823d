package twins

// Users of a peer. They have no client: what they do is sent as events of the peer, and what the server shows of it to clients is compared.

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"msc4014/helpers/federation"
)

// gone is what comes of a step of a guest who is not in the room: nothing is sent.
var gone = answer{status: http.StatusNotFound}

// enact does what a guest does in one of the rooms.
func (p *player) enact(r *room, step Step) (answer, error) {
	user := p.Guests[step.By-len(p.Users)]
	if step.Kind == "join" {
		return p.enter(r, user)
	}
	known := user.Peer().Room(r.id)
	if known == nil {
		return gone, nil
	}
	// The peer builds on what it was sent.
	if _, there := known.Event(r.last); r.last != "" && !there {
		ctx, cancel := p.Within(patience)
		_, err := user.Peer().WaitForEventID(ctx, r.last)
		cancel()
		if err != nil && p.stays(known, user) {
			return answer{}, fmt.Errorf("the peer was not sent %s: %w", r.last, err)
		}
	}
	if !p.stays(known, user) {
		return gone, nil
	}
	event, err := p.event(r, known, user, step)
	if err != nil {
		return answer{}, err
	}
	ctx, cancel := p.Within(patience)
	defer cancel()
	took, err := user.Peer().SendTransaction(ctx, p.Users[0].Server.Name, []federation.Event{event}, nil)
	if err != nil {
		return answer{}, err
	}
	if took.PDUErrors[event.ID()] == "" {
		known.Apply(event)
	}
	return answer{status: http.StatusOK, body: fields{"event_id": event.ID()}}, nil
}

// enter lets a guest join by make_join and send_join.
func (p *player) enter(r *room, user *federation.User) (answer, error) {
	ctx, cancel := p.Within(patience)
	defer cancel()
	_, err := user.Peer().Join(ctx, p.Users[0].Server.Name, r.id, user)
	switch {
	case err == nil:
		return answer{status: http.StatusOK, body: fields{}}, nil
	case ctx.Err() != nil:
		return answer{}, errors.Join(err, ctx.Err())
	}
	return answer{status: http.StatusForbidden}, nil
}

// stays reports whether a guest is in the room, as far as the peer knows.
func (p *player) stays(known *federation.Room, user *federation.User) bool {
	return known.Membership(user.SenderIn(known)) == "join"
}

// event builds the event of a step: that of the client's request.
func (p *player) event(r *room, known *federation.Room, user *federation.User, step Step) (federation.Event, error) {
	if step.Kind == "leave" {
		return known.MemberTemplate(user, "leave").Build()
	}
	if step.Kind == "own member event" {
		return known.MemberTemplate(user, "join").WithContent("displayname", text(step)).Build()
	}
	asked := kindsByName[step.Kind].request(r, step)
	var segments []string
	for _, each := range strings.Split(asked.path, "/") {
		segment, err := url.PathUnescape(each)
		if err != nil {
			return federation.Event{}, err
		}
		segments = append(segments, segment)
	}
	// "", _matrix, client, v3, rooms, ID, then send and a type, state and a type and a state key, or redact and an event ID
	proto := federation.Proto{Sender: user, Content: asked.body}
	switch what := segments[7]; segments[6] {
	case "send":
		proto.Type = what
	case "state":
		proto.Type, proto.StateKey = what, federation.StateKey(segments[8])
	case "redact":
		proto.Type, proto.Redacts = "m.room.redaction", what
	default:
		return federation.Event{}, fmt.Errorf("users of a peer do not %s", step.Kind)
	}
	return known.Build(proto)
}
