package federation

// Taking events into a room's model: where the room ends, the state as of each event, and which user a sender key
// stands for. A check is linear, so there is no state resolution: of a fork, the event applied last counts.

import (
	"maps"
	"slices"

	"msc4014/helpers/pseudoid"
)

// Apply takes an event into the room: it becomes known, ends the room where it comes last, and changes the state. An
// event that is known already changes nothing.
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
	if !r.after[event.id] { // else it came late: what comes after it is here already
		r.extremities = slices.DeleteFunc(r.extremities, func(id string) bool { return slices.Contains(previous, id) })
		r.extremities = append(r.extremities, event.id)
	}
	if linear {
		r.current = r.stateAfter(event)
	} else if key, isState := event.StateKey(); isState {
		tuple := StateTuple{event.Type(), key}
		// A fork, or an event that came late: the last one applied counts, unless what is there came after it.
		if present, ok := r.current[tuple]; !ok || !r.isAncestor(event.id, present) {
			r.current = withState(r.current, tuple, event.id)
		}
	}
	r.learnMapping(event)
}

// learnMapping keeps which user a sender key stands for, from member events of the current state.
func (r *Room) learnMapping(event Event) {
	key, isState := event.StateKey()
	if !isState || event.Type() != "m.room.member" || event.MappedUserID() == "" {
		return
	}
	if (r.users[key] == "" || r.current[StateTuple{"m.room.member", key}] == event.id) && r.proven(event, key) {
		r.users[key] = event.MappedUserID()
	}
}

// proven tells whether a member event's mapping holds. A peer must not route by a lie, its own least of all: what the
// claimed server then received would look like the candidate's doing. Only keys that are at hand are used; without
// them, a mapping that another server wrote is taken at its word.
func (r *Room) proven(event Event, key string) bool {
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
	if keys := r.peer.sw.keysAtHand(domain); keys != nil {
		return pseudoid.VerifyMapping(parsed, keys) == nil
	}
	return !r.peer.sw.IsOurs(event.id)
}

// adopt takes a room over from another server: its state before an event, the auth chain of it, and the event. What the
// model held as the room's end and state before is replaced.
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
			before[StateTuple{known.Type(), key}] = known.id
			if known.Type() == "m.room.member" && known.MappedUserID() != "" && r.proven(known, key) {
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
	return withState(before, StateTuple{event.Type(), key}, event.id)
}

// stateAfterAll returns the state after several events; where that would take state resolution, the current state.
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

func withState(state stateMap, tuple StateTuple, eventID string) stateMap {
	changed := maps.Clone(state)
	if changed == nil {
		changed = stateMap{}
	}
	changed[tuple] = eventID
	return changed
}

// isAncestor tells whether one event comes before another by prev_events, as far as events are known.
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
