// Package rooms keeps the rooms of one homeserver: it sends events for local users, accepts those of other servers,
// keeps the state, and shows all of it to clients and peers. HTTP and its encodings are left to other packages.
//
// Ordinary rooms (versions 10 and 11) and pseudonymous ones share the same code. Where they differ, it relies on:
//
//   - reference/pdu for the events;
//   - reference/rules for what is allowed, in every version;
//   - reference/pseudonym for what MSC4014 changes: who signs events, which key is whose, and what clients see.
//
// Read room.go (what a room is), then take.go (how an event is added to it), write.go (events of local users),
// receive.go (events of other servers), then what interests you.
//
// A room has two locks: mu guards what the room knows, and no request is sent to another server while it is held; intake
// is held while the events of another server are taken in one after the other, requests for what is missing included.
// A user that joins also has the room's entrance (join.go). Locks are taken in this order: entrance, intake, mu, the clock,
// the store; those of the directory and of the tables come last. While mu is held, no other room is locked: two rooms may
// each let in the members of the other.
package rooms

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
	"msc4014/reference/store"
	"msc4014/reference/stream"
)

// Profile is a user's profile.
type Profile struct {
	DisplayName string `json:"displayname,omitempty"`
	AvatarURL   string `json:"avatar_url,omitempty"`
}

// Config has the dependencies of Rooms.
type Config struct {
	Server      pseudonym.ServerSigner // name and signing key of this server
	Pseudonym   pseudonym.Rules
	Store       *store.Store
	Clock       *stream.Clock // at or after LastPosition
	MappingKeys pseudonym.KeySource
	KeyAsker    KeyAsker
	EventKeys   rules.ServerKeys
	Remote      Remote
	Profile     func(userID string) Profile // of a local user
	Exists      func(userID string) bool    // whether a local user is registered
	Log         *slog.Logger
}

// Rooms are the rooms of a server. They are safe for concurrent use.
type Rooms struct {
	Config
	tables    tables
	keys      keyStore
	pool      *snapshots
	entrances entrances
	mu        sync.Mutex
	rooms     map[string]*Room
	ctx       context.Context // cancelled by Close
	cancel    context.CancelFunc
	working   sync.WaitGroup
}

// tables are the tables of the store.
type tables struct {
	rooms     *store.Map[roomRecord]      // by room ID
	events    *store.Map[eventRecord]     // by room ID, event ID
	states    *store.Map[[]string]        // event IDs, by snapshot
	redacted  *store.Map[string]          // redaction ID, by room ID, event ID
	entries   *store.Map[pseudonym.Entry] // by room ID, sender key
	keys      *store.Map[keyRecord]       // by room ID, user ID
	resent    *store.Map[bool]            // by room ID, position, event ID
	deferred  *store.Map[deferredPower]   // by room ID, user ID
	outside   *store.Map[Outside]         // by user ID, room ID
	forgotten *store.Map[int64]           // position, by user ID, room ID
	aliases   *store.Map[Alias]           // by alias
	listed    *store.Map[bool]            // room IDs in the public list
	clock     *store.Map[int64]           // the last position
	seen      *store.Map[string]          // the first room that a mapping was seen in, by key and user ID
}

func openTables(s *store.Store) (t tables, err error) {
	opened := []error{
		open(s, "rooms", &t.rooms), open(s, "events", &t.events), open(s, "states", &t.states), open(s, "redacted", &t.redacted),
		open(s, "entries", &t.entries), open(s, "sender_keys", &t.keys), open(s, "resent", &t.resent),
		open(s, "deferred_power", &t.deferred), open(s, "outside_rooms", &t.outside), open(s, "forgotten", &t.forgotten),
		open(s, "aliases", &t.aliases), open(s, "listed", &t.listed), open(s, "mappings_seen", &t.seen),
		open(s, "rooms_clock", &t.clock),
	}
	for _, err := range opened {
		if err != nil {
			return t, err
		}
	}
	return t, nil
}

func open[V any](s *store.Store, name string, into **store.Map[V]) (err error) {
	*into, err = store.NewMap[V](s, name)
	return err
}

// lastPosition is the key in the clock's table.
const lastPosition = "last"

// LastPosition returns the highest position that the rooms of a store ever used, for the clock.
func LastPosition(s *store.Store) (int64, error) {
	clock, err := store.NewMap[int64](s, "rooms_clock")
	if err != nil {
		return 0, err
	}
	last, _ := clock.Get(lastPosition)
	return last, nil
}

// advance calls happen with the next position, and stores the position in the same update.
func (rs *Rooms) advance(happen func(tx *store.Tx, position int64) error) error {
	return rs.Clock.Advance(func(position int64) error {
		return rs.Store.Update(func(tx *store.Tx) error {
			rs.tables.clock.Put(tx, lastPosition, position)
			return happen(tx, position)
		})
	})
}

// Open loads the rooms of a store and starts to retry pending verifications in the background, until Close.
func Open(config Config) (*Rooms, error) {
	rs := &Rooms{Config: config, rooms: map[string]*Room{}}
	if rs.Log == nil {
		rs.Log = slog.New(slog.DiscardHandler)
	}
	var err error
	if rs.tables, err = openTables(config.Store); err != nil {
		return nil, err
	}
	rs.keys = keyStore{config.Store, rs.tables.keys}
	rs.pool = newSnapshots(rs.tables.states)
	if err := rs.load(); err != nil {
		return nil, err
	}
	rs.ctx, rs.cancel = context.WithCancel(context.Background())
	rs.working.Go(rs.verifyPending)
	return rs, nil
}

