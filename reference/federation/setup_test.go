package federation

// What the tests share: whole servers but for their clients, each with a store, keys, TLS and a name of its own, on
// loopback.

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/federation/outgoing"
	"msc4014/reference/federation/transport"
	"msc4014/reference/keyring"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rooms"
	"msc4014/reference/store"
	"msc4014/reference/stream"
	"msc4014/reference/users"
)

// home is a homeserver.
type home struct {
	t      *testing.T
	name   string
	http   *httptest.Server
	ring   *keyring.Keyring
	client *outgoing.Client
	rooms  *rooms.Rooms
	users  *users.Users
	server *Server

	mu   sync.Mutex
	hook func(w http.ResponseWriter, r *http.Request) (answered bool) // sees requests first
}

func newHome(t *testing.T, dialect pdu.Dialect) *home {
	h := &home{t: t}
	h.http = httptest.NewUnstartedServer(h)
	h.name = h.http.Listener.Addr().String()
	pool := x509.NewCertPool()
	h.http.StartTLS()
	pool.AddCert(h.http.Certificate())

	s, err := store.Open(t.TempDir())
	require.NoError(t, err)
	log := slog.New(slog.NewTextHandler(t.Output(), nil)).With("on", h.name)
	transported := transport.New(pool)
	h.ring, err = keyring.New(keyring.Config{ServerName: h.name, Store: s, Transport: transported})
	require.NoError(t, err)
	h.client, err = outgoing.New(outgoing.Config{ServerName: h.name, Transport: transported, Signer: h.ring, Store: s, Log: log})
	require.NoError(t, err)
	rules := pseudonym.Rules{Dialect: dialect, Server: h.name, Readings: pseudonym.DefaultReadings(dialect)}
	h.users, err = users.Open(users.Config{Server: h.name, Store: s, Log: log, MayRegister: rules.MayRegister})
	require.NoError(t, err)
	clock := stream.NewClock(0)
	h.rooms, err = rooms.Open(rooms.Config{
		Server: h.ring.Signer(), Pseudonym: rules, Store: s, Clock: clock, MappingKeys: h.ring.KeySource(), KeyAsker: h.ring,
		EventKeys: h.ring.ServerKeys(), Remote: h.client, Profile: func(string) rooms.Profile { return rooms.Profile{} },
		Exists: h.users.Exists, Log: log,
	})
	require.NoError(t, err)
	h.users.Connect(clock, sharing{h}, h.client.ForUsers())
	h.server = New(Config{ServerName: h.name, Keys: h.ring, Rooms: h.rooms, Users: h.users, Client: h.client, Log: log})
	t.Cleanup(func() {
		h.http.CloseClientConnections()
		h.http.Close()
		h.server.Close()
		h.rooms.Close()
		h.users.Close()
		h.client.Close()
		h.ring.Close()
		require.NoError(t, s.Close())
	})
	return h
}

// ServeHTTP lets the hook of a test see a request before the server.
func (h *home) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	hook := h.hook
	h.mu.Unlock()
	if hook == nil || !hook(w, r) {
		h.server.ServeHTTP(w, r)
	}
}

func (h *home) setHook(hook func(w http.ResponseWriter, r *http.Request) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.hook = hook
}

// sharing tells the users who is in which room.
type sharing struct{ h *home }

func (s sharing) ServersOf(roomID string) []string {
	room := s.h.rooms.Get(roomID)
	if room == nil {
		return nil
	}
	return slices.DeleteFunc(room.Servers(), func(server string) bool { return server == s.h.name })
}

func (s sharing) ServersSharing(userID string) []string {
	var servers []string
	for _, room := range s.h.rooms.All() {
		if room.Membership(userID) == "join" {
			servers = append(servers, s.ServersOf(room.ID())...)
		}
	}
	slices.Sort(servers)
	return slices.Compact(servers)
}

// user registers a user.
func (h *home) user(localpart string) string {
	userID, err := h.users.Register(localpart, "password")
	require.NoError(h.t, err)
	return userID
}

