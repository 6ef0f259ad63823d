package rooms

// This file defines a room: its events, the state before and after each, its forward extremities, and its members.

import (
	"cmp"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"sync"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
	"msc4014/reference/store"
)

// Event is an event of a room with what this server knows about it. It is immutable.
type Event struct {
	*pdu.Event
	// Position is its place in the server's own order. Events from before the server was in the room have negative
	// positions, lower for older ones. An outlier, known only as an auth event of others, has 0.
	Position   int64
	Rejected   string // why the event was rejected, or ""
	SoftFailed bool   // not allowed in the current state: it is in the DAG, but not shown to clients (server-server API, "Soft failure")
	Concealed  bool   // in the state, but not shown to clients (mapping/unproven-handling, "accepted-hidden")
	Verdict    pseudonym.Verdict
	Cause      pseudonym.Cause // of a member event: how its mapping was judged on arrival
	// Device and Transaction are of the local user's request that sent it.
	Device, Transaction string

	before, after *snapshot // nil for an outlier
	current       *snapshot // the room's state once the event was accepted
}

// Outlier reports whether the event is an outlier, without a place in the server's order.
func (e *Event) Outlier() bool { return e.before == nil }

// Visible reports whether the event was accepted, that is, neither rejected nor soft-failed.
func (e *Event) Visible() bool { return e.Rejected == "" && !e.SoftFailed }

// Room is one room. It is safe for concurrent use.
type Room struct {
	rooms  *Rooms
	id     string
	format pdu.Format

	intake sync.Mutex // held while events of other servers are accepted, even during requests; locked before mu

	mu         sync.RWMutex
	events     map[string]*Event
	order      []*Event // without outliers, by position
	heads      []string // the forward extremities
	current    *snapshot
	directory  *pseudonym.Directory
	referenced map[string]bool     // events that are a prev event of another
	redacted   map[string]string   // redaction by redacted event
	redactions map[string][]string // redactions by the event that they redact, applied or not
	relations  map[string][]*Event // by the event that they relate to
	resent     []resent
	lowest     int64 // the lowest position
}

// resent is a member event to send to clients again.
type resent struct {
	position int64
	eventID  string
}

// roomRecord is the stored form of a room.
type roomRecord struct {
	Version string   `json:"version"`
	Heads   []string `json:"heads"`
	Current string   `json:"current"`
}

// eventRecord is the stored form of an event.
type eventRecord struct {
	JSON        json.RawMessage   `json:"json"`
	Position    int64             `json:"position"`
	Rejected    string            `json:"rejected,omitempty"`
	SoftFailed  bool              `json:"soft_failed,omitempty"`
	Concealed   bool              `json:"concealed,omitempty"`
	Verdict     pseudonym.Verdict `json:"verdict,omitempty"`
	Cause       pseudonym.Cause   `json:"cause,omitempty"`
	Device      string            `json:"device,omitempty"`
	Transaction string            `json:"transaction,omitempty"`
	Before      string            `json:"before,omitempty"`
	After       string            `json:"after,omitempty"`
	Current     string            `json:"current,omitempty"`
}

func newRoom(rs *Rooms, id string, format pdu.Format) *Room {
	room := &Room{
		rooms: rs, id: id, format: format, events: map[string]*Event{}, referenced: map[string]bool{},
		redacted: map[string]string{}, redactions: map[string][]string{}, relations: map[string][]*Event{},
		current: rs.pool.of(rules.State{}),
	}
	room.directory = pseudonym.NewDirectory(rs.Pseudonym)
	return room
}

// ID returns the room ID.
func (r *Room) ID() string { return r.id }

// Version returns the room version.
func (r *Room) Version() string { return r.format.RoomVersion }

// Pseudonymous reports whether senders are keys in the room.
func (r *Room) Pseudonymous() bool { return r.format.Pseudonymous }

// Event returns an event by its ID, possibly an outlier, or nil.
func (r *Room) Event(eventID string) *Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.events[eventID]
}

// Names returns the names of the room's members. In an ordinary room, wire names are user IDs.
func (r *Room) Names() pseudonym.Names {
	if r.format.Pseudonymous {
		return r.directory
	}
	return plainNames{}
}

