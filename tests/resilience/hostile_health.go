package resilience

// The health of a server that has received hostile events.

import (
	"context"
	"fmt"
	"net/http"

	"msc4014/helpers/csapi"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
)

// isHealthy returns an error if the server died, if it answers a client in an attacked room with 5xx, out of bounds or not at
// all, or if an honest room does not work any more. It ends the check if a time-out is the machine's fault.
func isHealthy(a *delivery.Attack) error {
	err := answersClients(a)
	ctx, cancel := a.While()
	defer cancel()
	if err == nil {
		err = worksElsewhere(ctx, a)
	}
	if err == nil {
		err = a.StillWorks()
	}
	if err == nil {
		ctx, cancel := a.While() // what works may take long
		defer cancel()
		err = a.Deployment.Health(ctx)
	}
	err = a.OrDied(err)
	a.C.Timely(err)
	return err
}

// answersClients returns an error if a client cannot view the attacked rooms, or gets no answer about a room that it was kept out of, in
// which it may see nothing. Each room has a time of its own: there may be many.
func answersClients(a *delivery.Attack) error {
	if err := answersClient(a, func(ctx context.Context) (*csapi.Response, error) { return a.Alice.Sync(ctx, "", 0, "") }); err != nil {
		return err
	}
	for _, room := range append(a.Entered, a.Room.ID()) {
		err := answersClient(a,
			func(ctx context.Context) (*csapi.Response, error) { return a.Alice.Messages(ctx, room, "", "b", 100) },
			func(ctx context.Context) (*csapi.Response, error) { return a.Alice.Members(ctx, room, nil) },
			func(ctx context.Context) (*csapi.Response, error) { return a.Alice.State(ctx, room) },
			func(ctx context.Context) (*csapi.Response, error) { return a.Alice.JoinedMembers(ctx, room) },
		)
		if err != nil {
			return err
		}
	}
	for _, room := range a.KeptOut {
		err := answersClient(a, func(ctx context.Context) (*csapi.Response, error) { return a.Alice.Messages(ctx, room, "", "b", 100) })
		if err != nil {
			return err
		}
	}
	a.Entered, a.KeptOut = nil, nil
	return nil
}

func answersClient(a *delivery.Attack, views ...func(context.Context) (*csapi.Response, error)) error {
	ctx, cancel := a.While()
	defer cancel()
	for _, view := range views {
		_, err := view(ctx)
		refusal, refused := csapi.Refused(err)
		if csapi.NoAnswer(err) || csapi.Unusable(err) || refused && refusal.Status >= http.StatusInternalServerError {
			return fmt.Errorf("a client in the attacked room: %w", err)
		}
	}
	return nil
}

// worksElsewhere returns an error if Alice and a user of an honest peer cannot exchange messages in another room.
func worksElsewhere(ctx context.Context, a *delivery.Attack) error {
	eventID, err := a.Alice.SendMessage(ctx, a.Elsewhere.ID(), "said to an honest peer")
	if err != nil {
		return fmt.Errorf("a client in another room: %w", err)
	}
	if err := a.Elsewhere.Receives(eventID); err != nil {
		return fmt.Errorf("an honest peer in another room: %w", err)
	}
	said := a.Elsewhere.Builds(federation.TextMessage(a.Neighbour, "said by an honest peer"))
	a.Elsewhere.Apply(said)
	if _, err := a.Elsewhere.Pushes(said); err != nil {
		return fmt.Errorf("an honest peer in another room: %w", err)
	}
	if _, err := a.Alice.WaitForEventID(ctx, a.Elsewhere.ID(), said.ID()); err != nil {
		return fmt.Errorf("a client in another room: %w", err)
	}
	return nil
}
