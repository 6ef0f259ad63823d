package rooms

// This file is what a room is: its events, the state before and after each, where it ends, and who is in it.

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

	"msc4014/helpers/pseudoid"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
	"msc4014/reference/store"
)

// Event is an event of a room with what this server knows of it. It does not change.
type Event struct {
	*rules.Event
	// Position is its place in the server's own order. Events from before the server was in the room have negative ones,
	// the older the lower. An outlier has 0: it is known only because others stand on it.
	Position   int64
	Rejected   string // why the event takes part in nothing; "" if it does
	SoftFailed bool   // not allowed in the present state: it is in the graph, and in no view (server-server API, "Soft failure")
	Concealed  bool   // in the state, and in no client view (mapping/unproven-handling, "accepted-hidden")
	Verdict    pseudonym.Verdict
	Cause      pseudonym.Cause // of a member event: how its mapping was judged when it came
	// Device and Transaction are of the own user's request that wrote it.
	Device, Transaction string

	before, after *snapshot // nil for an outlier
	current       *snapshot // the room's state once the event was taken
}

// Outlier tells whether the event has no place in the server's order.
func (e *Event) Outlier() bool { return e.before == nil }

// Visible tells whether the event is part of what clients and peers may be shown at all.
func (e *Event) Visible() bool { return e.Rejected == "" && !e.SoftFailed }

// Room is one room. It may be used from several goroutines.
type Room struct {
	rooms  *Rooms
	id     string
	format pseudoid.Format

	intake sync.Mutex // held while events of other servers are taken in, over requests too; taken before mu

	mu         sync.RWMutex
	events     map[string]*Event
	order      []*Event // without outliers, by position
	heads      []string // the forward extremities
	current    *snapshot
	directory  *pseudonym.Directory
	referenced map[string]bool     // events that are before another
	redacted   map[string]string   // redaction by redacted event
	redactions map[string][]string // redactions by what they redact, applied or not
	relations  map[string][]*Event // by what they relate to
	resent     []resent
	lowest     int64 // the lowest position
}

// resent is a member event that clients are to be sent again.
type resent struct {
	position int64
	eventID  string
}

// roomRecord is how a room is remembered.
type roomRecord struct {
	Version string   `json:"version"`
	Heads   []string `json:"heads"`
	Current string   `json:"current"`
}

// eventRecord is how an event is remembered.
type eventRecord struct {
	JSON        json.RawMessage   `json:"json"`
	Sender      string            `json:"sender"` // where the JSON does not name it any more
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

func newRoom(rs *Rooms, id string, format pseudoid.Format) *Room {
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

// Pseudonymous tells whether senders are keys in the room.
func (r *Room) Pseudonymous() bool { return r.format.Pseudonymous }

// Event returns an event by its ID, an outlier too, or nil.
func (r *Room) Event(eventID string) *Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.events[eventID]
}

// Names returns who is who in the room, as clients know them. In an ordinary room, everybody is who it is.
func (r *Room) Names() pseudonym.Names {
	if r.format.Pseudonymous {
		return r.directory
	}
	return plainNames{}
}

// UserID returns the user ID by which clients know who sent an event, or who a member event is about.
func (r *Room) UserID(sender string) string { return r.Names().UserID(pseudoid.SenderKey(sender)) }

// Sender returns how events of the room name a user; ok is false if the user has no key in the room.
func (r *Room) Sender(userID string) (sender string, ok bool) {
	key, ok := r.Names().Key(userID)
	return string(key), ok
}

// State returns the room's present state.
func (r *Room) State() rules.State {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.current.state
}

// StateAfter returns the state after an event that is no outlier.
func (r *Room) StateAfter(e *Event) rules.State { return e.after.state }

// StateBefore returns the state before an event that is no outlier.
func (r *Room) StateBefore(e *Event) rules.State { return e.before.state }

// stored returns the events of a state as this server knows them, in the order of their types and keys.
func (r *Room) stored(state rules.State) []*Event {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.storedLocked(state)
}

func (r *Room) storedLocked(state rules.State) []*Event {
	var all []*Event
	for _, key := range slices.SortedFunc(maps.Keys(state), func(a, b rules.StateKey) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Key, b.Key))
	}) {
		if event := r.events[state[key].ID()]; event != nil {
			all = append(all, event)
		}
	}
	return all
}

// Membership returns the present membership of a user: "join", "invite", "knock", "ban", "leave", or "" if it never had one.
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

// MemberUserIDs returns the user IDs of all with a membership, in order, as clients know them.
func (r *Room) MemberUserIDs(membership string) []string {
	var users []string
	for key, event := range r.State() {
		if key.Type != memberType || event.Membership() != membership || r.format.Pseudonymous && !r.directory.Shown(pseudoid.SenderKey(key.Key)) {
			continue
		}
		users = append(users, r.UserID(key.Key))
	}
	slices.Sort(users)
	return slices.Compact(users)
}

// Servers returns the servers with a joined member, in order, the own one too.
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
		if domain, err := pseudoid.UserIDDomain(key.Key); err == nil {
			servers = append(servers, domain)
		}
	}
	slices.Sort(servers)
	return slices.Compact(servers)
}

// Resident tells whether an own user is joined, so that the server takes part in the room.
func (r *Room) Resident() bool { return slices.Contains(r.Servers(), r.rooms.Server.Name) }

// Event types that the package gives a meaning.
const (
	createType            = "m.room.create"
	memberType            = "m.room.member"
	powerLevelsType       = "m.room.power_levels"
	joinRulesType         = "m.room.join_rules"
	historyVisibilityType = "m.room.history_visibility"
	redactionType         = "m.room.redaction"
)

// plainNames are those of an ordinary room.
type plainNames struct{}

func (plainNames) UserID(sender pseudoid.SenderKey) string         { return string(sender) }
func (plainNames) Proven(sender pseudoid.SenderKey) (string, bool) { return string(sender), true }
func (plainNames) Knows(pseudoid.SenderKey) bool                   { return true }
func (plainNames) Key(userID string) (pseudoid.SenderKey, bool) {
	return pseudoid.SenderKey(userID), true
}

// snapshot is one state of a room. Equal states have the same id, and those of one pool are one.
type snapshot struct {
	id    string
	state rules.State
}

// snapshots are all states that occur.
type snapshots struct {
	table *store.Map[[]string]
	mu    sync.Mutex
	known map[string]*snapshot
}

func newSnapshots(table *store.Map[[]string]) *snapshots {
	return &snapshots{table: table, known: map[string]*snapshot{}}
}

// of returns the snapshot of a state, which must not be changed any more.
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

// put remembers a snapshot.
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

// load returns a remembered snapshot.
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

// loadEvent reads a remembered event.
func (r *Room) loadEvent(record eventRecord) error {
	event, err := rules.NewStoredEvent(record.JSON, r.format, record.Sender)
	if err != nil {
		return err
	}
	r.events[event.ID()] = &Event{
		Event: event, Position: record.Position, Rejected: record.Rejected, SoftFailed: record.SoftFailed,
		Concealed: record.Concealed, Verdict: record.Verdict, Cause: record.Cause, Device: record.Device, Transaction: record.Transaction,
	}
	return nil
}

// loadState gives a loaded event its states, once all events are there.
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

// finishLoading makes what follows from the events.
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

// index files an event under what it refers to.
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

// positionKey spells a position so that the order of the text is that of the numbers.
func positionKey(position int64) string { return fmt.Sprintf("%020d", position) }

func positionOf(key string) int64 {
	position, _ := strconv.ParseInt(key, 10, 64)
	return position
}
