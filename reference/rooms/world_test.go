package rooms

// This file connects servers for tests: they ask each other by calls, and queued events wait until they are delivered.

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/federation/outgoing"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/store"
	"msc4014/reference/stream"
)

// world is some servers.
type world struct {
	t       *testing.T
	dialect pdu.Dialect
	servers map[string]*server
	mu      sync.Mutex
	queue   []queued
	cut     map[string]bool // pairs "a b" that cannot reach each other
	hidden  map[string]bool // servers whose keys cannot be had
}

type queued struct {
	from, to string
	event    json.RawMessage
}

// server is one server, with the folder of its store.
type server struct {
	*Rooms
	world *world
	name  string
	dir   string
	key   ed25519.PrivateKey
	store *store.Store
}

func newWorld(t *testing.T, dialect pdu.Dialect, names ...string) *world {
	w := &world{t: t, dialect: dialect, servers: map[string]*server{}, cut: map[string]bool{}, hidden: map[string]bool{}}
	for _, name := range names {
		_, key, err := ed25519.GenerateKey(nil)
		require.NoError(t, err)
		w.servers[name] = &server{world: w, name: name, dir: t.TempDir(), key: key}
		w.servers[name].start()
	}
	return w
}

func (s *server) start() {
	t := s.world.t
	opened, err := store.Open(s.dir)
	require.NoError(t, err)
	last, err := LastPosition(opened)
	require.NoError(t, err)
	s.store = opened
	s.Rooms, err = Open(Config{
		Server: pseudonym.ServerSigner{Name: s.name, KeyID: "ed25519:1", Key: s.key}, Pseudonym: pseudonym.Rules{Dialect: s.world.dialect, Server: s.name, Readings: pseudonym.DefaultReadings(s.world.dialect)},
		Store: opened, Clock: stream.NewClock(last), MappingKeys: mappingKeys{s.world}, KeyAsker: mappingKeys{s.world}, EventKeys: eventKeys{s.world},
		Remote:  remote{s.world, s.name},
		Profile: func(userID string) Profile { return Profile{DisplayName: strings.TrimPrefix(userID, "@")} },
		Exists:  func(userID string) bool { return !strings.HasPrefix(userID, "@nobody") },
	})
	require.NoError(t, err)
	t.Cleanup(s.stop)
}

func (s *server) stop() {
	if s.store != nil {
		s.Close()
		_ = s.store.Close()
		s.store = nil
	}
}

// deliver delivers what is queued, and what that leads to. What is for a server that cannot be reached stays.
func (w *world) deliver() {
	for {
		w.mu.Lock()
		place := slices.IndexFunc(w.queue, func(q queued) bool { return !w.cut[q.from+" "+q.to] })
		if place < 0 {
			w.mu.Unlock()
			return
		}
		next := w.queue[place]
		w.queue = slices.Delete(w.queue, place, place+1)
		w.mu.Unlock()
		if to := w.servers[next.to]; to != nil {
			_, _ = to.Receive(w.t.Context(), next.from, next.event) // whether it was taken is for the test to see
		}
	}
}

// separate cuts two servers off from each other, or lets them reach each other again.
func (w *world) separate(a, b string, cut bool) { w.cut[a+" "+b], w.cut[b+" "+a] = cut, cut }

// hide takes the keys of a server out of reach, or lets them be had again. Servers ask for them in the background, too.
func (w *world) hide(server string, hidden bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hidden[server] = hidden
}

func (w *world) isHidden(server string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.hidden[server]
}

type mappingKeys struct{ *world }

func (k mappingKeys) ServerKey(serverName, keyID string) (pseudonym.PublishedKey, error) {
	s := k.servers[serverName]
	switch {
	case s == nil || k.isHidden(serverName):
		return pseudonym.PublishedKey{}, errors.New("no answer")
	case keyID != "ed25519:1":
		return pseudonym.PublishedKey{}, pseudonym.ErrNoSuchKey
	}
	return pseudonym.PublishedKey{Key: s.key.Public().(ed25519.PublicKey), ValidUntil: now() + 1e6}, nil
}

// AskAgain and AskNotary make it a KeyAsker: what can be had is there without asking.
func (mappingKeys) AskAgain(context.Context, string) error                { return nil }
func (mappingKeys) AskNotary(context.Context, string, string, bool) error { return nil }

type eventKeys struct{ *world }

func (k eventKeys) ServerKey(_ context.Context, serverName, keyID string, _ int64) (ed25519.PublicKey, error) {
	key, err := mappingKeys(k).ServerKey(serverName, keyID)
	return key.Key, err
}

// remote is how one server asks others.
type remote struct {
	*world
	from string
}

func (r remote) to(server string) (*asked, error) {
	if r.servers[server] == nil || r.cut[r.from+" "+server] {
		return nil, fmt.Errorf("%s does not answer", server)
	}
	return r.servers[server].Rooms, nil
}

type asked = Rooms

func (r remote) MakeJoin(ctx context.Context, server, roomID, userID string, versions []string) (outgoing.Template, error) {
	to, err := r.to(server)
	if err != nil {
		return outgoing.Template{}, err
	}
	return to.MakeMember(ctx, r.from, "join", roomID, userID, versions)
}

func (r remote) MakeLeave(ctx context.Context, server, roomID, userID string) (outgoing.Template, error) {
	to, err := r.to(server)
	if err != nil {
		return outgoing.Template{}, err
	}
	return to.MakeMember(ctx, r.from, "leave", roomID, userID, nil)
}

