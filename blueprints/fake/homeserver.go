package fake

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Homeserver answers clients: accounts, rooms, and messages, which /sync returns. It does not check tokens. Its methods are safe for
// concurrent use.
type Homeserver struct {
	*httptest.Server
	name string

	mu      sync.Mutex
	scripts []script
	count   int
	events  map[string][]json.RawMessage // by room ID
	holding bool
	// federation is nil for a homeserver that does not federate.
	federation Federation
}

// Federation is a homeserver's part in rooms that other servers can join.
type Federation interface {
	// CreateRoom returns the ID of a new public room.
	CreateRoom() string
	// Send sends a message to the servers in a room, and returns its event ID; "" if there is no such room.
	Send(roomID string, content any) string
	// Received returns the events that other servers sent, in the client format, by room ID.
	Received() map[string][]json.RawMessage
}

// Federate lets public rooms that are created from now on be open to other servers.
func (h *Homeserver) Federate(federation Federation) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.federation = federation
}

// script is an answer that replaces the usual one.
type script struct {
	method, part string
	status       int
	body         string
}

// NewHomeserver starts a homeserver of that name, which the caller must close.
func NewHomeserver(name string) *Homeserver {
	h := &Homeserver{name: name, events: map[string][]json.RawMessage{}}
	h.Server = httptest.NewServer(h)
	return h
}

// Answer sets the answer to requests of that method whose path contains part. A status of 0 closes the connection without an answer;
// -1 restores the usual answer.
func (h *Homeserver) Answer(method, part string, status int, body string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	kept := []script{}
	for _, each := range h.scripts {
		if each.method != method || each.part != part {
			kept = append(kept, each)
		}
	}
	if status >= 0 {
		kept = append(kept, script{method, part, status, body})
	}
	h.scripts = kept
}

// HoldSyncs lets each /sync with a token be held for the time that it asks for: nothing happens.
func (h *Homeserver) HoldSyncs() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.holding = true
}

// hold waits as long as a request asks to be held.
func (h *Homeserver) hold(r *http.Request) {
	h.mu.Lock()
	holding := h.holding
	h.mu.Unlock()
	query := r.URL.Query()
	wanted, err := strconv.Atoi(query.Get("timeout"))
	if !holding || err != nil || query.Get("since") == "" {
		return
	}
	timer := time.NewTimer(time.Duration(wanted) * time.Millisecond)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

// ServeHTTP answers a request.
func (h *Homeserver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.hold(r)
	status, body := h.answer(r)
	if status == 0 {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(body)) // the client may have gone away
}

func (h *Homeserver) answer(r *http.Request) (int, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, each := range h.scripts {
		if each.method == r.Method && strings.Contains(r.URL.Path, each.part) {
			return each.status, each.body
		}
	}
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body) // requests with GET have none
	h.count++
	segments := strings.Split(strings.TrimPrefix(r.URL.Path, "/_matrix/client/"), "/")
	switch path := strings.Join(segments[1:], "/"); {
	case segments[0] == "versions":
		return 200, `{"versions":["v1.1"]}`
	case path == "register":
		return 200, fmt.Sprintf(`{"user_id":"@%s:%s","device_id":"D","access_token":"t%d"}`, body["username"], h.name, h.count)
	case path == "capabilities":
		return 200, `{"capabilities":{"m.room_versions":{"default":"10","available":{"10":"stable"}}}}`
	case path == "createRoom" && body["preset"] == "public_chat" && h.federation != nil:
		return 200, fmt.Sprintf(`{"room_id":%q}`, h.federation.CreateRoom())
	case path == "createRoom":
		return 200, fmt.Sprintf(`{"room_id":"!room%d:%s"}`, h.count, h.name)
	case segments[1] == "rooms" && len(segments) == 6 && segments[3] == "send":
		eventID := fmt.Sprintf("$event%d", h.count)
		if h.federation != nil {
			if sent := h.federation.Send(segments[2], body); sent != "" {
				eventID = sent
			}
		}
		event, _ := json.Marshal(map[string]any{"type": segments[4], "event_id": eventID, "sender": "@somebody:" + h.name, "content": body})
		h.events[segments[2]] = append(h.events[segments[2]], event)
		return 200, fmt.Sprintf(`{"event_id":%q}`, eventID)
	case path == "sync":
		joined := map[string]any{}
		shown := maps.Clone(h.events)
		if h.federation != nil {
			for room, events := range h.federation.Received() {
				shown[room] = append(slices.Clone(shown[room]), events...)
			}
		}
		for room, events := range shown {
			joined[room] = map[string]any{"timeline": map[string]any{"events": events}}
		}
		answer, _ := json.Marshal(map[string]any{"next_batch": fmt.Sprintf("s%d", h.count), "rooms": map[string]any{"join": joined}})
		return 200, string(answer)
	}
	return 404, `{"errcode":"M_UNRECOGNIZED","error":"the fake homeserver does not know this"}`
}
