package rooms

// This file asks other servers for events from before this one joined a room (server-server API, "Backfilling and
// retrieving missing events").

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"

	"msc4014/reference/pdu"
	"msc4014/reference/rules"
)

// backfillLimit is how many events are requested at once.
const backfillLimit = 100

// Backfill asks the servers in a room for the events before the earliest known ones, and reports whether it got any.
func (r *Room) Backfill(ctx context.Context) bool {
	r.intake.Lock()
	defer r.intake.Unlock()
	r.mu.RLock()
	var from []string
	for _, event := range r.order { // the events with a prev event that is unknown
		for _, id := range event.PrevEvents() {
			if before := r.events[id]; (before == nil || before.Outlier()) && event.Visible() {
				from = append(from, event.ID())
				break
			}
		}
	}
	r.mu.RUnlock()
	if len(from) == 0 {
		return false
	}
	for _, server := range r.Servers() {
		if server == r.rooms.Server.Name {
			continue
		}
		found, err := r.rooms.Remote.Backfill(ctx, server, r.id, from[:min(len(from), 20)], backfillLimit)
		if err != nil {
			r.rooms.Log.Info("backfill failed", "room", r.id, "server", server, "error", err)
			continue
		}
		if r.takeBackfilled(ctx, server, found) > 0 {
			return true
		}
	}
	return false
}

// takeBackfilled adds old events to the room, newest first. The state before the oldest is requested; the states after
// it follow from there.
func (r *Room) takeBackfilled(ctx context.Context, server string, found []json.RawMessage) (taken int) {
	read := map[string]*pdu.Event{}
	var events []*pdu.Event
	for _, one := range found {
		event, err := r.readForeign(ctx, one)
		if err != nil || event.RoomID() != r.id || len(r.missing([]string{event.ID()})) == 0 {
			continue
		}
		read[event.ID()] = event
		events = append(events, event)
	}
	slices.SortStableFunc(events, func(a, b *pdu.Event) int { return cmp.Compare(a.Depth(), b.Depth()) })
	states := map[string]rules.State{} // after each event, oldest first
	var ready []backfilled
	for _, event := range events {
		one, err := r.stateOfOld(ctx, server, event, states)
		if err != nil {
			r.rooms.Log.Info("an old event was not accepted", "room", r.id, "event", event.ID(), "error", err)
			continue
		}
		states[event.ID()] = one.after()
		ready = append(ready, one)
	}
	slices.Reverse(ready)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, one := range ready {
		how := taking{backfilled: true, judgement: one.judgement, rejected: one.rejected, concealed: one.concealed}
		if _, err := r.take(one.event, one.before, how); err == nil {
			taken++
		}
	}
	return taken
}

// backfilled is an old event that has been judged.
type backfilled struct {
	outlier
	before rules.State
}

func (b backfilled) after() rules.State {
	key, isState := b.event.State()
	if !isState || b.rejected != "" {
		return b.before
	}
	after := maps.Clone(b.before)
	after[key] = b.event
	return after
}

// stateOfOld finds the state before an old event and checks the event.
func (r *Room) stateOfOld(ctx context.Context, server string, event *pdu.Event, states map[string]rules.State) (backfilled, error) {
	one := backfilled{outlier: outlier{event: event}}
	var before []rules.State
	for _, id := range event.PrevEvents() {
		if state := states[id]; state != nil {
			before = append(before, state)
		} else if known := r.Event(id); known != nil && !known.Outlier() {
			before = append(before, known.after.state)
		}
	}
	if len(before) < len(event.PrevEvents()) {
		answer, err := r.rooms.Remote.State(ctx, server, r.id, event.ID())
		if err != nil {
			return one, err
		}
		given, outliers, err := r.stateOf(ctx, answer.PDUs, answer.AuthChain)
		if err != nil {
			return one, err
		}
		r.mu.Lock()
		err = r.keepOutliers(outliers)
		r.mu.Unlock()
		if err != nil {
			return one, err
		}
		before = append(before, given)
	}
	one.judgement = r.judge(event)
	r.mu.RLock()
	defer r.mu.RUnlock()
	var err error
	if len(before) > 0 {
		if one.before, err = r.resolve(before, nil); err != nil {
			return one, err
		}
	} else {
		one.before = rules.State{}
	}
	how := taking{judgement: one.judgement}
	r.decideOld(event, one.before, &how)
	one.rejected, one.concealed = how.rejected, how.concealed
	return one, nil
}

// decideOld is decide for an old event, which this server asked for. It checks only the state before it, since its auth events may be
// unknown.
func (r *Room) decideOld(event *pdu.Event, before rules.State, how *taking) {
	if err := r.rules().Allowed(event, before); err != nil {
		how.rejected = err.Error()
		return
	}
	if how.judgement != nil {
		how.rejected = r.refuses("", event, *how.judgement, false)
		how.concealed = r.conceals(event, *how.judgement)
	}
}
