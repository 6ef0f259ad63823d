package stage

import (
	"errors"
	"fmt"

	"msc4014/helpers/federation"
)

// JoinsByEvent lets another user of the peer, which is already in the room, join by an event of its own, sent to the server under
// test in a transaction.
func (r *Room) JoinsByEvent(user *federation.User) federation.Event { return r.becomes(user, "join") }

// Leaves lets a user of the peer leave by an event of its own, sent to the server under test in a transaction.
func (r *Room) Leaves(user *federation.User) federation.Event { return r.becomes(user, "leave") }

func (r *Room) becomes(user *federation.User, membership string) federation.Event {
	event := r.BuildsMember(user, membership)
	r.Delivers(event)
	return event
}

// SendsLeave lets a user of the peer leave by make_leave and send_leave. It returns the event and the server's answer, which may be
// a refusal, or an error if there is no template or no answer.
func (r *Room) SendsLeave(user *federation.User) (federation.Event, federation.Answer, error) {
	ctx, cancel := r.stage.C.Within(Patience)
	defer cancel()
	template, err := r.peer.LeaveTemplate(ctx, r.server, r.ID(), user)
	if err != nil {
		return federation.Event{}, federation.Answer{}, err
	}
	event := r.Made(template)
	answer, err := r.peer.SendLeave(ctx, r.server, r.ID(), event)
	return event, answer, err
}

// AwaitsLeave waits until the peer receives the leave of a user of the server under test that has a key in the room.
func (r *Room) AwaitsLeave(userID string) federation.Event {
	sender := r.SenderOf(userID)
	if sender == "" {
		r.need(fmt.Errorf("the peer received no member event of %s", userID))
	}
	return r.Awaits(func(event federation.Event) error {
		if event.IsState("m.room.member", sender) && event.Membership() == "leave" {
			return nil
		}
		return errors.New("another event")
	})
}
