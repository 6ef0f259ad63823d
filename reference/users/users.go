// Package users keeps everything that a server knows of people apart from their rooms: accounts, devices and access
// tokens, profiles, account data, filters, push rules, keys for end-to-end encryption, messages from device to device,
// presence, typing and receipts. Nothing in it depends on how rooms name their senders: it knows user IDs alone, as
// clients and the ephemeral part of the federation do.
//
// What /sync must tell has a position of the server's clock, and is asked for by "since": everything after a position.
// Everything but typing and presence survives a restart. What must be asked of, or told to, other servers goes through
// Remote; who shares a room with whom is asked of Rooms.
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

// Remote reaches other servers, the client of reference/federation/outgoing. Answers are the bodies as they came.
type Remote interface {
	// Profile asks a user's server for its profile (GET /query/profile).
	Profile(ctx context.Context, userID string) (json.RawMessage, error)
	// QueryKeys and ClaimKeys send a body of POST /user/keys/query and /user/keys/claim to a server.
	QueryKeys(ctx context.Context, server string, body json.RawMessage) (json.RawMessage, error)
	ClaimKeys(ctx context.Context, server string, body json.RawMessage) (json.RawMessage, error)
	// SendEDU queues an ephemeral message for servers. Those about devices do not get lost: they are in the store when it
	// returns.
	SendEDU(servers []string, eduType string, content json.RawMessage)
}

// Rooms knows which other servers must hear of a user or a room: those with a joined member, as far as user IDs are
// verified.
type Rooms interface {
	// ServersOf returns the other servers in a room.
	ServersOf(roomID string) []string
	// ServersSharing returns the other servers that share a room with a user.
	ServersSharing(userID string) []string
}

// Refusal is a request that is not done, with the error code that clients get (client-server API, "Standard error
// response").
type Refusal struct{ Code, Message string }

// Error tells the code and the message.
func (r *Refusal) Error() string { return r.Code + ": " + r.Message }

func refuse(code, format string, arguments ...any) error {
	return &Refusal{Code: code, Message: fmt.Sprintf(format, arguments...)}
}

// Config is what Users are made with.
type Config struct {
	Server string // the own server name
	Store  *store.Store
	Log    *slog.Logger
	// MayRegister tells whether a localpart may be taken: pseudonym.Rules.MayRegister.
	MayRegister func(localpart string) bool
}

// Users is everything that the server knows of users. It may be used from several goroutines.
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
	lists       *store.Map[int64]             // by user ID: when its device list last changed
	remotes     *store.Map[remoteDevices]     // by user ID of other servers
	inboxes     *store.Map[[]Message]         // by user ID and device ID
	taken       *store.Map[bool]              // by origin and message ID: what came over federation already
	receipts    *store.Map[[]Receipt]         // by room ID
	backups     *store.Map[[]Backup]          // by user ID
	transaction *store.Map[string]            // event ID or "", by user ID, device ID, endpoint and transaction ID
	positions   *store.Map[int64]             // under latest, the highest position that was used
	listsAt     atomic.Int64                  // when any device list last changed
	lock        sync.RWMutex                  // guards what follows, which is in memory only
	openID      map[string]string             // user IDs by OpenID token
	typing      map[string]map[string]*typist // by room ID, then by user ID
	typingAt    map[string]int64              // by room ID: when it last changed
	presence    map[string]*present           // by user ID
	sending     map[Holder]*sync.Mutex        // by device
	last        int64                         // the highest position that was used before Open
	closed      bool
}

// Open reads what the store remembers of users.
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

// LastPosition returns the highest position that was used before Open, from which the clock has to go on: clients have
// tokens up to it, also where what happened then was in memory alone.
func (u *Users) LastPosition() int64 { return u.last }

// Connect gives Users what it could not be opened with. It must be called once, before anything else but LastPosition.
func (u *Users) Connect(clock *stream.Clock, rooms Rooms, remote Remote) {
	u.clock, u.rooms, u.remote = clock, rooms, remote
}

// Close stops what would still happen by itself.
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

// publish makes something visible that /sync must tell, at the next position.
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

// publishInMemory is publish of what is not stored and cannot be refused.
func (u *Users) publishInMemory(do func(position int64)) {
	err := u.publish(func(_ *store.Tx, position int64) error {
		u.lock.Lock()
		defer u.lock.Unlock()
		do(position)
		return nil
	})
	if err != nil {
		u.Log.Error("presence or typing is not told", "error", err)
	}
}

// send queues a message for other servers.
func (u *Users) send(servers []string, eduType string, content map[string]any) {
	if len(servers) > 0 {
		u.remote.SendEDU(servers, eduType, mustMarshal(content))
	}
}

// mustMarshal writes what was made here, or read as JSON.
func mustMarshal(value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil {
		panic("users: a value that is made here cannot be written: " + err.Error())
	}
	return raw
}

// Local tells whether a user ID is of this server, whether or not there is an account.
func (u *Users) Local(userID string) bool { return serverOf(userID) == u.Server }

// serverOf returns the server name in a user ID, or "".
func serverOf(userID string) string {
	_, server, _ := strings.Cut(userID, ":")
	return server
}
