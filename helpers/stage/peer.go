package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"msc4014/helpers/federation"
	"msc4014/helpers/formats"
)

// Peer is a homeserver that the suite plays for one check.
type Peer struct {
	*federation.Peer
	stage *Stage
}

// Peer starts a peer, which is closed when the check ends.
func (s *Stage) Peer() *Peer {
	made, err := s.world.NewPeer(s.C.Check().Name, s.C.Sink(), s.Format())
	if err != nil {
		s.C.SuiteError(fmt.Errorf("start a peer: %w", err))
	}
	s.C.Cleanup(made.Close)
	return &Peer{Peer: made, stage: s}
}

// Room is a peer's model of a room, and the server under test that the peer shares it with.
type Room struct {
	*federation.Room
	stage  *Stage
	peer   *Peer
	server string // the name of the server under test
	blame  string // the requirement to blame for a failed step; "" for the one that the check judges
}

// Blaming returns the same room with another requirement to blame for failed steps; see User.Blaming.
func (r *Room) Blaming(requirement string) *Room {
	blaming := *r
	blaming.blame = requirement
	return &blaming
}

func (r *Room) need(err error) { r.stage.need(r.blame, err) }

// Joins lets a user of the peer join a room through hs1, by make_join and send_join.
func (p *Peer) Joins(roomID string, user *federation.User) *Room {
	return p.JoinsVia(p.stage.ServerName(1), roomID, user)
}

// JoinsVia is Joins through another server.
func (p *Peer) JoinsVia(server, roomID string, user *federation.User) *Room {
	room, err := p.TryJoin(server, roomID, user)
	p.stage.C.Need("membership/remote-joins-us", err)
	return room
}

// TryJoin is JoinsVia for servers that may be down.
func (p *Peer) TryJoin(server, roomID string, user *federation.User) (*Room, error) {
	ctx, cancel := p.stage.C.Within(Patience)
	defer cancel()
	if !p.stage.knows(ofJoins...) {
		// A server that gives no template fails all the same.
		if _, err := p.JoinTemplate(ctx, server, roomID, user); err != nil {
			return &Room{stage: p.stage, peer: p, server: server}, err
		}
		p.stage.speaks(ofJoins...)
	}
	room, err := p.Join(ctx, server, roomID, user)
	return &Room{Room: room, stage: p.stage, peer: p, server: server}, err
}

// ofJoins are the parts of the format that a join depends on.
var ofJoins = []formats.Part{formats.Dialect, formats.Redaction, formats.Signature}

// JoinOf builds a join of a user of the peer from hs1's answer to make_join, without sending it.
func (p *Peer) JoinOf(roomID string, user *federation.User) federation.Event {
	ctx, cancel := p.Within()
	defer cancel()
	template, err := p.JoinTemplate(ctx, p.stage.ServerName(1), roomID, user)
	p.stage.C.Need("membership/remote-joins-us", err)
	p.stage.speaks(ofJoins...)
	event, err := template.Build()
	if err != nil {
		p.stage.C.SuiteError(err)
	}
	return event
}

// At returns the same room with the server at another place, counted from 1, to send to and to ask.
func (r *Room) At(place int) *Room {
	elsewhere := *r
	elsewhere.server = r.stage.ServerName(place)
	return &elsewhere
}

// BuildsMember builds a member event of a user of the peer.
func (r *Room) BuildsMember(user *federation.User, membership string) federation.Event {
	return r.Made(r.MemberTemplate(user, membership))
}

// In returns the room of hs1 with that ID; the peer must be in it.
func (p *Peer) In(roomID string) *Room {
	return &Room{Room: p.Peer.Room(roomID), stage: p.stage, peer: p, server: p.stage.ServerName(1)}
}

// Makes creates a room on the peer, in the candidate's dialect.
func (p *Peer) Makes(options federation.RoomOptions) *Room {
	p.stage.speaks(append([]formats.Part{formats.Base}, ofJoins...)...)
	room, err := p.CreateRoom(p.stage.Format(), options)
	if err != nil {
		p.stage.C.SuiteError(err)
	}
	return &Room{Room: room, stage: p.stage, peer: p, server: p.stage.ServerName(1)}
}

