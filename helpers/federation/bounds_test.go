package federation

// Requests and answers of other servers that are too deep, too large or too much work.

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/foreign"
	"msc4014/helpers/pseudoid"
)

const (
	brackets  = 6 << 20
	tooDeep   = "the body nests deeper than 33024 levels"
	tooLarge  = "the body is larger than 64 MiB"
	tooMuch   = "the body nests too deep for its size"
	unsigned  = `X-Matrix origin="stranger.test",destination="peer1.test",key="ed25519:1",sig="AAAA"`
	sendURI   = "/_matrix/federation/v1/send/1"
	deepLevel = 9000 // which encoding/json still reads
)

// longDeadline returns a context for bodies of many megabytes on a busy machine.
func longDeadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// deepBody returns nested arrays around many bytes, which a parser that scans each level reads again and again.
func deepBody(size int) string {
	return strings.Repeat("[", deepLevel) + `"` + strings.Repeat("a", size) + `"` + strings.Repeat("]", deepLevel)
}

func TestRequestsOutOfBoundsAreRefusedAndKept(t *testing.T) {
	for name, each := range map[string]struct {
		body    string
		status  int
		code    string
		problem string
	}{
		"6 MB of [":         {strings.Repeat("[", brackets), http.StatusBadRequest, "M_BAD_JSON", tooDeep},
		"too large":         {"{}" + strings.Repeat(" ", foreign.MaxBytes), http.StatusRequestEntityTooLarge, "M_TOO_LARGE", tooLarge},
		"deep around 32 MB": {deepBody(32 << 20), http.StatusBadRequest, "M_BAD_JSON", tooMuch},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, sw := longDeadline(t), newSwitchboard(t)
			peer, log := newTestPeer(t, sw)
			peer.Handle(Any, func(request *Request, honest func() Answer) Answer {
				t.Error("no hook sees a body that is out of bounds")
				return honest()
			})
			request, err := http.NewRequestWithContext(ctx, http.MethodPut, "https://"+peer.Name()+sendURI, strings.NewReader(each.body))
			require.NoError(t, err)
			request.Header.Set("Authorization", unsigned)
			response, err := sw.client.transport(peer.Name()).RoundTrip(request)
			require.NoError(t, err)
			defer func() { _ = response.Body.Close() }()
			said, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			assert.Equal(t, each.status, response.StatusCode)
			assert.Contains(t, string(said), each.code)
			assert.Contains(t, string(said), each.problem)

			require.Eventually(t, func() bool { return len(log.all()) == 1 }, time.Minute, time.Millisecond)
			require.Len(t, peer.Requests(), 1)
			require.Len(t, peer.Unexpected(), 1)
			assert.Equal(t, Send, peer.Unexpected()[0].Endpoint)
			assert.Equal(t, "stranger.test", peer.Unexpected()[0].Origin)
			assert.NotEmpty(t, peer.Unexpected()[0].Authentication)
			assert.Empty(t, peer.Received())
			kept := log.all()[0]
			assert.True(t, kept.Unexpected)
			assert.Equal(t, each.status, kept.Status)
			assert.True(t, strings.HasPrefix(each.body, string(kept.RequestBody)))
			assert.Equal(t, "the request of stranger.test, PUT "+sendURI+": "+each.problem, kept.Error)
			assert.Empty(t, peer.Unexpected()[0].Body)
		})
	}
}

func TestTransactionsWithTooManyEventsAreRefused(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	peer, _ := newTestPeer(t, sw)
	other, _ := newTestPeer(t, sw)
	list := func(count int) string { return "[" + strings.TrimSuffix(strings.Repeat("{},", count), ",") + "]" }
	for i, each := range []struct{ pdus, edus, status int }{{50, 100, 200}, {51, 0, 400}, {0, 101, 400}} {
		uri := fmt.Sprintf("/_matrix/federation/v1/send/%d", i)
		answer, err := other.Do(ctx, peer.Name(), http.MethodPut, uri, []byte(`{"pdus":`+list(each.pdus)+`,"edus":`+list(each.edus)+`}`))
		require.NoError(t, err)
		assert.Equal(t, each.status, answer.Status, "%v: %s", each, answer)
	}
	assert.Len(t, peer.ReceivedEDUs(), 100)
	assert.Len(t, peer.Unexpected(), 2)
}

