package clientapi_test

// What the tests share: homeservers with real stores, on loopback, and clients of them.

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/homeserver"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

type object = map[string]any

// versions are the room versions that must look the same to clients.
var versions = []string{"10", "11", pdu.RoomVersion}

// server is a homeserver.
type server struct {
	t    *testing.T
	name string
	http *httptest.Server
}

// newServers starts homeservers that trust each other.
func newServers(t *testing.T, n int) []*server {
	pool := x509.NewCertPool()
	var federations []*httptest.Server
	handlers := make([]atomic.Value, n)
	for i := range n {
		federation := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			handlers[i].Load().(http.Handler).ServeHTTP(w, r)
		}))
		pool.AddCert(federation.Certificate())
		federations = append(federations, federation)
	}
	var servers []*server
	for i, federation := range federations {
		s := &server{t: t, name: federation.Listener.Addr().String()}
		log := slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})).With("on", s.name)
		home, err := homeserver.New(homeserver.Config{
			ServerName: s.name, DataDir: t.TempDir(), Dialect: pdu.DialectMSC4014,
			Readings: pseudonym.DefaultReadings(pdu.DialectMSC4014), RootCAs: pool, Log: log,
		})
		require.NoError(t, err)
		handlers[i].Store(home.FederationHandler())
		s.http = httptest.NewServer(home.ClientHandler())
		servers = append(servers, s)
		t.Cleanup(func() {
			s.http.CloseClientConnections()
			s.http.Close()
			federation.CloseClientConnections()
			federation.Close()
			require.NoError(t, home.Close())
		})
	}
	return servers
}

func newServer(t *testing.T) *server { return newServers(t, 1)[0] }

// client is a device of a user.
type client struct {
	*server
	userID, device, token string
	transactions          int
}

// answer is what a request came to.
type answer struct {
	gjson.Result
	status int
}

func (a answer) code() string { return a.Get("errcode").String() }

// path makes a path, escaping each %s.
func path(format string, parts ...string) string {
	var escaped []any
	for _, part := range parts {
		escaped = append(escaped, url.PathEscape(part))
	}
	return fmt.Sprintf(format, escaped...)
}

// ask sends a request below /_matrix/client, unless the path begins with /_matrix or /.
func (s *server) ask(method, at, token string, body any) answer {
	s.t.Helper()
	var reader io.Reader
	switch body := body.(type) {
	case nil:
	case string:
		reader = strings.NewReader(body)
	default:
		raw, err := json.Marshal(body)
		require.NoError(s.t, err)
		reader = strings.NewReader(string(raw))
	}
	if !strings.HasPrefix(at, "/_matrix") && !strings.HasPrefix(at, "/.") {
		at = "/_matrix/client" + at
	}
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.http.URL+at, reader)
	require.NoError(s.t, err)
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(s.t, err)
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	require.NoError(s.t, err)
	return answer{gjson.ParseBytes(raw), response.StatusCode}
}

// try sends a request of the client.
func (c *client) try(method, at string, body any) answer {
	c.t.Helper()
	return c.ask(method, at, c.token, body)
}

// do is try of what must succeed.
func (c *client) do(method, at string, body any) answer {
	c.t.Helper()
	got := c.try(method, at, body)
	require.Equal(c.t, 200, got.status, "%s %s of %s: %s", method, at, c.userID, got.Raw)
	return got
}

func (s *server) register(localpart string) *client {
	s.t.Helper()
	got := s.ask("POST", "/v3/register", "", object{
		"username": localpart, "password": "password of " + localpart, "device_id": strings.ToUpper(localpart),
		"auth": object{"type": "m.login.dummy"},
	})
	require.Equal(s.t, 200, got.status, got.Raw)
	text := func(field string) string { return got.Get(field).String() }
	return &client{server: s, userID: text("user_id"), device: text("device_id"), token: text("access_token")}
}

func (c *client) create(options object) string {
	c.t.Helper()
	if options == nil {
		options = object{}
	}
	return c.do("POST", "/v3/createRoom", options).Get("room_id").String()
}

func (c *client) join(roomID string, via ...string) {
	c.t.Helper()
	c.do("POST", path("/v3/join/%s", roomID)+"?"+url.Values{"server_name": via}.Encode(), nil)
}

func (c *client) send(roomID, eventType string, content any) string {
	c.t.Helper()
	c.transactions++
	return c.do("PUT", path("/v3/rooms/%s/send/%s/%s", roomID, eventType, fmt.Sprint("t", c.transactions)), content).Get("event_id").String()
}

func (c *client) say(roomID, text string) string {
	c.t.Helper()
	return c.send(roomID, "m.room.message", object{"msgtype": "m.text", "body": text})
}

// sync asks once, without waiting.
func (c *client) sync(since string, more ...string) answer {
	c.t.Helper()
	query := url.Values{}
	if since != "" {
		query.Set("since", since)
	}
	for i := 0; i < len(more); i += 2 {
		query.Set(more[i], more[i+1])
	}
	return c.do("GET", "/v3/sync?"+query.Encode(), nil)
}

// until syncs until a path of an answer holds for a while, and returns that answer.
func (c *client) until(since string, holds func(answer) bool) answer {
	c.t.Helper()
	for {
		got := c.sync(since, "timeout", "10000")
		if holds(got) {
			return got
		}
		next := got.Get("next_batch").String()
		require.NotEqual(c.t, since, next, "%s saw nothing of what it waits for", c.userID)
		since = next
	}
}

// now returns the token of the present.
func (c *client) now() string {
	c.t.Helper()
	return c.sync("").Get("next_batch").String()
}

// in returns what a /sync says of a room in a part.
func in(a answer, part, roomID string) gjson.Result {
	return a.Get("rooms." + part + "." + gjson.Escape(roomID))
}

// bodies returns the body of each event.
func bodies(events gjson.Result) []string {
	list := []string{}
	for _, event := range events.Array() {
		list = append(list, event.Get("content.body").String())
	}
	return list
}

// find returns the last event of a type and, unless it is "*", a state key.
func find(events gjson.Result, eventType, stateKey string) gjson.Result {
	for _, event := range slices.Backward(events.Array()) {
		key := event.Get("state_key")
		if event.Get("type").String() == eventType && (stateKey == "*" || key.Exists() && key.String() == stateKey) {
			return event
		}
	}
	return gjson.Result{}
}
