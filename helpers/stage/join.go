package stage

import (
	"msc4014/helpers/federation"
)

// Altering makes a lie of an honest event, or leaves it as it is.
type Altering func(federation.Template) federation.Template

// SendsJoin sends a join of another user of the peer by make_join and send_join, altered before it is signed. It
// returns the event and what the server answered to it; an error means that no answer came, or that there is no
// template. What becomes of the event is for the check to see.
func (r *Room) SendsJoin(user *federation.User, alter Altering) (federation.Event, string, error) {
	ctx, cancel := r.stage.C.Within(Patience)
	defer cancel()
	template, err := r.peer.JoinTemplate(ctx, r.server, r.ID(), user)
	if err != nil {
		return federation.Event{}, "no template", err
	}
	event := r.alter(template, alter)
	answer, err := r.peer.Peer.SendJoin(ctx, r.server, r.ID(), event)
	if err != nil {
		return event, "nothing", err
	}
	return event, answer.Answer.String(), nil
}

// SendsJoinEvent sends a join by send_join, and returns what the server answered; an error means that no answer came.
func (r *Room) SendsJoinEvent(join federation.Event) (federation.Answer, error) {
	ctx, cancel := r.stage.C.Within(Patience)
	defer cancel()
	answer, err := r.peer.Peer.SendJoin(ctx, r.server, r.ID(), join)
	if err != nil {
		return federation.Answer{}, err
	}
	return answer.Answer, nil
}

// PushesJoin puts a join of another user of the peer into a transaction, altered before it is signed. The peer's own
// model of the room takes the event only if the server did not refuse it.
func (r *Room) PushesJoin(user *federation.User, alter Altering) (federation.Event, string, error) {
	event := r.alter(r.MemberTemplate(user, "join"), alter)
	answer, err := r.Pushes(event)
	if err != nil {
		return event, "nothing", err
	}
	return event, answer.Answer.String(), nil
}

func (r *Room) alter(template federation.Template, alter Altering) federation.Event {
	event, err := alter(template).Build()
	if err != nil {
		r.stage.C.SuiteError(err)
	}
	return event
}
