package csapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
	"msc4014/helpers/transcript"
)

// exchanges is a Sink that keeps what it records.
type exchanges struct {
	mu   sync.Mutex
	kept []transcript.Exchange
}

func (e *exchanges) Record(exchange transcript.Exchange) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.kept = append(e.kept, exchange)
}

func (e *exchanges) all() []transcript.Exchange {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]transcript.Exchange(nil), e.kept...)
}

// serve starts a server and returns it with the exchanges of its clients.
func serve(t *testing.T, handler http.HandlerFunc) (csapi.Server, *exchanges) {
	t.Helper()
	listener := httptest.NewServer(handler)
	t.Cleanup(listener.Close)
	sink := &exchanges{}
	return csapi.Server{
		Name: "hs1", BaseURL: func() string { return listener.URL }, Sink: sink, Timeout: 5 * time.Second,
		HTTP: csapi.NewHTTPClient(),
	}, sink
}

func answer(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

func deadline(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func TestRegisterGoesThroughTheSessionAndKeepsNoSecret(t *testing.T) {
	server, sink := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		assert.Equal(t, "/_matrix/client/v3/register", r.URL.Path)
		if gjson.GetBytes(body, "auth.session").String() == "" {
			answer(w, 401, `{"session":"s1","flows":[{"stages":["m.login.dummy"]}]}`)
			return
		}
		assert.Equal(t, "hunter22", gjson.GetBytes(body, "password").String())
		answer(w, 200, `{"user_id":"@a:hs1","device_id":"D","access_token":"verysecret"}`)
	})
	client, err := server.Register(deadline(t, 5*time.Second), "a", "hunter22")
	require.NoError(t, err)
	assert.Equal(t, "@a:hs1", client.UserID)
	assert.Equal(t, "D", client.DeviceID)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v %+v %#v", client, client, client, *client, *client), "verysecret")
	require.Len(t, sink.all(), 2)
	for _, exchange := range sink.all() {
		written, err := json.Marshal(exchange)
		require.NoError(t, err)
		for _, text := range []string{string(written), string(exchange.RequestBody), string(exchange.ResponseBody)} {
			assert.NotContains(t, text, "verysecret")
			assert.NotContains(t, text, "hunter22")
		}
		assert.Equal(t, transcript.ClientRequest, exchange.Direction)
		assert.Equal(t, "hs1", exchange.Server)
	}
}

func TestRequestsAreEscapedAuthorisedAndRecordedWithoutToken(t *testing.T) {
	server, sink := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "Bearer tokentoken", r.Header.Get("Authorization"))
		assert.Equal(t, "/_matrix/client/v3/rooms/%21r%2Fx:hs1/state/m.room.member/@a:hs1", r.URL.EscapedPath())
		answer(w, 200, `{"membership":"join","echo":"tokentoken"}`)
	})
	client := csapi.NewClient(server, "@a:hs1", "D", "tokentoken")
	response, err := client.StateEvent(deadline(t, 5*time.Second), "!r/x:hs1", "m.room.member", "@a:hs1")
	require.NoError(t, err)
	assert.Equal(t, "join", response.Get("membership").String())
	exchange := sink.all()[0]
	assert.Empty(t, exchange.RequestHeader.Get("Authorization"))
	assert.NotContains(t, string(exchange.ResponseBody), "tokentoken")
	assert.Equal(t, "@a:hs1", exchange.Actor)
	assert.Equal(t, 200, exchange.Status)
	assert.NotZero(t, exchange.Duration)
}

func TestStateEventWithEmptyKeyEndsInASlash(t *testing.T) {
	server, _ := serve(t, func(w http.ResponseWriter, r *http.Request) {
		assert.Equal(t, "/_matrix/client/v3/rooms/r/state/m.room.name/", r.URL.Path)
		answer(w, 200, `{"event_id":"$e"}`)
	})
	client := csapi.NewClient(server, "@a:hs1", "D", "tokentoken")
	eventID, err := client.SendState(deadline(t, 5*time.Second), "r", "m.room.name", "", map[string]any{"name": "<n>"})
	require.NoError(t, err)
	assert.Equal(t, "$e", eventID)
}

