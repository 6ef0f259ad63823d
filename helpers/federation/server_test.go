package federation

// Hooks, failing peers, unexpected requests, authentication, and closed peers.

import (
	"bytes"
	"context"
	"encoding/json"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/runtime"
)

const versionURI = "/_matrix/federation/v1/version"

func TestHooksAlterAnswersAndCanBeRemoved(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	peer, log := newTestPeer(t, sw)
	asker, _ := newTestPeer(t, sw)
	remove := peer.Handle(Version, func(_ *Request, honest func() Answer) Answer {
		return honest().Set("server.name", "liar").Delete("server.version")
	})
	answer, err := asker.Do(ctx, peer.Name(), http.MethodGet, versionURI, nil)
	require.NoError(t, err)
	assert.JSONEq(t, `{"server":{"name":"liar"}}`, string(answer.Body))
	peer.Handle(Version, func(_ *Request, honest func() Answer) Answer { return honest().Set("order", "last added, outermost") })
	answer, err = asker.Do(ctx, peer.Name(), http.MethodGet, versionURI, nil)
	require.NoError(t, err)
	assert.Equal(t, "liar", answer.Get("server.name").String())
	assert.True(t, answer.Get("order").Exists())
	remove()
	answer, err = asker.Do(ctx, peer.Name(), http.MethodGet, versionURI, nil)
	require.NoError(t, err)
	assert.Equal(t, "msc4014-peer", answer.Get("server.name").String())
	assert.Len(t, peer.Requests(), 3)
	seen, err := peer.WaitForRequest(ctx, func(r Request) bool { return r.Endpoint == Version })
	require.NoError(t, err)
	assert.Equal(t, versionURI, seen.URI)
	short, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
	defer cancel()
	_, err = peer.WaitForRequest(short, func(r Request) bool { return r.Endpoint == MakeJoin })
	assert.ErrorContains(t, err, "3 requests arrived: version from peer2.test: GET "+versionURI)
	require.Eventually(t, func() bool { return len(log.all()) == 3 }, 5*time.Second, time.Millisecond)
}

func TestPanicInHookBecomesAnswerAndRecord(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	peer, _ := newTestPeer(t, sw)
	asker, _ := newTestPeer(t, sw)
	peer.Handle(Version, func(*Request, func() Answer) Answer { panic("the hook is wrong") })
	answer, err := asker.Do(ctx, peer.Name(), http.MethodGet, versionURI, nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusInternalServerError, answer.Status)
	require.Len(t, peer.Unexpected(), 1)
	assert.Equal(t, Version, peer.Unexpected()[0].Endpoint)
}

func TestPlayingDead(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	peer, _ := newTestPeer(t, sw)
	asker, _ := newTestPeer(t, sw)
	ask := func(ctx context.Context) (Answer, error) {
		return asker.Do(ctx, peer.Name(), http.MethodGet, versionURI, nil)
	}

	revive := peer.PlayDead(DeadRefusing)
	_, err := ask(ctx)
	require.Error(t, err)
	assert.ErrorContains(t, err, "peer2.test asked peer1.test: GET "+versionURI)
	revive()

	revive = peer.PlayDead(DeadHanging, Version)
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = ask(short)
	assert.ErrorContains(t, err, "no answer within the deadline")
	keys, err := asker.ServerKey(ctx, peer.Name(), ServerKeyID)
	require.NoError(t, err)
	assert.Equal(t, peer.PublicKey(), keys)
	revive()

	revive = peer.PlayDead(DeadTalkingGarbage)
	answer, err := ask(ctx)
	require.NoError(t, err)
	assert.False(t, json.Valid(answer.Body))
	assert.Empty(t, answer.Get("server").String())
	revive()

	revive = peer.PlayDead(DeadUnavailable)
	answer, err = ask(ctx)
	require.NoError(t, err)
	assert.Equal(t, http.StatusServiceUnavailable, answer.Status)
	revive()
	answer, err = ask(ctx)
	require.NoError(t, err)
	assert.True(t, answer.OK())
	assert.Empty(t, peer.Unexpected())
}

