package federation

// Applying events to the model of a room: its forward extremities, the state before each event, and the users of sender keys.
// There is no state resolution: in a fork, the event applied last wins.

import (
	"maps"
	"slices"

	"msc4014/helpers/pseudoid"
)

// Apply adds an event to the room and updates the forward extremities and the state. An event that is already known changes
// nothing.
func (r *Room) Apply(event Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.apply(event)
}

func (r *Room) apply(event Event) {
	if _, known := r.events[event.id]; known {
		return
	}
	previous := event.PrevEvents()
	atTheEnd := slices.ContainsFunc(previous, func(id string) bool { return slices.Contains(r.extremities, id) }) || len(r.extremities) == 0
	r.events[event.id] = event
	r.order = append(r.order, event.id)
	before := r.stateAfterAll(previous)
	r.before[event.id] = before
	for _, id := range previous {
		r.after[id] = true
	}
	linear := atTheEnd && !slices.ContainsFunc(r.extremities, func(id string) bool { return !slices.Contains(previous, id) })
	if !r.after[event.id] { // otherwise it came late: its successors are here already
		r.extremities = slices.DeleteFunc(r.extremities, func(id string) bool { return slices.Contains(previous, id) })
		r.extremities = append(r.extremities, event.id)
	}
	if linear {
		r.current = r.stateAfter(event)
	} else if key, isState := event.StateKey(); isState {
		tuple := stateTuple{event.Type(), key}
		// A fork, or an event that came late: it wins unless it is an ancestor of the event that is there.
		if present, ok := r.current[tuple]; !ok || !r.isAncestor(event.id, present) {
			r.current = withState(r.current, tuple, event.id)
		}
	}
	r.learnMapping(event)
}

// learnMapping stores the user of a sender key, from the mapping of a member event.
func (r *Room) learnMapping(event Event) {
	key, isState := event.StateKey()
	if !isState || event.Type() != "m.room.member" || event.MappedUserID() == "" {
		return
	}
	if (r.users[key] == "" || r.current[stateTuple{"m.room.member", key}] == event.id) && r.mappingHolds(event, key) {
		r.users[key] = event.MappedUserID()
	}
}

// mappingHolds reports whether a member event's mapping is valid. A peer must not route events by a forged mapping, even its own:
// the claimed server would receive events that seem to come from the candidate. Keys are not fetched for this; without known
// keys, a mapping from another server is trusted.
func (r *Room) mappingHolds(event Event, key string) bool {
	raw, ok := pseudoid.MappingOf(event.json)
	if !ok {
		return false
	}
	parsed, err := pseudoid.ParseMapping(raw)
	if err != nil || string(parsed.Key) != key {
		return false
	}
	domain, err := pseudoid.UserIDDomain(parsed.UserID)
	if err != nil {
		return false
	}
	if keys := r.peer.sw.knownKeys(domain); keys != nil {
		return pseudoid.VerifyMapping(parsed, keys) == nil
	}
	return !r.peer.sw.IsOurs(event.id)
}

// adopt replaces the extremities and the state of the model by those after event, given the state before it and its auth
// chain, as another server sent them.
func (r *Room) adopt(state, authChain []Event, event Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, known := r.events[event.id]; known {
		return
	}
	before := stateMap{}
	for _, known := range append(slices.Clone(authChain), state...) {
		if _, ok := r.events[known.id]; !ok {
			r.events[known.id] = known
			r.order = append(r.order, known.id)
		}
		r.learnMapping(known)
	}
	for _, known := range state {
		if key, ok := known.StateKey(); ok {
			before[stateTuple{known.Type(), key}] = known.id
			if known.Type() == "m.room.member" && known.MappedUserID() != "" && r.mappingHolds(known, key) {
				r.users[key] = known.MappedUserID()
			}
		}
	}
	r.before[event.id] = before
	r.events[event.id] = event
	r.order = append(r.order, event.id)
	for _, known := range r.events {
		for _, id := range known.PrevEvents() {
			r.after[id] = true
		}
	}
	r.current = r.stateAfter(event)
	r.extremities = []string{event.id}
	r.learnMapping(event)
}

// stateAfter returns the state after a known event.
func (r *Room) stateAfter(event Event) stateMap {
	before, ok := r.before[event.id]
	if !ok {
		before = r.current
	}
	key, isState := event.StateKey()
	if !isState {
		return before
	}
	return withState(before, stateTuple{event.Type(), key}, event.id)
}

// stateAfterAll returns the state after several events, or the current state where that would need state resolution.
func (r *Room) stateAfterAll(ids []string) stateMap {
	if len(ids) == 0 {
		return stateMap{}
	}
	if len(ids) == 1 {
		if event, ok := r.events[ids[0]]; ok {
			if _, known := r.before[event.id]; known {
				return r.stateAfter(event)
			}
		}
	}
	return r.current
}

func withState(state stateMap, tuple stateTuple, eventID string) stateMap {
	changed := maps.Clone(state)
	if changed == nil {
		changed = stateMap{}
	}
	changed[tuple] = eventID
	return changed
}

// isAncestor reports whether prev_events of known events lead from one event to an ancestor.
func (r *Room) isAncestor(ancestor, of string) bool {
	seen := map[string]bool{}
	queue := []string{of}
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		for _, previous := range r.events[id].PrevEvents() {
			if previous == ancestor {
				return true
			}
			if !seen[previous] {
				seen[previous] = true
				queue = append(queue, previous)
			}
		}
	}
	return false
}