// UserID returns the user ID that clients see for the sender of an event, or the target of a member event.
func (r *Room) UserID(sender string) string { return r.Names().UserID(identity.SenderKey(sender)) }

// Sender returns the wire name of a user in the room; ok is false if the user has no key in it.
func (r *Room) Sender(userID string) (sender string, ok bool) {
	key, ok := r.Names().Key(userID)
	return string(key), ok
}

// State returns the room's current state.
func (r *Room) State() rules.State {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.current.state
}

// StateAfter returns the state after an event that is not an outlier.
func (r *Room) StateAfter(e *Event) rules.State { return e.after.state }

// StateBefore returns the state before an event that is not an outlier.
func (r *Room) StateBefore(e *Event) rules.State { return e.before.state }

// stored returns the events of a state as this server stores them, sorted by type and state key.
func (r *Room) stored(state rules.State) []*Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.storedLocked(state)
}

func (r *Room) storedLocked(state rules.State) []*Event {
	var all []*Event
	for _, key := range slices.SortedFunc(maps.Keys(state), func(a, b pdu.StateKey) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Key, b.Key))
	}) {
		if event := r.events[state[key].ID()]; event != nil {
			all = append(all, event)
		}
	}
	return all
}

// Membership returns the current membership of a user: "join", "invite", "knock", "ban", "leave", or "" if it never had
// one.
func (r *Room) Membership(userID string) string {
	sender, ok := r.Sender(userID)
	if !ok {
		return ""
	}
	if member := r.State().Member(sender); member != nil {
		return member.Membership()
	}
	return ""
}

