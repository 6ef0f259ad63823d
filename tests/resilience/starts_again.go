package resilience

// A server that ended in the middle of its work is started again on the data that it left.

import (
	"context"
	"errors"
	"fmt"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
	"msc4014/runtime"
)

const startsAgain = "resilience/starts-again"

// killings is how often a server is killed: what it leaves depends on the moment, and on the start before.
const killings = 3

// A server that is killed while it handles events must start again on the same data and serve its rooms.
var _ = check.Register(check.Check{
	Name:     "a server that is killed while it handles events starts again",
	Requires: []string{startsAgain},
	Path:     "SIGKILL",
	Expends:  true,
	Slow:     killings * blueprints.RestartTime,
	Body: func(c *check.C) {
		s, _ := stage.OpenExpendable(c, blueprints.DyingServer, true)
		o := openElsewhere(s)
		for i := range killings {
			end := o.keepsBusy(fmt.Sprintf("round %d", i+1))
			err := s.Deployment.Restart(c.Context(), 0, true, nil)
			c.Notef("killed for the %d. time when the server had answered %d transactions", i+1, end())
			o.isStarted(err)
			c.Must(o.works())
		}
	},
})

// The same where an event ends it: that must not end the server again when it starts. A server that survives it starts again, too.
func init() {
	for _, each := range []struct {
		name   string
		deaths []death
	}{
		{"a server that a false mapping ends starts again", deaths[:1]},
		{"a server that other events end starts again", deaths[1:]},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{startsAgain},
			Path:     "by itself",
			Expends:  true,
			Slow:     watchTime + blueprints.RestartTime,
			Body:     func(c *check.C) { startAgain(c, each.deaths) },
		})
	}
}

// elsewhere is a room of Alice and of a user of an honest peer, which must work after each start.
type elsewhere struct {
	*stage.Stage
	alice     *stage.User
	peer      *stage.Peer
	neighbour *federation.User
	room      *stage.Room
}

func openElsewhere(s *stage.Stage) elsewhere {
	o := elsewhere{Stage: s, alice: s.User("alice"), peer: s.Peer()}
	o.neighbour = o.peer.User("neighbour")
	o.room = o.peer.Joins(o.alice.Makes(stage.Public), o.neighbour)
	o.room.Blaming("routing/reaches-members").AwaitsEvent(o.alice.Says(o.room.ID(), "said before the end"))
	return o
}

// isStarted fails the check if the server did not start, by the error of a restart.
func (o elsewhere) isStarted(err error) {
	var failed *runtime.StartError
	switch {
	case errors.As(err, &failed):
		o.C.Must(err)
	case err != nil:
		o.C.SuiteError(err)
	}
}

// busyTransactions is how many transactions the peer sends at most while the server is killed.
const busyTransactions = 40

// keepsBusy lets another room get events of another peer, and returns when the server handles them. end ends that and returns how many
// transactions were answered.
func (o elsewhere) keepsBusy(name string) (end func() (answered int)) {
	c, busy := o.C, o.Peer()
	room := busy.Joins(o.alice.Makes(stage.Public), busy.User("speaker"))
	var transactions [][]federation.Event
	for i := range busyTransactions {
		joined := room.Builds(federation.TextMessage(busy.User("speaker"), fmt.Sprintf("%s, message %d", name, i)))
		room.Apply(joined)
		member := room.BuildsMember(busy.User(fmt.Sprintf("member-%d", i)), "join")
		room.Apply(member)
		transactions = append(transactions, []federation.Event{joined, member})
	}
	ctx, cancel := context.WithCancel(c.Context())
	begun, ended := make(chan struct{}), make(chan struct{})
	answered := 0
	server := o.ServerName(1)
	go func() {
		defer close(ended)
		for i, events := range transactions {
			if i == 2 {
				close(begun)
			}
			limited, done := context.WithTimeout(ctx, 5*time.Second)
			_, err := busy.SendTransaction(limited, server, events, nil)
			done()
			if err == nil {
				answered++
			}
			if ctx.Err() != nil {
				return
			}
		}
	}()
	select {
	case <-begun:
	case <-ended:
	case <-ctx.Done():
	}
	return func() int {
		cancel()
		<-ended
		return answered
	}
}

// works returns an error unless Alice and the neighbour exchange messages.
func (o elsewhere) works() error {
	// The server may wait before it tries to reach the peer again; it stops waiting once the peer sends it something.
	said := o.room.Builds(federation.TextMessage(o.neighbour, "said after the start"))
	o.room.Apply(said)
	if _, err := o.room.Pushes(said); err != nil {
		return fmt.Errorf("an honest peer in another room: %w", err)
	}
	if err := o.alice.SeesEvent(o.room.ID(), said.ID()); err != nil {
		return fmt.Errorf("a client in another room: %w", err)
	}
	eventID, err := o.alice.SendMessage(o.C.Context(), o.room.ID(), "said after the start")
	if err != nil {
		return fmt.Errorf("a client in another room: %w", err)
	}
	if err := o.room.Receives(eventID); err != nil {
		return fmt.Errorf("an honest peer in another room: %w", err)
	}
	_, err = o.alice.Timeline(o.room.ID()).Wait(o.C.Context(), match.EventID(eventID))
	return errors.Join(err, o.Deployment.Health(o.C.Context()))
}
