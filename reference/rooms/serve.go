package rooms

// This file serves the events of rooms to peers (server-server API, "Backfilling and retrieving missing events",
// "Retrieving events").

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
)

// served returns events as peers get them: redacted ones in redacted form, without rejected ones.
func (r *Room) served(events []*Event) []json.RawMessage {
	list := []json.RawMessage{}
	for _, event := range events {
		if event.Rejected == "" {
			list = append(list, r.forPeers(event).JSON())
		}
	}
	return list
}

// forPeers returns an event as peers get it.
func (r *Room) forPeers(event *Event) *pdu.Event {
	if r.RedactionOf(event.ID()) == "" && !r.purged(event) {
		return event.Event
	}
	redacted, err := r.redactedForPeers(event)
	if err != nil {
		return event.Event
	}
	return redacted
}

// redactedForPeers returns the redacted form of an event that peers get.
func (r *Room) redactedForPeers(event *Event) (*pdu.Event, error) {
	if !r.format.Pseudonymous {
		return event.Redacted()
	}
	return r.rooms.Pseudonym.RedactForPeers(event.Event, r.purged(event))
}

// purged reports whether an event is a member event whose mapping was removed for good.
func (r *Room) purged(event *Event) bool {
	member, isMember := event.Member()
	return isMember && r.format.Pseudonymous && r.directory.Purged(identity.SenderKey(member))
}

// RedactionOf returns the ID of the redaction that took effect on an event, or "".
func (r *Room) RedactionOf(eventID string) string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.redacted[eventID]
}

// AuthChain returns the auth chain of some events: their auth events, the auth events of these, and so on.
func (r *Room) AuthChain(of []*Event) []*Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	seen := map[string]bool{}
	var chain []*Event
	for waiting := slices.Clone(of); len(waiting) > 0; {
		next := waiting[0]
		waiting = waiting[1:]
		for _, id := range next.AuthEvents() {
			if event := r.events[id]; event != nil && !seen[id] {
				seen[id] = true
				chain = append(chain, event)
				waiting = append(waiting, event)
			}
		}
	}
	return chain
}

// askable returns a room whose history a server may request: one that it has, or had, a member in ("To authorise other
// servers to do backfill requests, etc.", MSC1228, Handling the mxid mapping).
func (rs *Rooms) askable(origin, roomID string) (*Room, error) {
	room, err := rs.resident(origin, roomID)
	if err != nil {
		return nil, err
	}
	if !room.wasIn(origin) {
		return nil, Forbidden("%s has no member in room %s", origin, roomID)
	}
	return room, nil
}

