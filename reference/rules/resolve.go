// This file resolves conflicting states of a room to one (room version 2, "State resolution"; the same in all versions
// since). It needs no rule of its own for pseudonymous rooms: a power event is a leave or ban whose sender is not its
// state key, and both are keys.
//
// It does not use gomatrixserverlib's, which departs from the specification: where the state lacks what an event needs,
// it checks the event against the event itself in place of its auth event, and so loses the power levels of a room
// whose admin changes them on one side of a fork and her own name on both (TestWhyNotTheLibrarysResolution).

package rules

import (
	"fmt"
	"maps"
	"slices"

	"msc4014/reference/pdu"
)

// History looks up the events of a room that were accepted or rejected on receipt.
type History interface {
	// Event returns the event with that ID, or nil.
	Event(eventID string) *pdu.Event
	// Rejected reports whether the event was rejected by its auth events.
	Rejected(eventID string) bool
}

// Resolve resolves a set of states; their order does not matter. The history must have the auth chains of all events in
// them; if an event is missing, the error says which.
func (r Rules) Resolve(states []State, history History) (State, error) {
	resolution := resolver{rules: r, history: history}
	resolved, err := resolution.resolve(states)
	if err != nil {
		return nil, fmt.Errorf("resolving %d states: %w", len(states), err)
	}
	return resolved, nil
}

// resolver is the context of one resolution.
type resolver struct {
	rules   Rules
	history History
}

func (r *resolver) resolve(states []State) (State, error) {
	unconflicted, conflicted := split(states)
	if len(conflicted) == 0 {
		return unconflicted, nil
	}
	difference, err := r.authDifference(states)
	if err != nil {
		return nil, err
	}
	full := maps.Clone(conflicted)
	maps.Copy(full, difference)

	// 1 and 2: the power events, which may have removed somebody's abilities, in reverse topological power ordering.
	first, err := r.powerEventsAndWhatTheyStandOn(full)
	if err != nil {
		return nil, err
	}
	ordered, err := r.byReverseTopologicalPower(first)
	if err != nil {
		return nil, err
	}
	resolved := maps.Clone(unconflicted)
	if err := r.applyAllowed(resolved, ordered); err != nil {
		return nil, err
	}

	// 3 and 4: the remaining events, in mainline ordering.
	remaining := maps.Clone(full)
	maps.DeleteFunc(remaining, func(id string, _ *pdu.Event) bool { return first[id] != nil })
	ordered, err = r.byMainline(remaining, resolved.Get(powerLevelsType, ""))
	if err != nil {
		return nil, err
	}
	if err := r.applyAllowed(resolved, ordered); err != nil {
		return nil, err
	}
	maps.Copy(resolved, unconflicted) // 5
	return resolved, nil
}

// split separates the unconflicted state map, which all states share, from the conflicted state set, by event ID.
func split(states []State) (unconflicted State, conflicted map[string]*pdu.Event) {
	unconflicted, conflicted = State{}, map[string]*pdu.Event{}
	shared := func(key pdu.StateKey, id string) bool {
		return !slices.ContainsFunc(states, func(s State) bool { return s[key] == nil || s[key].ID() != id })
	}
	for _, state := range states {
		for key, event := range state {
			switch {
			case event == nil:
			case shared(key, event.ID()):
				unconflicted[key] = event
			default:
				conflicted[event.ID()] = event
			}
		}
	}
	return unconflicted, conflicted
}

// authDifference returns the events that are not in the full auth chain of every state.
func (r *resolver) authDifference(states []State) (map[string]*pdu.Event, error) {
	union, count := map[string]*pdu.Event{}, map[string]int{}
	for _, state := range states {
		full, err := r.authChain(slices.Collect(maps.Values(state)))
		if err != nil {
			return nil, err
		}
		for id, event := range full {
			union[id] = event
			count[id]++
		}
	}
	maps.DeleteFunc(union, func(id string, _ *pdu.Event) bool { return count[id] == len(states) })
	return union, nil
}

// authChain returns the union of the auth chains of some events: their auth events, the auth events of these, and so
// on.
func (r *resolver) authChain(events []*pdu.Event) (map[string]*pdu.Event, error) {
	chain := map[string]*pdu.Event{}
	for waiting := slices.Clone(events); len(waiting) > 0; {
		next := waiting[len(waiting)-1]
		waiting = waiting[:len(waiting)-1]
		if next == nil {
			continue
		}
		authEvents, err := r.authEvents(next)
		if err != nil {
			return nil, err
		}
		for _, authEvent := range authEvents {
			if chain[authEvent.ID()] == nil {
				chain[authEvent.ID()] = authEvent
				waiting = append(waiting, authEvent)
			}
		}
	}
	return chain, nil
}

// authEvents returns the auth events of an event.
func (r *resolver) authEvents(event *pdu.Event) ([]*pdu.Event, error) {
	var events []*pdu.Event
	for _, id := range event.AuthEvents() {
		authEvent := r.history.Event(id)
		if authEvent == nil {
			return nil, fmt.Errorf("auth event %s of event %s is not in the history; fetch it first", id, event.ID())
		}
		events = append(events, authEvent)
	}
	return events, nil
}

// powerEventsAndWhatTheyStandOn returns the power events of the full conflicted set, with the events of their auth
// chains that are in that set.
func (r *resolver) powerEventsAndWhatTheyStandOn(full map[string]*pdu.Event) (map[string]*pdu.Event, error) {
	picked := map[string]*pdu.Event{}
	for id, event := range full {
		if isPowerEvent(event) {
			picked[id] = event
		}
	}
	chain, err := r.authChain(slices.Collect(maps.Values(picked)))
	if err != nil {
		return nil, err
	}
	for id, authEvent := range chain {
		if full[id] != nil {
			picked[id] = authEvent
		}
	}
	return picked, nil
}

// isPowerEvent reports whether an event might remove somebody's ability to do something.
func isPowerEvent(e *pdu.Event) bool {
	stateKey, isState := e.StateKey()
	switch e.Type() {
	case powerLevelsType, joinRulesType:
		return isState
	case memberType:
		membership := e.Membership()
		return isState && (membership == "leave" || membership == "ban") && e.Sender() != stateKey
	}
	return false
}

// applyAllowed is the iterative auth checks algorithm: it adds to the state, in order, the events that the rules allow
// in it. State that is missing for checking an event is taken from the event's own auth events, unless they were
// rejected.
func (r *resolver) applyAllowed(state State, events []*pdu.Event) error {
	for _, event := range events {
		key, isState := event.State()
		if !isState {
			continue
		}
		authEvents, err := r.authEvents(event)
		if err != nil {
			return err
		}
		offered := State{}
		for _, authEvent := range authEvents {
			if authKey, ok := authEvent.State(); ok && !r.history.Rejected(authEvent.ID()) {
				offered[authKey] = authEvent
			}
		}
		seen := State{}
		for _, needed := range authKeysOf(event) {
			if seen[needed] = state[needed]; seen[needed] == nil {
				seen[needed] = offered[needed]
			}
		}
		if r.rules.Allowed(event, seen) == nil {
			state[key] = event
		}
	}
	return nil
}
