package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"msc4014/helpers/federation"
)

// Peer is a homeserver that the suite plays for one check, under a name of its own.
type Peer struct {
	*federation.Peer
	stage *Stage
}

// Peer makes a peer. It is honest until the check makes it lie.
func (s *Stage) Peer() *Peer {
	made, err := s.world.NewPeer(s.C.Check().Name, s.C.Sink(), s.Format())
	if err != nil {
		s.C.SuiteError(fmt.Errorf("make a peer: %w", err))
	}
	s.C.Cleanup(made.Close)
	return &Peer{Peer: made, stage: s}
}

// Room is a room as a peer knows it.
type Room struct {
	*federation.Room
	stage  *Stage
	peer   *Peer
	server string // the server under test that the room is shared with
	blame  string // what the server breaks if a step fails; "": what the check judges
}

// Blaming returns the same room with another requirement to blame for steps that fail; see User.Blaming.
func (r *Room) Blaming(requirement string) *Room {
	blaming := *r
	blaming.blame = requirement
	return &blaming
}

func (r *Room) need(err error) { r.stage.need(r.blame, err) }

// Joins lets a user of the peer join a room that hs1 has, by make_join and send_join.
func (p *Peer) Joins(roomID string, user *federation.User) *Room {
	return p.JoinsVia(p.stage.ServerName(1), roomID, user)
}

// JoinsVia is Joins through the named server.
func (p *Peer) JoinsVia(server, roomID string, user *federation.User) *Room {
	room, err := p.TryJoin(server, roomID, user)
	p.stage.C.Need("membership/remote-joins-us", err)
	return room
}

// TryJoin is JoinsVia for servers that may be gone.
func (p *Peer) TryJoin(server, roomID string, user *federation.User) (*Room, error) {
	ctx, cancel := p.stage.C.Within(Patience)
	defer cancel()
	room, err := p.Join(ctx, server, roomID, user)
	return &Room{Room: room, stage: p.stage, peer: p, server: server}, err
}

// JoinOf makes the join of a user of the peer for a room that hs1 has, by make_join, and does not send it.
func (p *Peer) JoinOf(roomID string, user *federation.User) federation.Event {
	ctx, cancel := p.Within()
	defer cancel()
	template, err := p.JoinTemplate(ctx, p.stage.ServerName(1), roomID, user)
	p.stage.C.Need("membership/remote-joins-us", err)
	event, err := template.Build()
	if err != nil {
		p.stage.C.SuiteError(err)
	}
	return event
}

// At is the same room, shared with the server at a place, counted from 1: what is pushed and asked for goes there.
func (r *Room) At(place int) *Room {
	elsewhere := *r
	elsewhere.server = r.stage.ServerName(place)
	return &elsewhere
}

// BuildsMember builds a member event of a user of the peer at the room's end.
func (r *Room) BuildsMember(user *federation.User, membership string) federation.Event {
	event, err := r.MemberTemplate(user, membership).Build()
	if err != nil {
		r.stage.C.SuiteError(err)
	}
	return event
}

// In is a room of hs1 that the peer is in already.
func (p *Peer) In(roomID string) *Room {
	return &Room{Room: p.Peer.Room(roomID), stage: p.stage, peer: p, server: p.stage.ServerName(1)}
}

// Makes makes a room that lives on the peer, in the candidate's dialect.
func (p *Peer) Makes(options federation.RoomOptions) *Room {
	room, err := p.CreateRoom(p.stage.Format(), options)
	if err != nil {
		p.stage.C.SuiteError(err)
	}
	return &Room{Room: room, stage: p.stage, peer: p, server: p.stage.ServerName(1)}
}

// Builds builds an event at the room's end; an event that cannot be built is the suite's fault.
func (r *Room) Builds(proto federation.Proto) federation.Event {
	event, err := r.Build(proto)
	if err != nil {
		r.stage.C.SuiteError(err)
	}
	return event
}

// Made builds an event from a template; one that cannot be built is the suite's fault.
func (r *Room) Made(template federation.Template) federation.Event {
	event, err := template.Build()
	if err != nil {
		r.stage.C.SuiteError(err)
	}
	return event
}

// Applies builds an event and applies it to the peer's room, without sending it to anybody.
func (r *Room) Applies(template federation.Template) federation.Event {
	event := r.Made(template)
	r.Apply(event)
	return event
}

// Says lets a user of the peer send a text message to the server under test. Whether the server takes it is seen by who
// awaits it.
func (r *Room) Says(user *federation.User, text string) federation.Event {
	event := r.Builds(federation.TextMessage(user, text))
	r.Delivers(event)
	return event
}

// Delivers applies an event to the peer's room and pushes it to the server under test in a transaction. A transaction
// without an answer ends the check; what the server says of the event is noted by Push.
func (r *Room) Delivers(event federation.Event) {
	r.Apply(event)
	if _, err := r.Pushes(event); err != nil {
		r.stage.C.Need("resilience/stays-up", err)
	}
}

// Pushes sends events to the server under test in one transaction without applying them to the peer's room.
func (r *Room) Pushes(events ...federation.Event) (*federation.TransactionAnswer, error) {
	ctx, cancel := r.stage.C.Within(Patience)
	defer cancel()
	return r.peer.SendTransaction(ctx, r.server, events, nil)
}

// Awaits waits until the peer receives an event of the room for which wanted returns nil.
func (r *Room) Awaits(wanted func(federation.Event) error) federation.Event {
	ctx, cancel := r.stage.C.Within(Patience)
	defer cancel()
	arrival, err := r.peer.WaitForEvent(ctx, func(event federation.Event) bool {
		return event.RoomID() == r.ID() && wanted(event) == nil
	})
	r.need(err)
	return arrival
}

// AwaitsEvent waits for one event by its ID.
func (r *Room) AwaitsEvent(eventID string) federation.Event {
	return r.Awaits(func(event federation.Event) error {
		if event.ID() != eventID {
			return errors.New("another event")
		}
		return nil
	})
}

// AwaitsMember waits for a member event whose mapping claims the user ID.
func (r *Room) AwaitsMember(userID, membership string) federation.Event {
	return r.Awaits(func(event federation.Event) error {
		if event.Type() == "m.room.member" && event.Membership() == membership && event.MappedUserID() == userID {
			return nil
		}
		return errors.New("another event")
	})
}

// MemberOf is the current member event of a user ID as the peer knows it; a room without one ends the
// check.
func (r *Room) MemberOf(userID string) federation.Event {
	sender := r.SenderOf(userID)
	event, known := r.StateEvent("m.room.member", sender)
	if sender == "" || !known {
		r.need(fmt.Errorf("no member event with a mapping of %s is in the room as peer %s knows it", userID, r.peer.Name()))
	}
	return event
}

// Within is a context for one exchange of the peer.
func (p *Peer) Within() (context.Context, context.CancelFunc) { return p.stage.C.Within(Patience) }

// SendsEDU tells hs1 something that is no event.
func (p *Peer) SendsEDU(eduType string, content map[string]any) {
	c := p.stage.C
	edu, err := json.Marshal(map[string]any{"edu_type": eduType, "content": content})
	if err != nil {
		c.SuiteError(err)
	}
	ctx, cancel := p.Within()
	defer cancel()
	answer, err := p.SendTransaction(ctx, p.stage.ServerName(1), nil, []json.RawMessage{edu})
	c.Need("resilience/stays-up", err)
	if !answer.OK() {
		c.Notef("the server answered a transaction with an EDU of type %s with %s", eduType, answer.Answer)
	}
}