// wasIn reports whether a server has or had a joined member.
func (r *Room) wasIn(server string) bool {
	if r.format.Pseudonymous {
		return pseudonym.WasInRoom(r.directory.Entries(), server)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, event := range r.events {
		key, isState := event.StateKey()
		domain, err := identity.UserIDDomain(key)
		if isState && event.Type() == memberType && event.Membership() == "join" && event.Visible() && err == nil && domain == server {
			return true
		}
	}
	return false
}

// visibleTo reports whether a server may see an event, by the history visibility and the server's members at the event
// (client-server API, "Room history visibility").
func (r *Room) visibleTo(server string, event *Event) bool {
	if event.Rejected != "" {
		return false
	}
	if event.Outlier() {
		return true // state that the server was given, or can compute
	}
	switch historyVisibility(event.after.state) {
	case "world_readable":
		return true
	case "joined":
		return r.hasMember(event.after.state, server, "join") || r.hasMember(event.before.state, server, "join")
	case "invited":
		return r.hasMember(event.after.state, server, "join", "invite") || r.hasMember(event.before.state, server, "join", "invite")
	}
	return r.hasMember(r.State(), server, "join") || r.wasJoinedAfter(server, event)
}

// hasMember reports whether a server has a member with one of the memberships in a state.
func (r *Room) hasMember(state rules.State, server string, memberships ...string) bool {
	for key, member := range state {
		if key.Type != memberType || !slices.Contains(memberships, member.Membership()) {
			continue
		}
		if domain, ok := pseudonym.VerifiedDomain(identity.SenderKey(key.Key), r.Names()); ok && domain == server {
			return true
		}
	}
	return false
}

// wasJoinedAfter reports whether a server had a joined member at or after an event.
func (r *Room) wasJoinedAfter(server string, event *Event) bool {
	r.mu.RLock()
	later := slices.Clone(r.order)
	r.mu.RUnlock()
	seen := map[string]bool{}
	for _, one := range later {
		if one.Position < event.Position || seen[one.after.id] {
			continue
		}
		seen[one.after.id] = true
		if r.hasMember(one.after.state, server, "join") {
			return true
		}
	}
	return false
}

func historyVisibility(state rules.State) string {
	if event := state.Get(historyVisibilityType, ""); event != nil {
		return event.Content("history_visibility").String()
	}
	return "shared"
}

// visibleForm returns an event as a server may see it: redacted if it may not see the content.
func (r *Room) visibleForm(server string, event *Event) (json.RawMessage, bool) {
	if event.Rejected != "" {
		return nil, false
	}
	if r.visibleTo(server, event) {
		return r.forPeers(event).JSON(), true
	}
	redacted, err := r.redactedForPeers(event)
	if err != nil {
		return nil, false
	}
	return redacted.JSON(), true
}

// ServeEvent returns an event to a server (GET /event).
func (rs *Rooms) ServeEvent(_ context.Context, origin, eventID string) (json.RawMessage, error) {
	for _, room := range rs.All() {
		event := room.Event(eventID)
		if event == nil {
			continue
		}
		if _, err := rs.askable(origin, room.id); err != nil {
			return nil, err
		}
		if event.Rejected != "" || !room.visibleTo(origin, event) {
			return nil, NotFound("there is no event %s that %s may see", eventID, origin)
		}
		return room.forPeers(event).JSON(), nil
	}
	return nil, NotFound("there is no event %s", eventID)
}

// ServeState returns the state before an event, and its auth chain (GET /state).
func (rs *Rooms) ServeState(_ context.Context, origin, roomID, eventID string) (state, chain []json.RawMessage, err error) {
	room, before, err := rs.stateFor(origin, roomID, eventID)
	if err != nil {
		return nil, nil, err
	}
	return room.served(before), room.served(room.AuthChain(before)), nil
}

// ServeStateIDs is ServeState by event IDs (GET /state_ids).
func (rs *Rooms) ServeStateIDs(_ context.Context, origin, roomID, eventID string) (state, chain []string, err error) {
	room, before, err := rs.stateFor(origin, roomID, eventID)
	if err != nil {
		return nil, nil, err
	}
	return eventIDs(before), eventIDs(room.AuthChain(before)), nil
}

func eventIDs(events []*Event) []string {
	ids := []string{}
	for _, event := range events {
		if event.Rejected == "" {
			ids = append(ids, event.ID())
		}
	}
	return ids
}

func (rs *Rooms) stateFor(origin, roomID, eventID string) (*Room, []*Event, error) {
	room, err := rs.askable(origin, roomID)
	if err != nil {
		return nil, nil, err
	}
	event := room.Event(eventID)
	if event == nil || event.Outlier() || event.Rejected != "" {
		return nil, nil, NotFound("the state before event %s is not known", eventID)
	}
	if !room.visibleTo(origin, event) {
		return nil, nil, Forbidden("%s may not see event %s", origin, eventID)
	}
	return room, room.stored(event.before.state), nil
}

// ServeEventAuth returns the auth chain of an event (GET /event_auth).
func (rs *Rooms) ServeEventAuth(_ context.Context, origin, roomID, eventID string) ([]json.RawMessage, error) {
	room, err := rs.askable(origin, roomID)
	if err != nil {
		return nil, err
	}
	event := room.Event(eventID)
	if event == nil || event.Rejected != "" {
		return nil, NotFound("there is no event %s", eventID)
	}
	return room.served(room.AuthChain([]*Event{event})), nil
}

// mostServed is the maximum number of events in a response.
const mostServed = 100

// ServeBackfill returns at most limit events, those in from and the ones before them, newest first (GET /backfill).
func (rs *Rooms) ServeBackfill(_ context.Context, origin, roomID string, from []string, limit int) ([]json.RawMessage, error) {
	room, err := rs.askable(origin, roomID)
	if err != nil {
		return nil, err
	}
	return room.shownTo(origin, room.walkBack(from, nil, limit)), nil
}

// ServeMissingEvents returns the events between earliest and latest, oldest first (POST /get_missing_events).
func (rs *Rooms) ServeMissingEvents(_ context.Context, origin, roomID string, earliest, latest []string, limit int, minDepth int64) ([]json.RawMessage, error) {
	room, err := rs.askable(origin, roomID)
	if err != nil {
		return nil, err
	}
	var from []string
	for _, id := range latest {
		if event := room.Event(id); event != nil {
			from = append(from, event.PrevEvents()...)
		}
	}
	found := room.walkBack(from, append(slices.Clone(earliest), latest...), limit)
	found = slices.DeleteFunc(found, func(event *Event) bool { return event.Depth() < minDepth })
	slices.Reverse(found)
	return room.shownTo(origin, found), nil
}

// shownTo returns events as a server may see them, redacted where it may not see the content.
func (r *Room) shownTo(server string, events []*Event) []json.RawMessage {
	list := []json.RawMessage{}
	for _, event := range events {
		if form, ok := r.visibleForm(server, event); ok {
			list = append(list, form)
		}
	}
	return list
}

// walkBack returns up to limit events, those in from and their ancestors, the deepest first. It stops at those in but.
func (r *Room) walkBack(from, but []string, limit int) []*Event {
	if limit <= 0 || limit > mostServed {
		limit = mostServed
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	seen := map[string]bool{}
	for _, id := range but {
		seen[id] = true
	}
	var found []*Event
	for waiting := slices.Clone(from); len(waiting) > 0 && len(found) < limit; {
		id := waiting[0]
		waiting = waiting[1:]
		event := r.events[id]
		if seen[id] || event == nil || event.Outlier() {
			continue
		}
		seen[id] = true
		if event.Rejected == "" {
			found = append(found, event)
		}
		waiting = append(waiting, event.PrevEvents()...)
	}
	slices.SortStableFunc(found, func(a, b *Event) int { return cmp.Compare(b.Depth(), a.Depth()) })
	return found
}

// TimestampToEvent returns the visible event closest to a time in milliseconds: the first at or after it ("f"), or the
// last at or before it ("b"). origin is "" for a local user, given by userID.
func (r *Room) TimestampToEvent(origin, userID string, at int64, direction string) *Event {
	r.mu.RLock()
	all := slices.Clone(r.order)
	r.mu.RUnlock()
	var found *Event
	for _, event := range all {
		ts := event.OriginServerTS()
		fits := direction == "f" && ts >= at || direction == "b" && ts <= at
		if !fits || !event.Visible() || origin != "" && !r.visibleTo(origin, event) || origin == "" && !r.VisibleToUser(userID, event) {
			continue
		}
		if found == nil || direction == "f" && ts < found.OriginServerTS() || direction == "b" && ts >= found.OriginServerTS() {
			found = event
		}
	}
	return found
}

// RelatedTo returns the visible events that relate to another, in order.
func (r *Room) RelatedTo(eventID string) []*Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.SortedFunc(slices.Values(r.relations[eventID]), func(a, b *Event) int { return cmp.Compare(a.Position, b.Position) })
}
