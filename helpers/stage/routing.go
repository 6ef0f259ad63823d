package stage

import (
	"fmt"
	"slices"
	"strings"

	"msc4014/helpers/federation"
)

// Receives waits until the peer receives an event, and returns an error if it does not come. It is for positive controls.
func (r *Room) Receives(eventID string) error { return r.peer.Receives(eventID) }

// Receives is Room.Receives for a peer that need not be in the room itself.
func (p *Peer) Receives(eventID string) error {
	ctx, cancel := p.Within()
	defer cancel()
	_, err := p.WaitForEventID(ctx, eventID)
	return err
}

// ReceivedNothingAfter ensures that the peer received no event of the room after last, which is the last one that it may get. It
// needs a positive control and a barrier before it: something that must arrive and was sent later.
func (r *Room) ReceivedNothingAfter(last federation.Event) {
	c := r.stage.C
	c.NeedControl()
	var late []string
	for _, arrival := range r.peer.Received() {
		event := arrival.Event
		if event.RoomID() == r.ID() && event.ID() != last.ID() && event.Depth() > last.Depth() {
			late = append(late, fmt.Sprintf("%s (%s)", event.Type(), event.ID()))
		}
	}
	if len(late) > 0 {
		c.Errorf("a server without a member in the room was sent %s", strings.Join(late, ", "))
	}
}

// ServedState returns the state before an event as the server under test serves it to the peer: event IDs, sorted.
func (r *Room) ServedState(eventID string) ([]string, error) {
	ctx, cancel := r.stage.C.Within(Patience)
	defer cancel()
	state, _, answer, err := r.peer.FetchStateIDs(ctx, r.server, r.Room, eventID)
	if err == nil && !answer.OK() {
		err = fmt.Errorf("GET /state_ids returned %s", answer)
	}
	slices.Sort(state)
	return state, err
}

// Fetches asks the server under test for an event of the room by GET /event. It ends the check if the event is not served.
func (r *Room) Fetches(eventID string) federation.Event {
	c := r.stage.C
	ctx, cancel := c.Within(Patience)
	defer cancel()
	served, answer, err := r.peer.FetchEvent(ctx, r.server, r.Room, eventID)
	if err == nil && served.IsZero() {
		err = fmt.Errorf("GET /event of %s, in a room that the peer is in, returned %s", eventID, answer)
	}
	c.Need("routing/backfill-authorised", err)
	return served
}