func TestRefusalNoAnswerAndBadAnswerAreDistinguished(t *testing.T) {
	hang := make(chan struct{})
	server, sink := serve(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/refuse":
			answer(w, 403, `{"errcode":"M_FORBIDDEN","error":"no"}`)
		case "/redirect":
			http.Redirect(w, r, "/elsewhere", http.StatusFound)
		case "/hang":
			<-hang
		case "/break":
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "{")
		default:
			answer(w, 200, `{}`)
		}
	})
	t.Cleanup(func() { close(hang) })
	client := csapi.NewClient(server, "@a:hs1", "D", "tokentoken")
	ctx := deadline(t, 10*time.Second)

	_, err := client.Do(ctx, "GET", "/refuse", nil, nil)
	refusal, ok := csapi.Refused(err)
	require.True(t, ok)
	assert.Equal(t, 403, refusal.Status)
	assert.Equal(t, "M_FORBIDDEN", refusal.ErrCode)
	assert.Contains(t, err.Error(), "answered 403 M_FORBIDDEN: no")

	_, err = client.Do(ctx, "GET", "/redirect", nil, nil)
	refusal, ok = csapi.Refused(err)
	require.True(t, ok)
	assert.Equal(t, 302, refusal.Status)

	short := csapi.NewClient(server, "@a:hs1", "D", "tokentoken")
	short.Server.Timeout = 30 * time.Millisecond
	short.Server.Limit = func(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeoutCause(ctx, limit, fmt.Errorf("a time-out of %s of the caller's: %w", limit, context.DeadlineExceeded))
	}
	_, err = short.Do(ctx, "GET", "/hang", nil, nil)
	require.True(t, csapi.NoAnswer(err))
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Contains(t, err.Error(), "a time-out of 30ms of the caller's")
	_, refused := csapi.Refused(err)
	assert.False(t, refused)

	short.Server.Limit = nil
	_, err = short.Do(context.Background(), "GET", "/hang", nil, nil)
	assert.ErrorContains(t, err, "a time-out of 30ms")
	callers, cancel := context.WithTimeoutCause(ctx, 60*time.Millisecond, errors.New("the caller's own time"))
	defer cancel()
	_, err = short.Do(callers, "GET", "/hang", nil, nil)
	assert.ErrorContains(t, err, "the caller's own time", "the caller's time is the only bound")

	_, err = client.Do(ctx, "GET", "/break", nil, nil)
	require.True(t, csapi.NoAnswer(err))
	assert.NotErrorIs(t, err, context.DeadlineExceeded)
	kept := sink.all()
	assert.Contains(t, kept[len(kept)-1].Error, "broke off after 1 bytes")

	_, err = client.CreateRoom(ctx, nil)
	refusal, ok = csapi.Refused(err)
	require.True(t, ok)
	assert.Equal(t, 200, refusal.Status)
	assert.Contains(t, refusal.Message, `no string at "room_id"`)

	gone := csapi.NewClient(csapi.Server{Name: "gone", BaseURL: func() string { return "http://127.0.0.1:1" }}, "@a:gone", "D", "t")
	_, err = gone.Capabilities(ctx)
	assert.True(t, csapi.NoAnswer(err))
}

func TestBaseURLIsCalledForEachRequest(t *testing.T) {
	asked := 0
	server, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, `{}`) })
	base := server.BaseURL
	server.BaseURL = func() string { asked++; return base() + "/" }
	for range 2 {
		_, err := server.Versions(deadline(t, 5*time.Second))
		require.NoError(t, err)
	}
	assert.Equal(t, 2, asked)
}

// direct answers requests without a network, which would block a synctest bubble.
type direct http.HandlerFunc

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	d(recorder, r)
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	return recorder.Result(), nil
}

// syncing answers /sync with answers in turn, then holds each request for its timeout.
func syncing(answers ...string) csapi.Server {
	respond := func(w http.ResponseWriter, r *http.Request) {
		since := 0
		_, _ = fmt.Sscan(r.URL.Query().Get("since"), &since)
		if since < len(answers) {
			answer(w, 200, fmt.Sprintf(`{"next_batch":"%d","rooms":%s}`, since+1, answers[since]))
			return
		}
		var held int
		_, _ = fmt.Sscan(r.URL.Query().Get("timeout"), &held)
		select {
		case <-time.After(time.Duration(held) * time.Millisecond):
		case <-r.Context().Done():
		}
		answer(w, 200, fmt.Sprintf(`{"next_batch":"%d"}`, since))
	}
	return csapi.Server{
		Name: "hs1", BaseURL: func() string { return "http://hs1" }, Timeout: 5 * time.Second,
		HTTP: &http.Client{Transport: direct(respond)},
	}
}