// underTestServer is a server under test that answers every request with one body.
func underTestServer(t *testing.T, body string) *Switchboard {
	t.Helper()
	authority := newAuthority(t)
	certificate, err := authority.issue("hs1.test")
	require.NoError(t, err)
	socket, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	server := &http.Server{
		TLSConfig:         &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{certificate}},
		ReadHeaderTimeout: time.Minute,
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, body) }),
	}
	go func() { _ = server.ServeTLS(socket, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
	return newSwitchboard(t, func(options *Options) {
		options.RootCAs = authority.pool
		options.RequestTimeout = time.Minute
		options.Dial = func(name string) (string, bool) { return socket.Addr().String(), name == "hs1.test" }
	})
}

func TestAnswersOutOfBoundsCountAsAnswersThatAreNotJSON(t *testing.T) {
	for name, each := range map[string]struct{ body, problem, keys string }{
		"6 MB of [":         {strings.Repeat("[", brackets), tooDeep, tooDeep},
		"too large":         {"{}" + strings.Repeat(" ", foreign.MaxBytes), tooLarge, tooLarge},
		"deep around 16 MB": {deepBody(16 << 20), "", tooMuch},
		"20,000 arrays":     {strings.Repeat("[", 20000) + strings.Repeat("]", 20000), "", "exceeded max depth"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, sw := longDeadline(t), underTestServer(t, each.body)
			peer, log := newTestPeer(t, sw)
			answer, err := peer.Do(ctx, "hs1.test", http.MethodGet, versionURI, nil)
			require.NoError(t, err, "there was an answer")
			assert.Equal(t, http.StatusOK, answer.Status)
			assert.False(t, answer.Get("server").Exists())
			kept := log.all()[0]
			assert.True(t, strings.HasPrefix(each.body, string(kept.ResponseBody)))
			assert.NotEmpty(t, kept.ResponseBody)
			if each.problem != "" {
				assert.EqualError(t, answer.Unread, each.problem)
				assert.Equal(t, "200: "+each.problem, answer.String())
				assert.Empty(t, answer.Body)
				assert.Equal(t, "the answer of hs1.test to GET "+versionURI+": "+each.problem, kept.Error)
			}

			_, err = peer.Join(ctx, "hs1.test", "!room:hs1.test", peer.User("alice"))
			assert.ErrorContains(t, err, "hs1.test gave peer1.test no make_join template")
			taken, err := peer.SendTransaction(ctx, "hs1.test", nil, nil)
			require.NoError(t, err)
			assert.Empty(t, taken.PDUErrors)
			room, err := peer.CreateRoom(pseudoid.FormatMSC4014, RoomOptions{Creator: peer.User("carol")})
			require.NoError(t, err)
			_, _, err = room.Invite(ctx, "hs1.test", peer.User("carol"), "@bob:hs1.test")
			assert.ErrorContains(t, err, "answered the invite without an event")
			_, err = peer.ServerKey(ctx, "hs1.test", "ed25519:1")
			assert.ErrorContains(t, err, each.keys)
		})
	}
}

func TestAPeerDoesNotSignWhatNestsTooMuch(t *testing.T) {
	sw := newSwitchboard(t)
	peer, _ := newTestPeer(t, sw)
	_, err := peer.Do(deadline(t), "hs1.test", http.MethodPut, sendURI, []byte(deepBody(16<<20)))
	assert.ErrorContains(t, err, "peer1.test cannot sign PUT "+sendURI+": "+tooMuch)
}

// TestInvitesContainTheStateUnchanged, even if another server wrote contents that are not objects.
func TestInvitesContainTheStateUnchanged(t *testing.T) {
	const content = `{"name":"a room","number":9007199254740993}`
	sw := underTestServer(t, `{}`)
	peer, log := newTestPeer(t, sw)
	alice := peer.User("alice")
	room, err := peer.CreateRoom(pseudoid.FormatDendrite, RoomOptions{Creator: alice})
	require.NoError(t, err)
	name, err := room.Build(Proto{Type: "m.room.name", Sender: alice, StateKey: StateKey(""), Content: map[string]any{"name": "a room"}})
	require.NoError(t, err)
	room.Apply(NewEvent(bytes.Replace(name.JSON(), []byte(`{"name":"a room"}`), []byte(content), 1), pseudoid.FormatDendrite))
	_, _, err = room.Invite(longDeadline(t), "hs1.test", alice, "@bob:hs1.test")
	require.ErrorContains(t, err, "answered the invite without an event")
	sent := gjson.ParseBytes(log.all()[0].RequestBody)
	assert.Equal(t, content, sent.Get(`invite_room_state.#(type="m.room.name").content`).Raw)
	assert.Equal(t, room.Version(), sent.Get("room_version").String())
	assert.Equal(t, "invite", sent.Get("event.content.membership").String())
}
