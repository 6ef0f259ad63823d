package homeserver

import (
	"crypto/x509"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/appservice"
	"msc4014/reference/internal/loopback"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

// serving is a homeserver behind real listeners on loopback. Its name is the address of the one for peers.
type serving struct {
	t             *testing.T
	dialect       pdu.Dialect
	name, dir     string
	home          *Homeserver
	services      []*appservice.Registration
	client, peers *httptest.Server
	token, userID string
}

func start(t *testing.T, dialect pdu.Dialect, localpart string, services ...*appservice.Registration) *serving {
	s := &serving{t: t, dialect: dialect, dir: t.TempDir(), name: loopback.Reserve(t), services: services}
	s.open()
	t.Cleanup(s.stop)
	registered := s.ask("POST", "/register", `{"username":"`+localpart+`","password":"p","auth":{"type":"m.login.dummy"}}`)
	s.token, s.userID = registered.Get("access_token").String(), registered.Get("user_id").String()
	return s
}

// open starts the homeserver in its folder, under the name that it had.
func (s *serving) open() {
	listener, err := net.Listen("tcp", s.name)
	require.NoError(s.t, err)
	certified := httptest.NewTLSServer(nil) // all of them have one certificate, which is for 127.0.0.1
	authorities := x509.NewCertPool()
	authorities.AddCert(certified.Certificate())
	certified.Close()
	s.home, err = New(Config{
		ServerName: s.name, DataDir: s.dir, Dialect: s.dialect, Readings: pseudonym.DefaultReadings(s.dialect), RootCAs: authorities, Services: s.services,
		Log: slog.New(slog.NewTextHandler(s.t.Output(), nil)).With("on", s.name),
	})
	require.NoError(s.t, err)
	s.peers = &httptest.Server{Listener: listener, Config: &http.Server{Handler: s.home.FederationHandler()}}
	s.peers.StartTLS()
	s.client = httptest.NewServer(s.home.ClientHandler())
}

func (s *serving) stop() {
	if s.home == nil {
		return
	}
	s.client.Close()
	s.peers.CloseClientConnections()
	s.peers.Close()
	assert.NoError(s.t, s.home.Close())
	s.home = nil
}

// ask asks as the server's user, and expects success.
func (s *serving) ask(method, path, body string) gjson.Result {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.client.URL+"/_matrix/client/v3"+path, strings.NewReader(body))
	require.NoError(s.t, err)
	if s.token != "" {
		request.Header.Set("Authorization", "Bearer "+s.token)
	}
	answer, err := s.client.Client().Do(request)
	require.NoError(s.t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(s.t, err)
	require.Equal(s.t, http.StatusOK, answer.StatusCode, "%s %s on %s: %s", method, path, s.name, text)
	return gjson.ParseBytes(text)
}

// waitFor follows /sync until a room has a message, and returns who sent it.
func (s *serving) waitFor(room, text string) (sender string) {
	s.t.Helper()
	since := ""
	for s.t.Context().Err() == nil {
		synced := s.ask("GET", "/sync?timeout=30000"+since, "")
		since = "&since=" + url.QueryEscape(synced.Get("next_batch").String())
		timeline := synced.Get("rooms.join." + strings.ReplaceAll(room, ".", `\.`) + ".timeline.events")
		for _, event := range timeline.Array() {
			if event.Get("content.body").String() == text {
				return event.Get("sender").String()
			}
		}
	}
	return ""
}

// TestServersTalk has two servers talk in rooms of every kind, one of them after a new start.
func TestServersTalk(t *testing.T) {
	for _, kind := range []struct {
		version string
		dialect pdu.Dialect
	}{
		{"10", pdu.DialectMSC4014}, {"11", pdu.DialectMSC4014},
		{pdu.RoomVersion, pdu.DialectMSC4014}, {pdu.RoomVersion, pdu.DialectDendrite},
	} {
		t.Run(kind.version+" "+string(kind.dialect), func(t *testing.T) {
			t.Parallel()
			one, two := start(t, kind.dialect, "alice"), start(t, kind.dialect, "bob")
			room := one.ask("POST", "/createRoom", `{"preset":"public_chat","room_version":"`+kind.version+`"}`).Get("room_id").String()
			two.ask("POST", "/join/"+url.PathEscape(room)+"?server_name="+url.QueryEscape(one.name), "{}")
			say := func(s *serving, text string) {
				s.ask("PUT", "/rooms/"+url.PathEscape(room)+"/send/m.room.message/"+text, `{"msgtype":"m.text","body":"`+text+`"}`)
			}
			say(two, "hello")
			assert.Equal(t, two.userID, one.waitFor(room, "hello"))
			two.stop()
			say(one, "meanwhile")
			two.open()
			assert.Equal(t, one.userID, two.waitFor(room, "meanwhile"))
			say(two, "again")
			assert.Equal(t, two.userID, one.waitFor(room, "again"))
		})
	}
}

// transaction is what a service was sent.
type transaction struct{ path, body string }

// events returns the type and the message of each event, as in "m.room.messagehello".
func (t transaction) events() (list []string) {
	for _, event := range gjson.Get(t.body, "events").Array() {
		list = append(list, event.Get("type").String()+event.Get("content.body").String())
	}
	return list
}

// service is an application service that is interested in users whose localparts begin with "bridged-".
type service struct {
	registration *appservice.Registration
	seen         chan transaction
	refusing     atomic.Bool
}

func newService(t *testing.T) *service {
	s := &service{seen: make(chan transaction, 100)}
	listening := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer the server's token", r.Header.Get("Authorization"))
		body, _ := io.ReadAll(r.Body)
		refusing := s.refusing.Load() // before the test learns of it, and changes it
		s.seen <- transaction{r.URL.Path, string(body)}
		if refusing {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	t.Cleanup(listening.Close)
	file := filepath.Join(t.TempDir(), "bridge.yaml")
	require.NoError(t, os.WriteFile(file, []byte(`{id: bridge, url: "`+listening.URL+`/", hs_token: the server's token, as_token: another, sender_localpart: bridge,
namespaces: {users: [{exclusive: false, regex: "@bridged-.*"}]}}`), 0o600))
	var err error
	s.registration, err = appservice.Load(file)
	require.NoError(t, err)
	return s
}

// next returns the next transaction.
func (s *service) next(t *testing.T) transaction {
	t.Helper()
	select {
	case next := <-s.seen:
		return next
	case <-time.After(20 * time.Second):
		require.Fail(t, "nothing is pushed")
		return transaction{}
	}
}

func (s *serving) creates() (room string) {
	s.t.Helper()
	return s.ask("POST", "/createRoom", `{"preset":"public_chat","room_version":"`+pdu.RoomVersion+`"}`).Get("room_id").String()
}

// says has the server's user say something in a room, and returns the event's ID. No two may be the same.
func (s *serving) says(room, text string) (eventID string) {
	s.t.Helper()
	body := `{"msgtype":"m.text","body":"` + text + `"}`
	return s.ask("PUT", "/rooms/"+url.PathEscape(room)+"/send/m.room.message/"+url.PathEscape(text), body).Get("event_id").String()
}

// restarts starts the server again, with other services.
func (s *serving) restarts(services ...*appservice.Registration) {
	s.t.Helper()
	s.stop()
	s.services = services
	s.open()
}

// TestServicesArePushedEvents has an application service fail for a while, and its server start again meanwhile: it gets every event, in
// order, and each transaction again with the same ID and content, though an event in it is redacted meanwhile.
func TestServicesArePushedEvents(t *testing.T) {
	bridge := newService(t)
	s := start(t, pdu.DialectMSC4014, "bridged-alice", bridge.registration)
	room := s.creates()
	var order []string
	taken := map[string]bool{}
	until := func(last string) (of transaction) {
		for !slices.Contains(order, last) {
			of = bridge.next(t)
			for i, event := range gjson.Get(of.body, "events").Array() {
				assert.Equal(t, s.userID, event.Get("sender").String())
				if id := event.Get("event_id").String(); !taken[id] {
					taken[id] = true
					order = append(order, of.events()[i])
				}
			}
		}
		return of
	}
	s.says(room, "one")
	until("m.room.messageone")
	bridge.refusing.Store(true)
	two := s.says(room, "two <&>")
	first := until("m.room.messagetwo <&>")
	assert.Equal(t, first, bridge.next(t), "sent again")
	s.ask("PUT", "/rooms/"+url.PathEscape(room)+"/redact/"+url.PathEscape(two)+"/redacts", "{}")
	s.restarts(bridge.registration)
	assert.Equal(t, first, bridge.next(t), "sent again by the next start")
	s.says(room, "three")
	bridge.refusing.Store(false)
	until("m.room.messagethree")
	assert.Equal(t, []string{"m.room.create", "m.room.member"}, order[:2])
	assert.Equal(t, []string{"m.room.messageone", "m.room.messagetwo <&>", "m.room.redaction", "m.room.messagethree"}, order[len(order)-4:])
}

// TestAServiceGetsEverythingFromTheFirstStart has a server stop before it has pushed anything to a new service.
func TestAServiceGetsEverythingFromTheFirstStart(t *testing.T) {
	bridge := newService(t)
	s := start(t, pdu.DialectMSC4014, "bridged-alice", bridge.registration)
	s.restarts() // so that nothing is pushed meanwhile
	s.creates()
	s.restarts(bridge.registration)
	assert.Equal(t, "m.room.create", bridge.next(t).events()[0])
}

// TestACreateEventIsPushedOnce has the 100th event that is pushed at once be a create event.
func TestACreateEventIsPushedOnce(t *testing.T) {
	bridge := newService(t)
	s := start(t, pdu.DialectMSC4014, "bridged-alice", bridge.registration)
	room := s.creates()
	s.says(room, "begin")
	before := bridge.next(t)
	for !slices.Contains(before.events(), "m.room.messagebegin") {
		before = bridge.next(t)
	}
	s.restarts() // so that what follows is pushed at once
	for i := range 99 {
		s.says(room, strconv.Itoa(i))
	}
	s.says(s.creates(), "end")
	s.restarts(bridge.registration)
	var pushed [][]string
	for len(pushed) == 0 || !slices.Contains(pushed[len(pushed)-1], "m.room.messageend") {
		if next := bridge.next(t); next != before { // it is sent again if the server stopped before it had noted the answer
			pushed = append(pushed, next.events())
		}
	}
	require.Len(t, pushed, 2)
	assert.Len(t, pushed[0], 99)
	assert.NotContains(t, pushed[0], "m.room.create")
	assert.Equal(t, []string{"m.room.create", "m.room.member"}, pushed[1][:2])
	assert.NotContains(t, pushed[1][1:], "m.room.create")
}

func TestRegistrationsThatCannotBe(t *testing.T) {
	folder := t.TempDir()
	_, err := appservice.Load(filepath.Join(folder, "nosuch.yaml"))
	assert.ErrorContains(t, err, "an application service: ")
	for text, says := range map[string]string{
		"[": "yaml: ", "id: x": "id, hs_token or sender_localpart is missing",
		`{id: x, hs_token: y, sender_localpart: z, url: "host:80"}`:                      `the url "host:80" is not an HTTP URL`,
		`{id: x, hs_token: y, sender_localpart: z, namespaces: {rooms: [{regex: "("}]}}`: "error parsing regexp",
	} {
		file := filepath.Join(folder, "wrong.yaml")
		require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
		_, err := appservice.Load(file)
		assert.ErrorContains(t, err, says)
		assert.ErrorContains(t, err, file)
	}
}

func TestServicesWithoutPushes(t *testing.T) {
	file := filepath.Join(t.TempDir(), "quiet.yaml")
	for _, text := range []string{"", "url: null", `url: ""`} {
		require.NoError(t, os.WriteFile(file, []byte("id: x\nhs_token: y\nsender_localpart: z\n"+text), 0o600))
		registration, err := appservice.Load(file)
		require.NoError(t, err)
		assert.Nil(t, registration.URL, "%q", text)
	}
}

func TestNewSaysWhatIsWrong(t *testing.T) {
	_, err := New(Config{ServerName: "hs1", DataDir: "/nosuch/folder"})
	assert.ErrorContains(t, err, "the homeserver hs1 in /nosuch/folder: open the database /nosuch/folder/reference.db")
}