func TestUnexpectedRequestsAreKeptAndShown(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	peer, log := newTestPeer(t, sw)
	asker, _ := newTestPeer(t, sw)
	peer.User("alice").SetProfile("Alice", "")
	for _, uri := range []string{
		"/_matrix/federation/v1/nonsense", "/_matrix/client/v3/sync",
		"/_matrix/federation/v1/query/profile?user_id=@nobody:peer1.test",
		"/_matrix/federation/v1/query/directory?room_alias=%23none:peer1.test", "/_matrix/federation/v1/event/$none",
	} {
		answer, err := asker.Do(ctx, peer.Name(), http.MethodGet, uri, nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusNotFound, answer.Status, uri)
	}
	assert.Len(t, peer.Unexpected(), 5)
	assert.Contains(t, peer.Unexpected()[0].String(), "unknown from peer2.test: GET /_matrix/federation/v1/nonsense")
	answer, err := asker.Do(ctx, peer.Name(), http.MethodGet, "/_matrix/federation/v1/query/profile?field=displayname&user_id=@alice:peer1.test", nil)
	require.NoError(t, err)
	assert.JSONEq(t, `{"displayname":"Alice"}`, string(answer.Body))
	require.Eventually(t, func() bool { return len(log.all()) >= 6 }, 5*time.Second, time.Millisecond)
	unexpected := 0
	for _, exchange := range log.all() {
		if exchange.Unexpected {
			unexpected++
			assert.Equal(t, transcript.ServerRequest, exchange.Direction)
			assert.Equal(t, peer.Name(), exchange.Actor)
			assert.Equal(t, asker.Name(), exchange.Server)
			assert.NotEmpty(t, exchange.ResponseBody)
		}
	}
	assert.Equal(t, 5, unexpected)
}

// TestRequestsHeldToTheEndAreInTheTranscript: a request that a peer still holds when its check ends is recorded once.
func TestRequestsHeldToTheEndAreInTheTranscript(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	peer, log := newTestPeer(t, sw)
	asker, _ := newTestPeer(t, sw)
	peer.PlayDead(DeadHanging, Version)
	held := make(chan struct{})
	peer.Handle(Version, func(_ *Request, behind func() Answer) Answer {
		close(held)
		return behind()
	})
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, err := asker.Do(ctx, peer.Name(), http.MethodGet, "/_matrix/federation/v1/version", nil)
		assert.Error(t, err)
	}()
	<-held
	assert.Empty(t, log.all())
	peer.Close()
	<-answered
	exchanges := log.all()
	require.Len(t, exchanges, 1)
	assert.Contains(t, exchanges[0].URL, "/_matrix/federation/v1/version")
	assert.Equal(t, "the peer had not answered when the check ended", exchanges[0].Error)
	assert.Zero(t, exchanges[0].Status)
}

