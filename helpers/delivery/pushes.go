package delivery

import (
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// Push sends an event of a peer to the server under test, and returns what that answered; an error means that no answer came.
type Push func(room *stage.Room, event federation.Event) (answer string, err error)

// BySendJoin sends a join by send_join.
func BySendJoin(room *stage.Room, join federation.Event) (string, error) {
	answer, err := room.SendsJoinEvent(join)
	if err != nil {
		return "nothing", err
	}
	return Short(answer), nil
}

// BySend sends an event in a transaction.
func BySend(room *stage.Room, event federation.Event) (string, error) {
	answer, err := room.Pushes(event)
	if err != nil {
		return "nothing", err
	}
	return Short(answer.Answer), nil
}
