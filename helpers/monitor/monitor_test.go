package monitor

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
)

// watch is a monitor with lists of what peers made and of findings.
type watch struct {
	*Monitor
	mu     sync.Mutex
	keys   []string
	events []string
	found  []verdict.Finding
}

func newWatch(format pseudoid.Format) *watch {
	w := &watch{}
	w.Monitor = New(Options{
		Format:    format,
		OursKey:   func(key string) bool { return slices.Contains(w.keys, key) },
		OursEvent: func(id string) bool { return slices.Contains(w.events, id) },
		Report: func(found verdict.Finding) {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.found = append(w.found, found)
		},
	})
	return w
}

// broken returns the requirements of the findings so far, in order.
func (w *watch) broken() []string {
	broken := []string{}
	for _, each := range w.found {
		broken = append(broken, each.Requirement)
	}
	return broken
}

// get passes the monitor an answer to GET of a path below /_matrix/client.
func (w *watch) get(path, body string) {
	w.Exchange("check", transcript.Exchange{
		Direction: transcript.ClientRequest, Actor: "@alice:hs1", Method: "GET", Status: 200,
		URL: "http://127.0.0.1:8008/_matrix/client" + path, ResponseBody: []byte(body),
	})
}

// write passes the monitor a request of a client with a body, and its answer.
func (w *watch) write(method, path, body, answer string) {
	w.Exchange("check", transcript.Exchange{
		Direction: transcript.ClientRequest, Actor: "@alice:hs1", Method: method, Status: 200,
		URL: "http://127.0.0.1:8008/_matrix/client" + path, RequestBody: []byte(body), ResponseBody: []byte(answer),
	})
}

func newKey() string { return string(pseudoid.GenerateKeyPair().Public) }

func TestFindingsAreReportedOnce(t *testing.T) {
	w, key := newWatch(pseudoid.FormatDendrite), newKey()
	body := fmt.Sprintf(`{"chunk":[{"type":"m.room.message","event_id":"$1","sender":"%s","content":{}}]}`, key)
	w.get("/v3/rooms/!r:hs1/messages?dir=b", body)
	w.get("/v3/rooms/!r:hs1/messages?dir=f", body)
	for i := range w.found {
		assert.WithinDuration(t, time.Now(), w.found[i].At, time.Minute)
		w.found[i].At = time.Time{}
	}
	assert.Equal(t, []verdict.Finding{{
		Requirement: "client-view/sender-is-user-id", Check: "check",
		Detail: "GET /v3/rooms/!r:hs1/messages: m.room.message $1 has the sender key " + key + " as sender",
	}}, w.found, "one finding, which names answer and event")
}

func TestMonitorsAreSafeForConcurrentUse(t *testing.T) {
	w, key, pair := newWatch(pseudoid.FormatDendrite), newKey(), pseudoid.GenerateKeyPair()
	room := newTestRoom(pseudoid.FormatDendrite, "!one:hs1")
	event, elsewhere := room.message(pair), newTestRoom(pseudoid.FormatDendrite, "!two:hs1").message(pair)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			w.get("/v3/sync", fmt.Sprintf(`{"rooms":{"join":{"!r:hs1":{"summary":{"m.heroes":["%s"]},
				"timeline":{"events":[{"type":"m.room.message","event_id":"$1","sender":"@a:hs1","sender_key":"%s","content":{}}]}}}}}`, key, key))
			w.write("PUT", "/v3/rooms/!r:hs1/send/m.room.message/1", `{"body":"`+newKey()+`"}`, `{"event_id":"$2"}`)
			w.PseudonymousEvent("check", event)
			w.PseudonymousEvent("check", elsewhere)
			w.OrdinaryEvent("check", []byte(`{"type":"m.room.message","sender":"@a:hs1","sender_key":"x","content":{}}`))
		})
	}
	all.Wait()
	assert.ElementsMatch(t, []string{
		keyElsewhere, "sender-key/differs-between-rooms", "room-version/ordinary-rooms-untouched",
	}, slices.Compact(slices.Sorted(slices.Values(w.broken()))))
}

// TestBoundsHideNoRequirement: however often a key is where it must not be, each requirement that this breaks is reported.
func TestBoundsHideNoRequirement(t *testing.T) {
	w, key := newWatch(pseudoid.FormatDendrite), newKey()
	var places []string
	for i := range 3 * maxSuspicions {
		places = append(places, fmt.Sprintf(`"place%d":"%s"`, i, key))
	}
	w.get("/v3/sync", "{"+strings.Join(places, ",")+"}")
	w.get("/v3/rooms/!r:hs1/state/m.room.power_levels/", `{"users":{"`+key+`":100}}`)
	assert.Empty(t, w.found, "nobody has seen that it is a key")
	w.get("/v3/sync", inSync(`{"type":"m.a","event_id":"$e","sender":"@u:hs1","sender_key":"`+key+`","content":{}}`))
	assert.Equal(t, append(slices.Repeat([]string{keyElsewhere}, maxSuspicions), "client-view/power-levels-read"), w.broken())

	for i := range 2 * maxFindings {
		w.get("/v3/sync", inSync(fmt.Sprintf(`{"type":"m.a","event_id":"$%d","sender":"%s","content":{}}`, i, key)))
	}
	assert.Len(t, w.found, maxSuspicions+1+maxFindings)
}

// TestSuspicionsAreKnown: what may yet be a finding names its check, and keeps the time at which it was seen.
func TestSuspicionsAreKnown(t *testing.T) {
	w, key := newWatch(pseudoid.FormatDendrite), newKey()
	w.get("/v3/sync", `{"place":"`+key+`"}`)
	seen := time.Now()
	assert.True(t, w.Suspects("check"))
	assert.False(t, w.Suspects("another"))
	w.get("/v3/sync", inSync(`{"type":"m.a","event_id":"$e","sender":"@u:hs1","sender_key":"`+key+`","content":{}}`))
	assert.False(t, w.Suspects("check"), "it is a finding now")
	if assert.NotEmpty(t, w.found) {
		assert.False(t, w.found[0].At.After(seen))
	}
}
