package main

// Whether a server that was told hostile events still serves who has a right to it.

import (
	"context"
	"fmt"
	"net/http"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
)

// isServed tells why the server is ill, or nil: it died, it answers a client of the attacked room with 5xx, out of bounds or not at all,
// or an honest room does not go on.
func (a *attack) isServed() error {
	ctx, cancel := a.while()
	defer cancel()
	err := a.answersClients(ctx)
	if err == nil {
		err = a.goesOnElsewhere(ctx)
	}
	if err == nil {
		err = a.Deployment.Health(ctx)
	}
	return a.orDied(err)
}

// answersClients has a client look at the attacked rooms in every way.
func (a *attack) answersClients(ctx context.Context) error {
	for _, room := range append(a.entered, a.room.ID()) {
		if err := a.answersClient(ctx, room); err != nil {
			return err
		}
	}
	a.entered = nil
	return nil
}

func (a *attack) answersClient(ctx context.Context, room string) error {
	for _, view := range []func() (*csapi.Response, error){
		func() (*csapi.Response, error) { return a.alice.Sync(ctx, "", 0, "") },
		func() (*csapi.Response, error) { return a.alice.Messages(ctx, room, "", "b", 100) },
		func() (*csapi.Response, error) { return a.alice.Members(ctx, room, nil) },
		func() (*csapi.Response, error) { return a.alice.State(ctx, room) },
		func() (*csapi.Response, error) { return a.alice.JoinedMembers(ctx, room) },
	} {
		_, err := view()
		refusal, refused := csapi.Refused(err)
		if csapi.NoAnswer(err) || csapi.Unusable(err) || refused && refusal.Status >= http.StatusInternalServerError {
			return fmt.Errorf("a client in the attacked room: %w", err)
		}
	}
	return nil
}

// goesOnElsewhere has alice and an honest peer talk to each other in another room.
func (a *attack) goesOnElsewhere(ctx context.Context) error {
	eventID, err := a.alice.SendMessage(ctx, a.elsewhere.ID(), "said to an honest peer")
	if err != nil {
		return fmt.Errorf("a client in another room: %w", err)
	}
	if err := a.elsewhere.Receives(eventID); err != nil {
		return fmt.Errorf("an honest peer in another room: %w", err)
	}
	said := a.elsewhere.Builds(federation.Proto{Type: "m.room.message", Sender: a.neighbour, Content: text("said by an honest peer")})
	a.elsewhere.Apply(said)
	if _, err := a.elsewhere.Pushes(said); err != nil {
		return fmt.Errorf("an honest peer in another room: %w", err)
	}
	if _, err := a.alice.WaitForEvent(ctx, a.elsewhere.ID(), match.EventID(said.ID())); err != nil {
		return fmt.Errorf("a client in another room: %w", err)
	}
	return nil
}
