package federation

// A peer's model of a room: the known events, the forward extremities, and the state before each event. Events are applied
// without authorisation.

import (
	"maps"
	"slices"
	"sort"
	"sync"

	"msc4014/helpers/pseudoid"
)

// stateTuple identifies a state event.
type stateTuple struct{ Type, Key string }

// stateMap is a state of the room: event IDs by type and state key. Maps are shared and must not be changed once stored.
type stateMap map[stateTuple]string

// Room is a peer's model of a room. Its methods are safe for concurrent use.
type Room struct {
	peer   *Peer
	id     string
	format pseudoid.Format

	mu          sync.Mutex
	events      map[string]Event
	order       []string // event IDs in the order in which they were applied
	extremities []string // the forward extremities
	current     stateMap
	before      map[string]stateMap // the state before each event, where known
	after       map[string]bool     // the IDs in prev_events of known events
	users       map[string]string   // user IDs by sender key, from mappings
}

func newRoom(peer *Peer, roomID string, format pseudoid.Format) *Room {
	return &Room{
		peer: peer, id: roomID, format: format,
		events: map[string]Event{}, current: stateMap{}, before: map[string]stateMap{}, after: map[string]bool{},
		users: map[string]string{},
	}
}

// ID returns the room ID.
func (r *Room) ID() string { return r.id }

// Version returns the room version.
func (r *Room) Version() string { return r.format.RoomVersion }

// Format returns the format of the room's events.
func (r *Room) Format() pseudoid.Format { return r.format }

// Peer returns the peer to which the model belongs.
func (r *Room) Peer() *Peer { return r.peer }

// Event returns a known event by its ID.
func (r *Room) Event(eventID string) (Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	event, ok := r.events[eventID]
	return event, ok
}

// Events returns all known events in the order in which they were applied.
func (r *Room) Events() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.list(r.order)
}

// Extremities returns the IDs of the forward extremities.
func (r *Room) Extremities() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.extremities)
}

// Depth returns the greatest depth of the forward extremities.
func (r *Room) Depth() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.depth()
}

func (r *Room) depth() int64 {
	var depth int64
	for _, id := range r.extremities {
		depth = max(depth, r.events[id].Depth())
	}
	return depth
}

// State returns the current state, ordered by depth.
func (r *Room) State() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stateList(r.current)
}

// StateEvent returns one event of the current state.
func (r *Room) StateEvent(eventType, stateKey string) (Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stateEvent(eventType, stateKey)
}

func (r *Room) stateEvent(eventType, stateKey string) (Event, bool) {
	event, ok := r.events[r.current[stateTuple{eventType, stateKey}]]
	return event, ok
}

// StateBefore returns the state before an event, ordered by depth; ok is false if it is not known.
func (r *Room) StateBefore(eventID string) (state []Event, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, ok := r.before[eventID]
	if !ok {
		return nil, false
	}
	return r.stateList(before), true
}

// Member is a user with a member event in a room.
type Member struct {
	Sender     string // sender key, or user ID in ordinary rooms
	UserID     string // "" if no mapping is known
	Membership string
}

// Members returns all members of the current state, ordered by sender.
func (r *Room) Members() []Member {
	r.mu.Lock()
	defer r.mu.Unlock()
	var members []Member
	for tuple, id := range r.current {
		if tuple.Type == "m.room.member" {
			members = append(members, Member{Sender: tuple.Key, UserID: r.userID(tuple.Key), Membership: r.events[id].Membership()})
		}
	}
	sort.Slice(members, func(i, j int) bool { return members[i].Sender < members[j].Sender })
	return members
}

// Membership returns the membership of a sender (sender key, or user ID in ordinary rooms), or "".
func (r *Room) Membership(sender string) string {
	event, _ := r.StateEvent("m.room.member", sender)
	return event.Membership()
}

// joinedServers returns the servers of joined members with a known user ID, sorted.
func (r *Room) joinedServers() []string {
	servers := map[string]struct{}{}
	for _, member := range r.Members() {
		if member.Membership != "join" || member.UserID == "" {
			continue
		}
		if domain, err := pseudoid.UserIDDomain(member.UserID); err == nil {
			servers[domain] = struct{}{}
		}
	}
	return slices.Sorted(maps.Keys(servers))
}

// UserIDOf returns the user ID of a sender, or "" if no mapping is known.
func (r *Room) UserIDOf(sender string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.userID(sender)
}

func (r *Room) userID(sender string) string {
	if !r.format.Pseudonymous {
		return sender
	}
	return r.users[sender]
}

// SenderOf returns the sender (sender key, or user ID in ordinary rooms) of a user in the room, or "". A joined or invited one
// takes precedence.
func (r *Room) SenderOf(userID string) string {
	found := ""
	for _, member := range r.Members() {
		if member.UserID != userID {
			continue
		}
		if found == "" || member.Membership == "join" || member.Membership == "invite" {
			found = member.Sender
		}
	}
	return found
}

// hasServer reports whether a server has a user with a member event in the room, whatever its membership.
func (r *Room) hasServer(name string) bool {
	for _, member := range r.Members() {
		if domain, err := pseudoid.UserIDDomain(member.UserID); err == nil && domain == name {
			return true
		}
	}
	return false
}

// AuthChain returns the known events that authorise those with the given IDs, directly or indirectly, ordered by depth. An event
// of the IDs is only in it if it authorises another.
func (r *Room) AuthChain(eventIDs ...string) []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	queue := slices.Clone(eventIDs)
	for len(queue) > 0 {
		id := queue[0]
		queue = queue[1:]
		for _, auth := range r.events[id].AuthEvents() {
			if _, known := r.events[auth]; known && !seen[auth] {
				seen[auth] = true
				queue = append(queue, auth)
			}
		}
	}
	return r.byDepth(r.list(slices.Collect(maps.Keys(seen))))
}

func (r *Room) list(ids []string) []Event {
	list := make([]Event, 0, len(ids))
	for _, id := range ids {
		if event, ok := r.events[id]; ok {
			list = append(list, event)
		}
	}
	return list
}

func (r *Room) stateList(state stateMap) []Event {
	return r.byDepth(r.list(slices.Collect(maps.Values(state))))
}

func (r *Room) byDepth(list []Event) []Event {
	sort.Slice(list, func(i, j int) bool {
		if a, b := list[i].Depth(), list[j].Depth(); a != b {
			return a < b
		}
		return list[i].id < list[j].id
	})
	return list
}