// Invite lets a user of the peer invite one of a server (federation.Room.Invite).
func (r *Room) Invite(ctx context.Context, server string, inviter *federation.User, userID string) (federation.Event, federation.Answer, error) {
	r.stage.speaks(formats.Invites)
	return r.Room.Invite(ctx, server, inviter, userID)
}

// InviteFrom is Invite with a request from another peer, and with changes (federation.Room.InviteFrom).
func (r *Room) InviteFrom(
	ctx context.Context, from *federation.Peer, server string, inviter *federation.User, userID string, changes ...federation.Change,
) (federation.Event, federation.Answer, error) {
	r.stage.speaks(formats.Invites)
	return r.Room.InviteFrom(ctx, from, server, inviter, userID, changes...)
}

// Builds builds an event. If that fails, the check ends with error.
func (r *Room) Builds(proto federation.Proto) federation.Event {
	event, err := r.Build(proto)
	if err != nil {
		r.stage.C.SuiteError(err)
	}
	return event
}

// Made builds an event from a template. If that fails, the check ends with error.
func (r *Room) Made(template federation.Template) federation.Event {
	event, err := template.Build()
	if err != nil {
		r.stage.C.SuiteError(err)
	}
	return event
}

// Applies builds an event and applies it to the peer's room, without sending it.
func (r *Room) Applies(template federation.Template) federation.Event {
	event := r.Made(template)
	r.Apply(event)
	return event
}

// Says lets a user of the peer send a text message to the server under test, which may refuse it.
func (r *Room) Says(user *federation.User, text string) federation.Event {
	event := r.Builds(federation.TextMessage(user, text))
	r.Delivers(event)
	return event
}

// Delivers applies an event to the peer's room and sends it to the server under test in a transaction. It ends the check if there
// is not an answer; the server may refuse the event.
func (r *Room) Delivers(event federation.Event) {
	r.Apply(event)
	if _, err := r.Pushes(event); err != nil {
		r.stage.C.Need("resilience/stays-up", err)
	}
}

// Pushes sends events to the server under test in one transaction, without applying them to the peer's room.
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

// MemberOf returns the current member event of a user in the peer's model. It ends the check if there is none.
func (r *Room) MemberOf(userID string) federation.Event {
	sender := r.SenderOf(userID)
	event, known := r.StateEvent("m.room.member", sender)
	claims := func(e federation.Event) bool { return e.MappedUserID() == userID }
	if r.blame != "" && sender == "" && slices.ContainsFunc(r.State(), claims) {
		// There is a mapping: whoever is to blame for one that is missing is not.
		r.stage.C.Need("mapping/signed-by-users-server", fmt.Errorf("peer %s cannot verify the mapping of %s", r.peer.Name(), userID))
	}
	if sender == "" || !known {
		r.need(fmt.Errorf("no member event with a mapping of %s in the room model of peer %s", userID, r.peer.Name()))
	}
	return event
}

// Within returns a context for one exchange of the peer.
func (p *Peer) Within() (context.Context, context.CancelFunc) { return p.stage.C.Within(Patience) }

// SendsEDU sends an EDU to hs1.
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

// SendsEvents sends events to hs1 in one transaction, also those of a room that the peer knows nothing of, and notes a refusal. It ends the
// check if there is no answer.
func (p *Peer) SendsEvents(events ...federation.Event) {
	c := p.stage.C
	ctx, cancel := p.Within()
	defer cancel()
	answer, err := p.SendTransaction(ctx, p.stage.ServerName(1), events, nil)
	c.Need("resilience/stays-up", err)
	for id, refusal := range answer.PDUErrors {
		c.Notef("the server refused %s, sent by %s: %s", id, p.Name(), refusal)
	}
	if !answer.OK() {
		c.Notef("the server answered a transaction of %s with %s", p.Name(), answer.Answer)
	}
}
