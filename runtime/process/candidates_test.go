package process

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/runtime"
	"msc4014/runtime/authority"
	"msc4014/runtime/candidate/candidatetest"
)

// homeserver returns a runtime for a real homeserver, which is built the first time (Dendrite in about a minute).
func homeserver(t *testing.T, name string) (*Runtime, *authority.Authority) {
	t.Helper()
	if testing.Short() {
		t.Skip("builds homeservers")
	}
	artifact := candidatetest.Prepare(t, filepath.Join("..", ".."), name, "process", 2*time.Minute)
	dir := t.TempDir()
	ca, err := authority.New(filepath.Join(dir, "ca"))
	require.NoError(t, err)
	// These tests do not judge how fast a homeserver starts and stops on a busy machine.
	r, err := New(artifact, Options{SessionDir: dir, Authority: ca, SpawnTimeout: 5 * time.Minute, StopTimeout: 5 * time.Minute})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, r.Close(context.Background())) })
	return r, ca
}

// call sends one request of the client-server API, and expects status 200.
func call(t *testing.T, s runtime.Server, method, path, token string, body any) gjson.Result {
	t.Helper()
	data, err := json.Marshal(body)
	require.NoError(t, err)
	request, err := http.NewRequestWithContext(t.Context(), method, s.ClientURL()+"/_matrix/client/v3"+path, bytes.NewReader(data))
	require.NoError(t, err)
	request.Header.Set("Content-Type", "application/json")
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, "%s %s: %s\n%s", method, path, answer, s.Log(20))
	return gjson.ParseBytes(answer)
}

func register(t *testing.T, s runtime.Server, name string) (token string) {
	t.Helper()
	return call(t, s, http.MethodPost, "/register", "", map[string]any{
		"username": name, "password": "a long password", "auth": map[string]any{"type": "m.login.dummy"},
	}).Get("access_token").String()
}

// signingKeys requests the server's keys over TLS, trusting only the run's authority.
func signingKeys(t *testing.T, s runtime.Server, ca *authority.Authority) string {
	t.Helper()
	client := http.Client{Transport: &http.Transport{
		DisableKeepAlives: true, TLSClientConfig: &tls.Config{RootCAs: ca.Pool(), ServerName: s.Name()},
	}}
	response, err := client.Get("https://" + s.FederationAddress() + "/_matrix/key/v2/server")
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return gjson.GetBytes(answer, "verify_keys").Raw
}

// waitForEvent waits until an initial sync has the event.
func waitForEvent(t *testing.T, s runtime.Server, token, room, event string) {
	t.Helper()
	require.Eventually(t, func() bool {
		timeline := call(t, s, http.MethodGet, "/sync", token, nil).Get("rooms.join").Map()[room].Get("timeline.events.#.event_id")
		return slices.ContainsFunc(timeline.Array(), func(id gjson.Result) bool { return id.String() == event })
	}, 3*time.Minute, 20*time.Millisecond)
}

func TestServersKeepTheirData(t *testing.T) {
	for name, file := range map[string]string{
		"reference": "reference.json", "dendrite@0.13.8": "dendrite.yaml", "dendrite@0.15.2": "dendrite.yaml",
	} {
		t.Run(name, func(t *testing.T) {
			r, ca := homeserver(t, name)
			s := start(t, r, "hs1")
			token := register(t, s, "alice")
			room := call(t, s, http.MethodPost, "/createRoom", token, map[string]any{"room_version": "org.matrix.msc4014"}).
				Get("room_id").String()
			keys := signingKeys(t, s, ca)
			assert.NotEmpty(t, keys)
			// SIGKILL comes last: what Dendrite's queue had not yet noted as handled on disk is handled again two minutes after the
			// next start, and what is sent to the room until then waits for that.
			for number, end := range []func(context.Context) error{s.Stop, s.Kill} {
				path := "/rooms/" + url.PathEscape(room) + "/send/m.room.message/" + string(rune('0'+number))
				event := call(t, s, http.MethodPut, path, token, map[string]any{"msgtype": "m.text", "body": "hello"}).Get("event_id").String()
				// Without this, a SIGKILL may interrupt delivery between Dendrite's parts, which it retries only after 30 s.
				waitForEvent(t, s, token, room, event)
				require.NoError(t, end(t.Context()))
				require.NoError(t, s.Start(t.Context()))
				assert.Equal(t, keys, signingKeys(t, s, ca), "the signing key is kept")
				waitForEvent(t, s, token, room, event)
			}
			written, configuration, err := s.(runtime.Configured).Configuration(t.Context())
			require.NoError(t, err)
			assert.Equal(t, file, written)
			assert.Contains(t, string(configuration), s.Name())
		})
	}
}

// Each server trusts the other's certificate, and finds its port by its name.
func TestServersFederate(t *testing.T) {
	for _, name := range []string{"reference", "dendrite@0.13.8"} {
		t.Run(name, func(t *testing.T) {
			r, _ := homeserver(t, name)
			one, two := start(t, r, "hs1"), start(t, r, "hs2")
			alice, bob := register(t, one, "alice"), register(t, two, "bob")
			room := call(t, one, http.MethodPost, "/createRoom", alice, map[string]any{
				"room_version": "10", "preset": "public_chat", "room_alias_name": "meeting",
			}).Get("room_id").String()
			joined := call(t, two, http.MethodPost, "/join/"+url.PathEscape("#meeting:"+one.Name()), bob, map[string]any{})
			assert.Equal(t, room, joined.Get("room_id").String())
		})
	}
}

// BenchmarkServerStart measures the time from starting the process until it is ready, first on fresh data, then again.
func BenchmarkServerStart(b *testing.B) {
	for _, name := range []string{"reference", "dendrite@0.13.8", "dendrite@0.15.2"} {
		artifact := candidatetest.Prepare(b, filepath.Join("..", ".."), name, "process", 0)
		dir := b.TempDir()
		ca, err := authority.New(filepath.Join(dir, "ca"))
		require.NoError(b, err)
		r, err := New(artifact, Options{SessionDir: dir, Authority: ca})
		require.NoError(b, err)
		var servers []runtime.Server
		number := 0
		median := func(b *testing.B, durations []time.Duration) {
			slices.Sort(durations)
			b.ReportMetric(durations[len(durations)/2].Seconds(), "median-s")
		}
		b.Run(name+"/fresh", func(b *testing.B) {
			var durations []time.Duration
			for b.Loop() {
				number++
				began := time.Now()
				s, err := r.Start(b.Context(), runtime.ServerOptions{Deployment: "d1", Host: "hs" + time.Duration(number).String()})
				require.NoError(b, err)
				durations = append(durations, time.Since(began))
				require.NoError(b, s.Stop(b.Context()))
				servers = append(servers, s)
			}
			median(b, durations)
		})
		b.Run(name+"/again", func(b *testing.B) {
			var durations []time.Duration
			for b.Loop() {
				began := time.Now()
				require.NoError(b, servers[0].Start(b.Context()))
				durations = append(durations, time.Since(began))
				require.NoError(b, servers[0].Kill(b.Context()))
			}
			median(b, durations)
		})
		require.NoError(b, r.Close(context.Background()))
	}
}