// MemberUserIDs returns the user IDs, as clients see them, of all members with a membership, sorted.
func (r *Room) MemberUserIDs(membership string) []string {
	var users []string
	for key, event := range r.State() {
		if key.Type != memberType || event.Membership() != membership || r.format.Pseudonymous && !r.directory.Shown(identity.SenderKey(key.Key)) {
			continue
		}
		users = append(users, r.UserID(key.Key))
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// Servers returns the servers with a joined member, including this one, sorted.
func (r *Room) Servers() []string { return r.serversIn(r.State(), r.directory.Entries()) }

func (r *Room) serversIn(state rules.State, entries []pseudonym.Entry) []string {
	if r.format.Pseudonymous {
		return pseudonym.Servers(entries)
	}
	var servers []string
	for key, event := range state {
		if key.Type != memberType || event.Membership() != "join" {
			continue
		}
		if domain, err := identity.UserIDDomain(key.Key); err == nil {
			servers = append(servers, domain)
		}
	}
	slices.Sort(servers)
	return slices.Compact(servers)
}

// Resident reports whether this server is in the room, that is, whether a local user is joined.
func (r *Room) Resident() bool { return slices.Contains(r.Servers(), r.rooms.Server.Name) }

// Event types with a meaning for this package.
const (
	createType            = "m.room.create"
	memberType            = "m.room.member"
	powerLevelsType       = "m.room.power_levels"
	joinRulesType         = "m.room.join_rules"
	historyVisibilityType = "m.room.history_visibility"
	redactionType         = "m.room.redaction"
)

// plainNames are the names of an ordinary room.
type plainNames struct{}

func (plainNames) UserID(sender identity.SenderKey) string           { return string(sender) }
func (plainNames) Verified(sender identity.SenderKey) (string, bool) { return string(sender), true }
func (plainNames) Knows(identity.SenderKey) bool                     { return true }
func (plainNames) Key(userID string) (identity.SenderKey, bool) {
	return identity.SenderKey(userID), true
}

// snapshot is a state of a room. Equal states have the same id, and share one snapshot in a pool.
type snapshot struct {
	id    string
	state rules.State
}

// snapshots is a pool of all states that occur.
type snapshots struct {
	table *store.Map[[]string]
	mu    sync.Mutex
	known map[string]*snapshot
}

func newSnapshots(table *store.Map[[]string]) *snapshots {
	return &snapshots{table: table, known: map[string]*snapshot{}}
}

// of returns the snapshot of a state, which must not be changed afterwards.
func (s *snapshots) of(state rules.State) *snapshot {
	ids := stateIDs(state)
	hash := sha256.New()
	for _, id := range ids {
		hash.Write([]byte(id + "\n"))
	}
	id := base64.RawURLEncoding.EncodeToString(hash.Sum(nil))
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.known[id]; known != nil {
		return known
	}
	s.known[id] = &snapshot{id, state}
	return s.known[id]
}

// put stores a snapshot.
func (s *snapshots) put(tx *store.Tx, one *snapshot) {
	if _, there := s.table.Get(one.id); !there {
		s.table.Put(tx, one.id, stateIDs(one.state))
	}
}

func stateIDs(state rules.State) []string {
	ids := make([]string, 0, len(state))
	for _, event := range state {
		ids = append(ids, event.ID())
	}
	slices.Sort(ids)
	return ids
}

// load returns a stored snapshot.
func (s *snapshots) load(id string, room *Room) (*snapshot, error) {
	s.mu.Lock()
	known := s.known[id]
	s.mu.Unlock()
	if known != nil {
		return known, nil
	}
	ids, ok := s.table.Get(id)
	if !ok {
		return nil, fmt.Errorf("a state of room %s is not there", room.id)
	}
	state := rules.State{}
	for _, eventID := range ids {
		event := room.events[eventID]
		if event == nil {
			return nil, fmt.Errorf("event %s of a state of room %s is not there", eventID, room.id)
		}
		key, _ := event.State()
		state[key] = event.Event
	}
	return s.of(state), nil
}

// loadEvent loads a stored event.
func (r *Room) loadEvent(record eventRecord) error {
	event, err := pdu.Parse(record.JSON, r.format)
	if err != nil {
		return err
	}
	r.events[event.ID()] = &Event{
		Event: event, Position: record.Position, Rejected: record.Rejected, SoftFailed: record.SoftFailed,
		Concealed: record.Concealed, Verdict: record.Verdict, Cause: record.Cause, Device: record.Device, Transaction: record.Transaction,
	}
	return nil
}

// loadState sets the states of a loaded event, once all events are loaded.
func (r *Room) loadState(eventID string, record eventRecord) (err error) {
	if record.Before == "" {
		return nil
	}
	event := r.events[eventID]
	if event.before, err = r.rooms.pool.load(record.Before, r); err != nil {
		return err
	}
	if event.after, err = r.rooms.pool.load(record.After, r); err != nil {
		return err
	}
	event.current, err = r.rooms.pool.load(record.Current, r)
	return err
}

// finishLoading derives the rest of the room from its events.
func (r *Room) finishLoading(record roomRecord, entries []pseudonym.Entry) {
	r.directory = pseudonym.NewDirectory(r.rooms.Pseudonym, entries...)
	r.heads = record.Heads
	if current, err := r.rooms.pool.load(record.Current, r); err == nil {
		r.current = current
	}
	for _, event := range r.events {
		r.index(event)
	}
	slices.SortFunc(r.order, func(a, b *Event) int { return cmp.Compare(a.Position, b.Position) })
	slices.SortFunc(r.resent, func(a, b resent) int { return cmp.Compare(a.position, b.position) })
}

// index adds an event to the order, and to the indexes of the events that it refers to.
func (r *Room) index(event *Event) {
	if event.Outlier() {
		return
	}
	r.order = append(r.order, event)
	r.lowest = min(r.lowest, event.Position)
	if !event.Visible() {
		return
	}
	for _, id := range event.PrevEvents() {
		r.referenced[id] = true
	}
	if target := event.Redacts(); event.Type() == redactionType && target != "" {
		r.redactions[target] = append(r.redactions[target], event.ID())
	}
	if parent := event.Content("m.relates_to").Get("event_id").String(); parent != "" {
		r.relations[parent] = append(r.relations[parent], event)
	}
}

// positionKey formats a position so that keys sort like positions.
func positionKey(position int64) string { return fmt.Sprintf("%020d", position) }

func positionOf(key string) int64 {
	position, _ := strconv.ParseInt(key, 10, 64)
	return position
}
