package resilience

// The health of a server that has received hostile events.

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"msc4014/helpers/csapi"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
)

// isHealthy returns an error if the server died, if it answers a client in an attacked room with 5xx, out of bounds or not at
// all, if it refuses the client the room that it made, or if an honest room does not work any more. It ends the check if a time-out is the machine's fault.
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

// roomViews are the client views of a room that must be answered after hostile events.
var roomViews = []struct {
	name string
	ask  func(a *delivery.Attack, ctx context.Context, roomID string) (*csapi.Response, error)
}{
	{"/messages", func(a *delivery.Attack, ctx context.Context, roomID string) (*csapi.Response, error) {
		return a.Alice.Messages(ctx, roomID, "", "b", 100)
	}},
	{"/members", func(a *delivery.Attack, ctx context.Context, roomID string) (*csapi.Response, error) {
		return a.Alice.Members(ctx, roomID, nil)
	}},
	{"/state", func(a *delivery.Attack, ctx context.Context, roomID string) (*csapi.Response, error) {
		return a.Alice.State(ctx, roomID)
	}},
	{"/joined_members", func(a *delivery.Attack, ctx context.Context, roomID string) (*csapi.Response, error) {
		return a.Alice.Client.JoinedMembers(ctx, roomID)
	}},
}

// viewsGiven returns the names of the views that Alice is given of the room that she made.
func viewsGiven(a *delivery.Attack) map[string]bool {
	ctx, cancel := a.While()
	defer cancel()
	given := map[string]bool{}
	for _, view := range roomViews {
		_, err := view.ask(a, ctx, a.Room.ID())
		given[view.name] = err == nil
	}
	return given
}

// answersClients returns an error if a client cannot view the attacked rooms, or gets no answer about a room that it may not have joined,
// or that it was kept out of, in which it may see nothing. Each room has a time of its own: there may be many.
func answersClients(a *delivery.Attack) error {
	ctx, cancel := a.While()
	defer cancel()
	if _, err := a.Alice.Sync(ctx, "", 0, ""); err != nil {
		return fmt.Errorf("a client in the attacked room: %w", err)
	}
	for _, roomID := range append(a.Entered, a.Room.ID()) {
		if err := answersClient(a, roomID); err != nil {
			return err
		}
	}
	for _, roomID := range a.KeptOut {
		if err := answersClient(a, roomID, "/messages"); err != nil {
			return err
		}
	}
	a.Entered, a.KeptOut = nil, nil
	return nil
}

// answersClient returns an error if a client gets no usable answer from one of the named views of a room, or all, or is refused one that it
// was given before.
func answersClient(a *delivery.Attack, roomID string, names ...string) error {
	ctx, cancel := a.While()
	defer cancel()
	for _, view := range roomViews {
		if len(names) > 0 && !slices.Contains(names, view.name) {
			continue
		}
		_, err := view.ask(a, ctx, roomID)
		if !usable(err) || err != nil && roomID == a.Room.ID() && a.Given[view.name] {
			return fmt.Errorf("a client in the attacked room: %w", err)
		}
	}
	return nil
}

// usable reports whether an answer to a client may come from a server that is well: it may be a refusal.
func usable(err error) bool {
	refusal, refused := csapi.Refused(err)
	return !csapi.NoAnswer(err) && !csapi.Unusable(err) && !(refused && refusal.Status >= http.StatusInternalServerError)
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