func TestQueriesOfUsers(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	peer, _ := newTestPeer(t, sw)
	asker, _ := newTestPeer(t, sw)
	alice := peer.User("alice")
	room, err := peer.CreateRoom(pseudoid.FormatDendrite, RoomOptions{Creator: alice, AliasName: "here"})
	require.NoError(t, err)
	for uri, want := range map[string]string{
		"/_matrix/federation/v1/user/devices/" + alice.ID():                      `{"user_id":"@alice:peer1.test","stream_id":1,"devices":[]}`,
		"/_matrix/federation/v1/query/directory?room_alias=%23here%3Apeer1.test": `{"room_id":"` + room.ID() + `","servers":["peer1.test"]}`,
		"/_matrix/federation/v1/publicRooms":                                     `{"chunk":[],"total_room_count_estimate":0}`,
	} {
		answer, err := asker.Do(ctx, peer.Name(), http.MethodGet, uri, nil)
		require.NoError(t, err)
		assert.JSONEq(t, want, string(answer.Body), uri)
	}
	answer, err := asker.Do(ctx, peer.Name(), http.MethodPost, "/_matrix/federation/v1/user/keys/query", []byte(`{"device_keys":{"@alice:peer1.test":[]}}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"device_keys":{"@alice:peer1.test":{}}}`, string(answer.Body))
	assert.Empty(t, peer.Unexpected())
	answer, err = asker.ask(ctx, peer.Name(), http.MethodPost, "/_matrix/key/v2/query", []byte(`{"server_keys":{"peer1.test":{}}}`))
	require.NoError(t, err)
	assert.Equal(t, peer.Name(), answer.Get("server_keys.0.server_name").String())
	answer, err = asker.ask(ctx, peer.Name(), http.MethodPost, "/_matrix/key/v2/query", []byte(`{"server_keys":{"hs1":{}}}`))
	require.NoError(t, err)
	assert.JSONEq(t, `{"server_keys":[]}`, string(answer.Body))
}

func TestUnauthenticatedRequestsAreRefused(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	peer, _ := newTestPeer(t, sw)
	asker, _ := newTestPeer(t, sw)
	uri := "/_matrix/federation/v1/publicRooms"
	answer, err := asker.ask(ctx, peer.Name(), http.MethodGet, uri, nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, answer.Status)
	answer, err = asker.exchange(ctx, peer.Name(), http.MethodGet, uri, nil, []string{
		`X-Matrix origin="peer2.test",key="ed25519:peer1",sig="AAAA",destination="peer1.test"`,
	})
	require.NoError(t, err)
	assert.Equal(t, http.StatusUnauthorized, answer.Status)
	assert.Contains(t, peer.Unexpected()[1].Authentication, "bad signature of peer2.test")
	answer, err = asker.Do(ctx, peer.Name(), http.MethodGet, uri, nil)
	require.NoError(t, err)
	assert.True(t, answer.OK())
	assert.Empty(t, peer.Requests()[2].Authentication)
	assert.Equal(t, asker.Name(), peer.Requests()[2].Origin)
}

func TestClosedPeerKeepsItsKeysAndRecordsNothing(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	peer, log := newTestPeer(t, sw)
	asker, _ := newTestPeer(t, sw)
	peer.Close()
	recorded := len(log.all())
	_, err := asker.ServerKey(ctx, peer.Name(), ServerKeyID)
	require.NoError(t, err)
	answer, err := asker.Do(ctx, peer.Name(), http.MethodGet, versionURI, nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, answer.Status)
	sent, err := asker.SendTransaction(ctx, peer.Name(), nil, []json.RawMessage{[]byte(`{"edu_type":"m.typing","content":{}}`)})
	require.NoError(t, err)
	assert.True(t, sent.OK())
	assert.Len(t, log.all(), recorded)
	assert.Empty(t, peer.Requests())
	_, err = peer.WaitForEvent(ctx, func(Event) bool { return true })
	assert.ErrorContains(t, err, "was closed while waiting")
}

func TestTransactionsAreTakenOnceAndEDUsKept(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	peer, _ := newTestPeer(t, sw)
	asker, _ := newTestPeer(t, sw)
	body := []byte(`{"origin":"peer2.test","pdus":[{"type":"m.room.message","room_id":"!x:y","sender":"@a:b"}],"edus":[{"edu_type":"m.typing","content":{"typing":true}}]}`)
	for range 2 {
		answer, err := asker.Do(ctx, peer.Name(), http.MethodPut, "/_matrix/federation/v1/send/one", body)
		require.NoError(t, err)
		assert.True(t, answer.OK())
		assert.Len(t, answer.Get("pdus").Map(), 1)
	}
	edu, err := peer.WaitForEDU(ctx, func(e EDU) bool { return e.Type == "m.typing" })
	require.NoError(t, err)
	assert.True(t, edu.Get("content.typing").Bool())
	assert.Len(t, peer.ReceivedEDUs(), 1)
	require.Len(t, peer.Received(), 1)
	assert.NotEmpty(t, peer.Received()[0].Problems)
	assert.Nil(t, peer.Received()[0].Room)
}

func TestRequestsWithoutSNIAreRoutedByHost(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	first, _ := newTestPeer(t, sw)
	second, _ := newTestPeer(t, sw)
	for _, peer := range []*Peer{first, second} {
		transport := sw.client.transport("unnamed " + peer.Name())
		transport.TLSClientConfig.ServerName = ""
		transport.TLSClientConfig.InsecureSkipVerify = true //nolint:gosec // only the Host header matters
		transport.DialContext = sw.client.transport(peer.Name()).DialContext
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://127.0.0.1/_matrix/key/v2/server", bytes.NewReader(nil))
		require.NoError(t, err)
		request.Host = peer.Name() + ":8448"
		response, err := transport.RoundTrip(request)
		require.NoError(t, err)
		var document struct {
			ServerName string `json:"server_name"`
		}
		require.NoError(t, json.NewDecoder(response.Body).Decode(&document))
		require.NoError(t, response.Body.Close())
		assert.Equal(t, peer.Name(), document.ServerName)
	}
}

func TestPeersUseOnlyHTTP1(t *testing.T) {
	ctx, sw := deadline(t), newSwitchboard(t)
	peer, _ := newTestPeer(t, sw)
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+peer.Name()+"/_matrix/key/v2/server", nil)
	require.NoError(t, err)
	response, err := sw.client.transport(peer.Name()).RoundTrip(request)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	assert.Equal(t, "HTTP/1.1", response.Proto)
}

func TestAddressOfAPeerThatFailsToStartIsFreed(t *testing.T) {
	var handedOut runtime.PeerAddress
	sw := newSwitchboard(t, func(o *Options) {
		next := o.NewPeer
		o.NewPeer = func() (address runtime.PeerAddress, err error) {
			handedOut, err = next()
			return handedOut, err
		}
	})
	require.NoError(t, sw.Close())
	_, err := sw.NewPeer(nil)
	require.ErrorContains(t, err, "the switchboard is closed")
	_, err = handedOut.Socket.Accept()
	assert.ErrorIs(t, err, net.ErrClosed)
}
