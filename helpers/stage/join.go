package stage

import (
	"msc4014/helpers/federation"
)

// Altering turns a valid event into a forged one, or leaves it as it is.
type Altering func(federation.Template) federation.Template

// AsksToJoin asks hs1 for a join template for a user of the peer, with the given room versions, or all that the peer supports. It
// ends the check if there is no answer.
func (p *Peer) AsksToJoin(roomID string, versions ...string) federation.Answer {
	ctx, cancel := p.Within()
	defer cancel()
	answer, err := p.MakeJoin(ctx, p.stage.ServerName(1), roomID, p.User("joiner").ID(), versions...)
	p.stage.C.Need("resilience/stays-up", err)
	return answer
}

// SendsJoin sends a join of another user of the peer by make_join and send_join, altered before it is signed. It returns the event
// and the server's answer, which may be a refusal, or an error if there is no template or no answer.
func (r *Room) SendsJoin(user *federation.User, alter Altering) (federation.Event, string, error) {
	ctx, cancel := r.stage.C.Within(Patience)
	defer cancel()
	template, err := r.peer.JoinTemplate(ctx, r.server, r.ID(), user)
	if err != nil {
		return federation.Event{}, "no template", err
	}
	event := r.Made(alter(template))
	answer, err := r.peer.Peer.SendJoin(ctx, r.server, r.ID(), event)
	if err != nil {
		return event, "nothing", err
	}
	return event, answer.Answer.String(), nil
}

// SendsJoinEvent sends a join by send_join and returns the answer, or an error if there is none.
func (r *Room) SendsJoinEvent(join federation.Event) (federation.Answer, error) {
	ctx, cancel := r.stage.C.Within(Patience)
	defer cancel()
	answer, err := r.peer.Peer.SendJoin(ctx, r.server, r.ID(), join)
	if err != nil {
		return federation.Answer{}, err
	}
	return answer.Answer, nil
}

// PushesJoin sends a join of another user of the peer in a transaction, altered before it is signed. It does not apply the event to
// the peer's model of the room.
func (r *Room) PushesJoin(user *federation.User, alter Altering) (federation.Event, string, error) {
	event := r.Made(alter(r.MemberTemplate(user, "join")))
	answer, err := r.Pushes(event)
	if err != nil {
		return event, "nothing", err
	}
	return event, answer.Answer.String(), nil
}
