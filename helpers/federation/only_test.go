// What only the tests of this package do with peers and their rooms.

package federation

import (
	"context"
	"crypto/ed25519"
	"fmt"
	"slices"
)

// LeaveVia makes a user leave through a server: make_leave, then send_leave. In pseudonymous rooms the event is signed
// by the sender key, as MSC4014 has it, and by the additional signers, if any.
func (p *Peer) LeaveVia(ctx context.Context, server, roomID string, user *User, additional ...Signer) error {
	template, err := p.LeaveTemplate(ctx, server, roomID, user)
	if err != nil {
		return err
	}
	event, err := template.AlsoSignedBy(additional...).Build()
	if err != nil {
		return err
	}
	answer, err := p.SendLeave(ctx, server, roomID, event)
	if err != nil {
		return err
	}
	if !answer.OK() {
		return fmt.Errorf("%s refused the leave of %s in %s: %s", server, user.ID(), roomID, answer)
	}
	return nil
}

// SendTo applies an event to the peer's model and sends it to the named servers alone. A lie that a server may well
// refuse is better sent by Peer.SendTransaction, without being applied: what the peer writes next would stand behind it
// in the room, and the server would come and ask for it.
func (r *Room) SendTo(ctx context.Context, event Event, servers ...string) error {
	r.Apply(event)
	return r.sendTo(ctx, servers, event)
}

// SendMessage sends a text message of a user to the room's servers.
func (r *Room) SendMessage(ctx context.Context, user *User, body string) (Event, error) {
	event, err := r.Build(Proto{
		Type: "m.room.message", Sender: user, Content: map[string]string{"msgtype": "m.text", "body": body},
	})
	if err != nil {
		return Event{}, err
	}
	return event, r.Send(ctx, event)
}

// Unexpected returns the requests that the peer was not prepared for, oldest first.
func (p *Peer) Unexpected() []Request {
	return slices.DeleteFunc(p.Requests(), func(request Request) bool { return !request.unexpected })
}

// Leave makes a user of the peer leave: its own leave event, sent to all servers in the room.
func (r *Room) Leave(ctx context.Context, user *User) (Event, error) {
	event, err := r.MemberTemplate(user, "leave").Build()
	if err != nil {
		return Event{}, err
	}
	return event, r.Send(ctx, event)
}

// PublicKey returns the peer's published server key.
func (p *Peer) PublicKey() ed25519.PublicKey { return p.Signer().publicKey() }
