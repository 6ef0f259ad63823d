package redaction

// Redactions that a server receives before the event that they redact, or with it, as history. Whose power counts then is what counted
// otherwise: whether a redaction may redact is decided once the server has both (room version 3, Handling redactions).

import (
	"errors"
	"fmt"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// redactionOrders are the orders in which a message of Erin and its redaction come to the server. Each returns the message as clients
// are shown it.
var redactionOrders = []struct {
	name, path string
	tells      func(s delivery.Scene, erin author, by *federation.User) (body string, err error)
}{
	{"before it", "send", redactsBefore},
	{"in the room's history", "backfill", redactsInHistory},
}

// author is who sends the message. She is of another server than Dan, since redaction/other-key-same-server is open, and her own peer
// delivers what she sends, since mapping/delivered-by-third-server is.
type author struct {
	*federation.User
	peer *stage.Peer
}

// Control and lie differ in who redacts alone.
func init() {
	for _, order := range redactionOrders {
		check.Register(check.Check{
			Name:     "a user of a peer without power cannot redact another's message by a redaction that comes " + order.name,
			Requires: []string{"redaction/others-by-power"},
			Path:     order.path,
			Body: func(c *check.C) {
				s := delivery.Open(stage.Open(c, blueprints.OneServer))
				peer := s.Peer()
				erin := author{peer.User("erin"), peer}
				body, err := order.tells(s, erin, s.Carol)
				if err == nil && body != "" {
					err = errors.New("the message is not redacted by who has the power to")
				}
				c.Control(err)
				c.UnderTest()
				body, err = order.tells(s, erin, s.Dan)
				c.Must(err)
				if body != redactable {
					c.Errorf("a member without power has redacted another's message, by a redaction that came %s: its body is %q", order.name, body)
				}
			},
		})
	}
}

// redactionBy is a redaction of a message, at the end of the room.
func redactionBy(s delivery.Scene, by *federation.User, message federation.Event) federation.Event {
	return s.Room.Builds(federation.Proto{Type: "m.room.redaction", Sender: by, Redacts: message.ID()})
}

func redactsBefore(s delivery.Scene, erin author, by *federation.User) (body string, err error) {
	s.Room = s.MakesRoom()
	erin.peer.JoinsVia(s.Origin.Name(), s.Room.ID(), erin.User)
	s.AliceJoins()
	s.Barrier()
	message := s.Room.Builds(federation.TextMessage(erin.User, redactable))
	_, err = s.Room.Pushes(redactionBy(s, by, message)) // neither stands on the other
	s.C.Need("resilience/stays-up", err)
	s.Barrier()
	last := s.Room.AppliesText(erin.User, "said after the message")
	erin.peer.SendsEvents(message)
	erin.peer.SendsEvents(last)
	s.Alice.Blaming("membership/join-remote").AwaitsEvent(s.Room.ID(), last.ID())
	shown, err := s.Alice.Event(s.C.Context(), s.Room.ID(), message.ID())
	if err != nil {
		return "", err
	}
	return shown.Get("content.body").String(), nil
}

func redactsInHistory(s delivery.Scene, erin author, by *federation.User) (body string, err error) {
	s.Room = s.MakesRoom()
	erin.peer.JoinsVia(s.Origin.Name(), s.Room.ID(), erin.User)
	message := s.Room.AppliesText(erin.User, redactable)
	s.Room.Apply(redactionBy(s, by, message))
	s.Room.AppliesText(s.Carol, "said before alice's join")
	if entered := s.Enters(); entered.KeptOut != nil {
		return "", fmt.Errorf("a refusal to join the room: %w", entered.KeptOut)
	}
	if _, err := s.Alice.PagesBackTo(s.Room.ID(), message.ID()); err != nil {
		return "", err
	}
	shown, err := s.Alice.Event(s.C.Context(), s.Room.ID(), message.ID())
	if err != nil {
		return "", err
	}
	return shown.Get("content.body").String(), nil
}