// Close stops the background work. The store stays open.
func (rs *Rooms) Close() {
	rs.cancel()
	rs.working.Wait()
}

// Get returns a room that this server is or was in, or nil.
func (rs *Rooms) Get(roomID string) *Room {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	return rs.rooms[roomID]
}

// add registers a room.
func (rs *Rooms) add(room *Room) {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	rs.rooms[room.id] = room
}

// All returns all rooms that this server is or was in, sorted by ID.
func (rs *Rooms) All() []*Room {
	rs.mu.Lock()
	defer rs.mu.Unlock()
	var all []*Room
	for _, id := range slices.Sorted(maps.Keys(rs.rooms)) {
		all = append(all, rs.rooms[id])
	}
	return all
}

// Versions returns the supported room versions, the default first.
func Versions() []string {
	return []string{pdu.FormatV10.RoomVersion, pdu.FormatV11.RoomVersion, pdu.RoomVersion}
}

// DefaultVersion is the version of rooms created without one.
const DefaultVersion = "10"

// format returns the event format of a room version; known is false if the version is not supported.
func (rs *Rooms) format(version string) (format pdu.Format, known bool) {
	switch version {
	case pdu.FormatV10.RoomVersion:
		return pdu.FormatV10, true
	case pdu.FormatV11.RoomVersion:
		return pdu.FormatV11, true
	case pdu.RoomVersion:
		return rs.Pseudonym.Format(), true
	}
	return pdu.Format{}, false
}

// own reports whether a user is local.
func (rs *Rooms) own(userID string) bool {
	domain, err := identity.UserIDDomain(userID)
	return err == nil && domain == rs.Server.Name
}

// load loads the rooms from the tables.
func (rs *Rooms) load() error {
	for id, record := range rs.tables.rooms.All() {
		format, known := rs.format(record.Version)
		if !known {
			return fmt.Errorf("room %s has version %q, which this server does not have", id, record.Version)
		}
		rs.rooms[id] = newRoom(rs, id, format)
	}
	raw := map[string]eventRecord{}
	for key, record := range rs.tables.events.All() {
		parts := store.Parts(key)
		room := rs.rooms[parts[0]]
		if room == nil {
			continue // of a room that the server failed to join
		}
		if err := room.loadEvent(record); err != nil {
			return err
		}
		raw[key] = record
	}
	for key, record := range raw {
		parts := store.Parts(key)
		if err := rs.rooms[parts[0]].loadState(parts[1], record); err != nil {
			return err
		}
	}
	entries := map[string][]pseudonym.Entry{}
	for key, entry := range rs.tables.entries.All() {
		room := store.Parts(key)[0]
		entries[room] = append(entries[room], entry)
	}
	for key, redaction := range rs.tables.redacted.All() {
		parts := store.Parts(key)
		rs.rooms[parts[0]].redacted[parts[1]] = redaction
	}
	for key := range rs.tables.resent.All() {
		parts := store.Parts(key)
		room := rs.rooms[parts[0]]
		room.resent = append(room.resent, resent{positionOf(parts[1]), parts[2]})
	}
	for id, record := range rs.tables.rooms.All() {
		rs.rooms[id].finishLoading(record, entries[id])
	}
	return nil
}

// keyRecord is the stored form of a sender key.
type keyRecord struct {
	Private []byte `json:"private"`
}

// keyStore stores the sender keys of local users.
type keyStore struct {
	store *store.Store
	keys  *store.Map[keyRecord]
}

var _ pseudonym.KeyStore = keyStore{}

// Load returns the key of a user in a room.
func (k keyStore) Load(roomID, userID string) (identity.KeyPair, bool, error) {
	record, ok := k.keys.Get(k.place(roomID, userID))
	if !ok {
		return identity.KeyPair{}, false, nil
	}
	return identity.KeyPairOf(record.Private), true, nil
}

// Save stores a key, unless there is one already, and returns the stored key.
func (k keyStore) Save(roomID, userID string, key identity.KeyPair) (kept identity.KeyPair, err error) {
	err = k.store.Update(func(tx *store.Tx) error {
		if record, ok := k.keys.Get(k.place(roomID, userID)); ok {
			kept = identity.KeyPairOf(record.Private)
			return nil
		}
		k.keys.Put(tx, k.place(roomID, userID), keyRecord{key.Private})
		kept = key
		return nil
	})
	return kept, err
}

func (k keyStore) place(roomID, userID string) string {
	return store.Key(roomID, userID)
}

// ownerOf returns the local user that a sender key in the room belongs to. This needs no mapping.
func (r *Room) ownerOf(key string) (userID string, own bool) {
	for place, record := range r.rooms.tables.keys.All() {
		if parts := store.Parts(place); parts[0] == r.id && parts[1] != "" && string(identity.KeyPairOf(record.Private).Public) == key {
			return parts[1], true
		}
	}
	return "", false
}

// now returns the current time in milliseconds.
func now() int64 { return time.Now().UnixMilli() }

// raw marshals a value that encoding/json can marshal.
func raw(value any) json.RawMessage {
	written, err := json.Marshal(value)
	if err != nil {
		panic("rooms: a value that is made here cannot be written: " + err.Error())
	}
	return written
}
