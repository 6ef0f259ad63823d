package monitor

// Requests of clients: which answers are about rooms, which are in the federation format, and what the client sent.

import (
	"net/url"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/foreign"
	"msc4014/helpers/transcript"
)

// request is a parsed request of a client.
type request struct {
	method   string
	path     string   // below /_matrix/client
	segments []string // of the path below the version, unescaped
	query    url.Values
	actor    string
}

func requestOf(exchange transcript.Exchange) request {
	path, query, _ := strings.Cut(exchange.URL, "?")
	if _, rest, found := strings.Cut(path, "/_matrix/client"); found {
		path = rest
	}
	asked := request{method: exchange.Method, path: path, actor: exchange.Actor}
	asked.query, _ = url.ParseQuery(query) // without what does not parse
	for i, segment := range strings.Split(strings.TrimPrefix(path, "/"), "/") {
		if unescaped, err := url.PathUnescape(segment); err == nil {
			segment = unescaped
		}
		if i > 0 { // the first is the version
			asked.segments = append(asked.segments, segment)
		}
	}
	return asked
}

// place returns the i-th path segment, counted from 0 after the version, or "".
func (r request) place(i int) string {
	if i < len(r.segments) {
		return r.segments[i]
	}
	return ""
}

// aboutRooms reports whether the answer is about rooms and their members.
func (r request) aboutRooms() bool {
	switch r.place(0) {
	case "sync", "search", "publicRooms", "notifications":
		return true
	case "rooms":
		return r.place(2) != "account_data" && r.place(2) != "tags"
	}
	return len(r.segments) == 2 && r.place(1) == "sync" // an unstable version: org.matrix.simplified_msc3575/sync
}

// stateContent returns the event type of GET /rooms/{roomId}/state/{eventType}/{stateKey}, which returns only the content.
func (r request) stateContent() (eventType string, ok bool) {
	if r.method == "GET" && r.place(0) == "rooms" && r.place(2) == "state" && r.place(3) != "" {
		return r.place(3), true
	}
	return "", false
}

// noteWritten notes what looks like a sender key in a request.
func (m *Monitor) noteWritten(asked request, body []byte) {
	for _, segment := range asked.segments {
		m.clientWrote(segment)
	}
	written, err := foreign.Parse(body)
	if err != nil {
		return
	}
	written.Walk(func(at foreign.Place, value foreign.Value) bool {
		m.clientWrote(at.Name().String())
		if value.IsString() {
			m.clientWrote(value.String())
		}
		return true
	})
}

// noteFilter notes a new filter with event_format "federation".
func (m *Monitor) noteFilter(asked request, body []byte, answer foreign.Value) {
	if asked.place(0) != "user" || asked.place(2) != "filter" || gjson.GetBytes(body, "event_format").String() != "federation" {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.filters[asked.actor+" "+answer.Get("filter_id").String()] = true
}

// inFederationForm reports whether the client asked for events in the federation format.
func (m *Monitor) inFederationForm(asked request) bool {
	filter := asked.query.Get("filter")
	if gjson.Get(filter, "event_format").String() == "federation" {
		return true
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.filters[asked.actor+" "+filter]
}
