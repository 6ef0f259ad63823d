package users

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"msc4014/reference/store"
	"msc4014/reference/stream"
)

// world is the other servers and the rooms, as Users see them: everybody shares the room !r with two.test.
type world struct {
	mu      sync.Mutex
	answers map[string]json.RawMessage // by call
	sent    []string                   // types of ephemeral messages
	content map[string]json.RawMessage // the last by type
}

var errUnreachable = errors.New("unreachable")

func (w *world) answer(call string) (json.RawMessage, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if answer, found := w.answers[call]; found {
		return answer, nil
	}
	return nil, errUnreachable
}

func (w *world) Profile(context.Context, string) (json.RawMessage, error) { return w.answer("profile") }

func (w *world) QueryKeys(context.Context, string, json.RawMessage) (json.RawMessage, error) {
	return w.answer("query")
}

func (w *world) ClaimKeys(context.Context, string, json.RawMessage) (json.RawMessage, error) {
	return w.answer("claim")
}

func (w *world) SendEDU(servers []string, eduType string, content json.RawMessage) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.sent = append(w.sent, eduType+" to "+strings.Join(servers, ","))
	w.content[eduType] = content
}

func (w *world) last(eduType string) json.RawMessage {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.content[eduType]
}

func (w *world) ServersOf(string) []string      { return []string{"two.test"} }
func (w *world) ServersSharing(string) []string { return []string{"two.test"} }

// open opens the users in a folder.
func open(t *testing.T, dir string) (*Users, *world) {
	t.Helper()
	s, err := store.Open(dir)
	require.NoError(t, err)
	u, err := Open(Config{
		Server: "one.test", Store: s, Log: slog.New(slog.DiscardHandler),
		MayRegister: func(localpart string) bool { return !strings.HasPrefix(localpart, "_unverified_") },
	})
	require.NoError(t, err)
	w := &world{answers: map[string]json.RawMessage{}, content: map[string]json.RawMessage{}}
	u.Connect(stream.NewClock(u.LastPosition()), w, w)
	t.Cleanup(func() { u.Close(); _ = s.Close() })
	return u, w
}

// register makes an account with a device of the same name.
func register(t *testing.T, u *Users, localpart string) Holder {
	t.Helper()
	userID, err := u.Register(localpart, "password of "+localpart)
	require.NoError(t, err)
	h, _, err := u.LogIn(userID, strings.ToUpper(localpart), "")
	require.NoError(t, err)
	return h
}