func TestTimelineFindsEarlierAndLaterEvents(t *testing.T) {
	synctest.Test(t, timelineFindsEarlierAndLaterEvents)
}

func timelineFindsEarlierAndLaterEvents(t *testing.T) {
	client := csapi.NewClient(syncing(
		`{"join":{"!r.x:hs1":{"state":{"events":[{"type":"m.room.create","state_key":"","event_id":"$1"}]},"timeline":{"events":[{"type":"m.room.message","event_id":"$2"}]}}}}`,
		`{}`,
		`{"join":{"!r.x:hs1":{"timeline":{"events":[{"type":"m.room.message","event_id":"$3","sender":"@b:hs1"}]}}}}`,
		`{"invite":{"!i:hs1":{"invite_state":{"events":[{"type":"m.room.member","state_key":"@a:hs1","content":{"membership":"invite"}}]}}}}`,
	), "@a:hs1", "D", "tokentoken")
	ctx := deadline(t, 10*time.Second)
	timeline := client.Timeline("!r.x:hs1")
	event, err := timeline.Wait(ctx, match.EventID("$3"))
	require.NoError(t, err)
	assert.Equal(t, "@b:hs1", event.Get("sender").String())
	event, err = timeline.Wait(ctx, match.State("m.room.create", ""))
	require.NoError(t, err)
	assert.Equal(t, "$1", event.Get("event_id").String())
	assert.Len(t, timeline.Events(), 3)

	_, err = client.WaitForEvent(ctx, "!i:hs1", match.Membership("@a:hs1", "invite"))
	require.NoError(t, err)

	_, err = timeline.Wait(deadline(t, 1500*time.Millisecond), match.EventID("$9"))
	var wait *csapi.WaitError
	require.ErrorAs(t, err, &wait)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
	assert.Contains(t, err.Error(), "m.room.message from @b:hs1 $3 (event_id is \"$3\", wanted \"$9\")")
	assert.False(t, csapi.NoAnswer(err))
}

func TestSyncUntilEndsAtOnceWithARefusal(t *testing.T) {
	server, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 500, `oops`) })
	client := csapi.NewClient(server, "@a:hs1", "D", "tokentoken")
	_, err := client.SyncUntil(deadline(t, 10*time.Second), "", "", func(*csapi.Response) error { return nil })
	refusal, ok := csapi.Refused(err)
	require.True(t, ok)
	assert.Equal(t, 500, refusal.Status)
}

// remote is a context that says its deadline is an hour away, and ends before.
type remote struct{ context.Context }

func (remote) Deadline() (time.Time, bool) { return time.Now().Add(time.Hour), true }

// TestSyncUntilEndsWithADeadlineThatCameNearer: the server holds the request, so it is not one that failed.
func TestSyncUntilEndsWithADeadlineThatCameNearer(t *testing.T) {
	server, _ := serve(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	client := csapi.NewClient(server, "@a:hs1", "D", "tokentoken")
	_, err := client.SyncUntil(remote{deadline(t, 200*time.Millisecond)}, "", "", func(*csapi.Response) error { return nil })
	var wait *csapi.WaitError
	require.ErrorAs(t, err, &wait)
	assert.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestSyncUntilPausesIfTheServerDoesNotHoldRequests(t *testing.T) {
	asked := 0
	server, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		asked++
		answer(w, 200, `{"next_batch":"1"}`)
	})
	client := csapi.NewClient(server, "@a:hs1", "D", "tokentoken")
	_, err := client.SyncUntil(deadline(t, 3*time.Second), "", "", func(*csapi.Response) error { return fmt.Errorf("never") })
	require.ErrorContains(t, err, "never")
	assert.Less(t, asked, 64)
}

func TestSyncUntilIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(deadline(t, 10*time.Second))
	client := csapi.NewClient(syncing(`{}`), "@a:hs1", "D", "tokentoken")
	_, err := client.SyncUntil(ctx, "", "", func(*csapi.Response) error { cancel(); return fmt.Errorf("not yet") })
	assert.ErrorIs(t, err, context.Canceled)
}