// room makes a room of a user.
func (h *home) room(creator, version, preset string) string {
	roomID, err := h.rooms.Create(h.t.Context(), creator, rooms.CreateOptions{RoomVersion: version, Preset: preset})
	require.NoError(h.t, err)
	return roomID
}

func (h *home) join(userID, roomID string, via *home) {
	h.t.Helper()
	require.NoError(h.t, h.rooms.Join(h.t.Context(), userID, roomID, []string{via.name}, ""))
}

func (h *home) send(userID, roomID, body string) string {
	h.t.Helper()
	content := fmt.Appendf(nil, `{"msgtype":"m.text","body":%q}`, body)
	eventID, err := h.rooms.Send(h.t.Context(), roomID, userID, rooms.Write{Type: "m.room.message", Content: content})
	require.NoError(h.t, err)
	return eventID
}

// sees waits until the server has an event in a room.
func (h *home) sees(roomID, eventID string) *rooms.Event {
	h.t.Helper()
	var found *rooms.Event
	h.eventually(func() bool {
		if room := h.rooms.Get(roomID); room != nil {
			found = room.Event(eventID)
		}
		return found != nil
	}, "%s does not have event %s", h.name, eventID)
	return found
}

func (h *home) eventually(condition func() bool, message string, arguments ...any) {
	h.t.Helper()
	require.Eventually(h.t, condition, time.Minute, 2*time.Millisecond, append([]any{message}, arguments...)...)
}

// ask sends a signed request to another server and returns status and body of the answer.
func (h *home) ask(to *home, method, uri string, body any) (int, gjson.Result) {
	h.t.Helper()
	var sent []byte
	if body != nil {
		var err error
		sent, err = json.Marshal(body)
		require.NoError(h.t, err)
	}
	authorization, err := h.ring.SignRequest(method, to.name, uri, sent)
	require.NoError(h.t, err)
	return to.plain(method, uri, string(sent), authorization)
}

// plain sends a request that nobody signed.
func (h *home) plain(method, uri, body, authorization string) (int, gjson.Result) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(h.t.Context(), time.Minute)
	defer cancel()
	pool := x509.NewCertPool()
	pool.AddCert(h.http.Certificate())
	request := transport.Request{Server: h.name, Method: method, URI: uri, Authorization: authorization, Limit: 1 << 20}
	if body != "" {
		request.Body = []byte(body)
	}
	answer, err := transport.New(pool).Ask(ctx, request)
	require.NoError(h.t, err)
	assert.True(h.t, json.Valid(answer.Body), "%s %s answered %q", method, uri, answer.Body)
	return answer.Status, gjson.ParseBytes(answer.Body)
}

// kinds are the kinds of rooms that servers share.
var kinds = map[string]struct {
	dialect pdu.Dialect
	version string
}{
	"version 10":            {pdu.DialectMSC4014, "10"},
	"version 11":            {pdu.DialectMSC4014, "11"},
	"pseudonymous":          {pdu.DialectMSC4014, pdu.RoomVersion},
	"pseudonymous deployed": {pdu.DialectDendrite, pdu.RoomVersion},
}

// inRoom runs a test for each kind of room: alice of a made it, bob of b is joined.
func inRoom(t *testing.T, test func(t *testing.T, s *scene)) {
	for name, kind := range kinds {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			s := newScene(t, kind.dialect, kind.version)
			s.b.join(s.bob, s.roomID, s.a)
			test(t, s)
		})
	}
}

type scene struct {
	a, b       *home
	alice, bob string
	roomID     string
}

func newScene(t *testing.T, dialect pdu.Dialect, version string) *scene {
	s := &scene{a: newHome(t, dialect), b: newHome(t, dialect)}
	s.alice, s.bob = s.a.user("alice"), s.b.user("bob")
	s.roomID = s.a.room(s.alice, version, "public_chat")
	return s
}
