// Package users keeps everything that a server knows about users apart from their rooms: accounts, devices and access
// tokens, profiles, account data, filters, push rules, keys for end-to-end encryption, to-device messages, presence,
// typing and receipts. Nothing in it depends on how rooms name their senders: it only knows user IDs, as clients and
// EDUs do.
//
// Whatever /sync must return has a position of the server's clock, and is queried by "since": everything after a
// position. Everything but typing, presence and OpenID tokens survives a restart. Requests and EDUs to other servers go
// through Remote; Rooms knows who shares a room with whom.
package users

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"

	"msc4014/reference/store"
	"msc4014/reference/stream"
)

// Remote sends requests and EDUs to other servers; the client of reference/federation/outgoing implements it. Responses
// are unparsed bodies.
type Remote interface {
	// Profile asks a user's server for its profile (GET /query/profile).
	Profile(ctx context.Context, userID string) (json.RawMessage, error)
	// QueryKeys and ClaimKeys send a body of POST /user/keys/query and /user/keys/claim to a server.
	QueryKeys(ctx context.Context, server string, body json.RawMessage) (json.RawMessage, error)
	ClaimKeys(ctx context.Context, server string, body json.RawMessage) (json.RawMessage, error)
	// SendEDU queues an EDU for servers. Those about devices are not lost: they are stored when it returns.
	SendEDU(servers []string, eduType string, content json.RawMessage)
}

// Rooms knows which other servers must be told about a user or a room: those with a joined member whose user ID is
// verified.
type Rooms interface {
	// ServersOf returns the other servers in a room.
	ServersOf(roomID string) []string
	// ServersSharing returns the other servers that share a room with a user.
	ServersSharing(userID string) []string
}

// Refusal is a refused request, with the error code that clients get (client-server API, "Standard error response").
type Refusal struct{ Code, Message string }

func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

func refuse(code, format string, arguments ...any) error {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, arguments...)}
}

// Config configures Users.
type Config struct {
	Server string // the name of this server
	Store  *store.Store
	Log    *slog.Logger
	// MayRegister reports whether a local user may have a localpart: pseudonym.Rules.MayRegister.
	MayRegister func(localpart string) bool
}

// Users is everything that the server knows about users. It is safe for concurrent use.
type Users struct {
	Config
	clock  *stream.Clock
	rooms  Rooms
	remote Remote

	accounts    *store.Map[Account]           // by user ID
	devices     *store.Map[map[string]Device] // by user ID, then by device ID
	tokens      *store.Map[Holder]            // by digest of the access token
	accountData *store.Map[map[string]Dated]  // by user ID and room ID ("" is global), then by type
	filters     *store.Map[[]json.RawMessage] // by user ID
	pushers     *store.Map[[]json.RawMessage] // by user ID
	signing     *store.Map[SigningKeys]       // by user ID
	lists       *store.Map[int64]             // the position of the last change of a user's device list
	remotes     *store.Map[remoteDevices]     // by user ID of other servers
	inboxes     *store.Map[[]Message]         // by user ID and device ID
	taken       *store.Map[bool]              // by origin and message ID: to-device messages already received
	receipts    *store.Map[[]Receipt]         // by room ID
	backups     *store.Map[[]Backup]          // by user ID
	transaction *store.Map[string]            // event ID or "", by user ID, device ID, endpoint and transaction ID
	positions   *store.Map[int64]             // under latest, the highest position that was used
	listsAt     atomic.Int64                  // the position of the last change of any device list
	lock        sync.RWMutex                  // guards what follows, which is in memory only
	openID      map[string]string             // user IDs by OpenID token
	typing      map[string]map[string]*typist // by room ID, then by user ID
	typingAt    map[string]int64              // by room ID: the position of the last change
	presence    map[string]*present           // by user ID
	sending     map[Holder]*sync.Mutex        // by device
	last        int64                         // the highest position that was used before Open
	closed      bool
}

// Open loads the users from the store.
func Open(c Config) (*Users, error) {
	u := &Users{
		Config: c, openID: map[string]string{}, typing: map[string]map[string]*typist{}, typingAt: map[string]int64{},
		presence: map[string]*present{}, sending: map[Holder]*sync.Mutex{},
	}
	err := errors.Join(
		load(c.Store, "accounts", &u.accounts), load(c.Store, "devices", &u.devices), load(c.Store, "tokens", &u.tokens),
		load(c.Store, "account_data", &u.accountData), load(c.Store, "filters", &u.filters), load(c.Store, "pushers", &u.pushers),
		load(c.Store, "signing_keys", &u.signing), load(c.Store, "device_lists", &u.lists), load(c.Store, "remote_devices", &u.remotes),
		load(c.Store, "inboxes", &u.inboxes), load(c.Store, "inbox_taken", &u.taken), load(c.Store, "receipts", &u.receipts),
		load(c.Store, "key_backups", &u.backups), load(c.Store, "transactions", &u.transaction),
		load(c.Store, "user_positions", &u.positions),
	)
	if err != nil {
		return nil, fmt.Errorf("read the users: %w", err)
	}
	for _, position := range u.lists.All() {
		u.listsAt.Store(max(u.listsAt.Load(), position))
	}
	u.last, _ = u.positions.Get(latest)
	return u, nil
}

func load[V any](s *store.Store, name string, into **store.Map[V]) error {
	m, err := store.NewMap[V](s, name)
	*into = m
	return err
}

// LastPosition returns the highest position that was used before Open. The clock must continue after it: clients have
// tokens up to it, even if the changes were only in memory.
func (u *Users) LastPosition() int64 { return u.last }

// Connect sets the dependencies that need Users to exist first. It must be called once, before anything else but
// LastPosition.
func (u *Users) Connect(clock *stream.Clock, rooms Rooms, remote Remote) {
	u.clock, u.rooms, u.remote = clock, rooms, remote
}

// Close stops all timers.
func (u *Users) Close() {
	u.lock.Lock()
	defer u.lock.Unlock()
	u.closed = true
	for _, typists := range u.typing {
		for _, t := range typists {
			t.timer.Stop()
		}
	}
	for _, p := range u.presence {
		p.stop()
	}
}

// latest is the key of the highest position that was used.
const latest = "latest"

// publish makes a change visible to /sync at the next position.
func (u *Users) publish(do func(tx *store.Tx, position int64) error) error {
	return u.clock.Advance(func(position int64) error {
		return u.Store.Update(func(tx *store.Tx) error {
			if err := do(tx, position); err != nil {
				return err
			}
			u.positions.Put(tx, latest, position)
			return nil
		})
	})
}

// publishInMemory is publish for changes that are not stored and cannot fail.
func (u *Users) publishInMemory(do func(position int64)) {
	err := u.publish(func(_ *store.Tx, position int64) error {
		u.lock.Lock()
		defer u.lock.Unlock()
		do(position)
		return nil
	})
	if err != nil {
		u.Log.Error("presence or typing not published", "error", err)
	}
}

// send queues an EDU for other servers.
func (u *Users) send(servers []string, eduType string, content map[string]any) {
	if len(servers) > 0 {
		u.remote.SendEDU(servers, eduType, mustMarshal(content))
	}
}

// mustMarshal marshals a value that was made here, or parsed from JSON.
func mustMarshal(value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil {
		panic("users: a value that is made here cannot be written: " + err.Error())
	}
	return raw
}

// Local reports whether a user ID is of this server, with or without an account.
func (u *Users) Local(userID string) bool { return serverOf(userID) == u.Server }

// serverOf returns the server name in a user ID, or "".
func serverOf(userID string) string {
	_, server, _ := strings.Cut(userID, ":")
	return server
}