func (r remote) MakeKnock(ctx context.Context, server, roomID, userID string, versions []string) (outgoing.Template, error) {
	to, err := r.to(server)
	if err != nil {
		return outgoing.Template{}, err
	}
	return to.MakeMember(ctx, r.from, "knock", roomID, userID, versions)
}

func (r remote) SendJoin(ctx context.Context, server, roomID, eventID string, event []byte) (outgoing.SendJoinAnswer, error) {
	to, err := r.to(server)
	if err != nil {
		return outgoing.SendJoinAnswer{}, err
	}
	answer, err := to.SendJoin(ctx, r.from, roomID, eventID, event)
	return outgoing.SendJoinAnswer{State: answer.State, AuthChain: answer.AuthChain, Event: answer.Event}, err
}

func (r remote) SendLeave(ctx context.Context, server, roomID, eventID string, event []byte) error {
	to, err := r.to(server)
	if err != nil {
		return err
	}
	return to.SendLeave(ctx, r.from, roomID, eventID, event)
}

func (r remote) SendKnock(ctx context.Context, server, roomID, eventID string, event []byte) ([]json.RawMessage, error) {
	to, err := r.to(server)
	if err != nil {
		return nil, err
	}
	return to.SendKnock(ctx, r.from, roomID, eventID, event)
}

func (r remote) Invite(ctx context.Context, server, roomID, _ string, invite outgoing.Invite) (json.RawMessage, error) {
	to, err := r.to(server)
	if err != nil {
		return nil, err
	}
	return to.Invited(ctx, r.from, roomID, invite)
}

func (r remote) InvitePartial(ctx context.Context, server, path string, invite outgoing.Invite) (json.RawMessage, error) {
	to, err := r.to(server)
	if err != nil {
		return nil, err
	}
	userID, err := url.PathUnescape(path[strings.LastIndex(path, "/")+1:])
	if err != nil {
		return nil, err
	}
	return to.InvitedPartial(ctx, r.from, userID, invite)
}

func (r remote) MissingEvents(ctx context.Context, server, roomID string, earliest, latest []string, limit int, minDepth int64) ([]json.RawMessage, error) {
	to, err := r.to(server)
	if err != nil {
		return nil, err
	}
	return to.ServeMissingEvents(ctx, r.from, roomID, earliest, latest, limit, minDepth)
}

func (r remote) State(ctx context.Context, server, roomID, eventID string) (outgoing.State, error) {
	to, err := r.to(server)
	if err != nil {
		return outgoing.State{}, err
	}
	state, chain, err := to.ServeState(ctx, r.from, roomID, eventID)
	return outgoing.State{PDUs: state, AuthChain: chain}, err
}

func (r remote) EventAuth(ctx context.Context, server, roomID, eventID string) ([]json.RawMessage, error) {
	to, err := r.to(server)
	if err != nil {
		return nil, err
	}
	return to.ServeEventAuth(ctx, r.from, roomID, eventID)
}

func (r remote) Backfill(ctx context.Context, server, roomID string, from []string, limit int) ([]json.RawMessage, error) {
	to, err := r.to(server)
	if err != nil {
		return nil, err
	}
	return to.ServeBackfill(ctx, r.from, roomID, from, limit)
}

func (r remote) Directory(_ context.Context, server, alias string) (outgoing.Alias, error) {
	to, err := r.to(server)
	if err != nil {
		return outgoing.Alias{}, err
	}
	roomID, servers, ok := to.LocalAlias(alias)
	if !ok {
		return outgoing.Alias{}, NotFound("no alias")
	}
	return outgoing.Alias{RoomID: roomID, Servers: servers}, nil
}

func (r remote) Hierarchy(context.Context, string, string, bool) (outgoing.Hierarchy, error) {
	return outgoing.Hierarchy{}, errors.New("not asked for in these tests")
}

func (r remote) SendEvent(_ *store.Tx, event []byte, servers []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, to := range servers {
		r.queue = append(r.queue, queued{r.from, to, event})
	}
}

// create makes a public room of a version.
func (s *server) create(user, version string, change ...func(*CreateOptions)) string {
	s.world.t.Helper()
	o := CreateOptions{RoomVersion: version, Preset: "public_chat"}
	for _, c := range change {
		c(&o)
	}
	roomID, err := s.Create(s.world.t.Context(), user, o)
	require.NoError(s.world.t, err)
	return roomID
}

func (s *server) join(user, roomID, via string) {
	s.world.t.Helper()
	require.NoError(s.world.t, s.Join(s.world.t.Context(), user, roomID, []string{via}, ""))
	s.world.deliver()
}

func (s *server) say(user, roomID, text string) string {
	s.world.t.Helper()
	id, err := s.Send(s.world.t.Context(), roomID, user, Write{Type: "m.room.message", Content: raw(map[string]string{"msgtype": "m.text", "body": text})})
	require.NoError(s.world.t, err)
	s.world.deliver()
	return id
}

// texts returns what a user sees of a room, oldest first, as "sender: body".
func (s *server) texts(user, roomID string) []string {
	var seen []string
	room := s.Get(roomID)
	events, _ := room.Forward(user, -1e9, 1e9, 1000, func(e *Event) bool { return e.Type() == "m.room.message" })
	for _, event := range events {
		view := room.View(event, Viewer{UserID: user}, nil)
		seen = append(seen, gjson.GetBytes(view, "sender").String()+": "+gjson.GetBytes(view, "content.body").String())
	}
	return seen
}
