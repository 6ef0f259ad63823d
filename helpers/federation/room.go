package federation

// A peer's model of a room: the events that it knows, where the room ends, and the state as of each event. Events are
// applied as they come, without authorisation: a check is linear, and the server under test is the judged one.

import (
	"maps"
	"slices"
	"sort"
	"sync"

	"msc4014/helpers/pseudoid"
)

// StateTuple names one piece of room state.
type StateTuple struct{ Type, Key string }

// stateMap is a state of the room: event IDs. Maps are shared between events and never changed once stored.
type stateMap map[StateTuple]string

// Room is a peer's model of a room. Its methods are safe for use by several goroutines.
type Room struct {
	peer   *Peer
	id     string
	format pseudoid.Format

	mu          sync.Mutex
	events      map[string]Event
	order       []string // event IDs as they were applied
	extremities []string // the forward extremities
	current     stateMap
	before      map[string]stateMap // the state before each event, where known
	after       map[string]bool     // IDs that stand in the prev_events of known events
	users       map[string]string   // user IDs by sender key, as the newest applied mapping of each claims
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

// Peer returns the peer whose model this is.
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

// Extremities returns the IDs of the events that no known event comes after.
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

// State returns the current state, in the order of depth.
func (r *Room) State() []Event {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stateList(r.current)
}

// StateEvent returns one piece of the current state.
func (r *Room) StateEvent(eventType, stateKey string) (Event, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.stateEvent(eventType, stateKey)
}

func (r *Room) stateEvent(eventType, stateKey string) (Event, bool) {
	event, ok := r.events[r.current[StateTuple{eventType, stateKey}]]
	return event, ok
}

// StateBefore returns the state before an event, in the order of depth; ok is false when it is not known.
func (r *Room) StateBefore(eventID string) (state []Event, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, ok := r.before[eventID]
	if !ok {
		return nil, false
	}
	return r.stateList(before), true
}

// Member is one member of a room, whatever its membership.
type Member struct {
	Sender     string // sender key, or user ID in ordinary rooms
	UserID     string // "" when no mapping was seen
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

// Membership returns the membership of a sender (sender key, or user ID in ordinary rooms), "" if it has none.
func (r *Room) Membership(sender string) string {
	event, _ := r.StateEvent("m.room.member", sender)
	return event.Membership()
}

// JoinedServers returns the servers with a joined member, by the user IDs of the mappings, ordered.
func (r *Room) JoinedServers() []string {
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

// UserIDOf returns the user ID behind a sender, "" if no mapping was seen.
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

// SenderOf returns the sender (sender key, or user ID in ordinary rooms) that a user ID has in the room: a joined or
// invited one if there is one, "" if there is none at all.
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

// hasServer tells whether a server has, or ever had, a member in the room.
func (r *Room) hasServer(name string) bool {
	for _, member := range r.Members() {
		if domain, err := pseudoid.UserIDDomain(member.UserID); err == nil && domain == name {
			return true
		}
	}
	return false
}

// AuthChain returns the events that authorise those with the given IDs, directly or through others, as far as they
// are known, without those events themselves unless one authorises another; in the order of depth.
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
