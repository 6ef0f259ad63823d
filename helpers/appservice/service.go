package appservice

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"msc4014/helpers/foreign"
	"msc4014/helpers/transcript"
)

// Service is one application service. Its methods are safe for concurrent use.
type Service struct {
	id, url, sender, users string
	token, serverToken     string // by which it proves itself to the server, and the server to it

	mu           sync.Mutex
	transactions map[string]bool           // by ID: those it has
	events       map[string][]gjson.Result // by room ID, in the order in which they were pushed
	history      []pushed
	recordings   map[*Recording]bool
	problems     []string
	changed      chan struct{} // closed when something arrives
}

func newService(id, url, sender, users string) *Service {
	return &Service{
		id: id, url: url, sender: sender, users: users, token: rand.Text(), serverToken: rand.Text(),
		transactions: map[string]bool{}, events: map[string][]gjson.Result{},
		recordings: map[*Recording]bool{}, changed: make(chan struct{}),
	}
}

// Registration returns the service's registration file (application service API, "Registration"). A JSON string is a YAML one.
func (s *Service) Registration() []byte {
	quoted := func(text string) string {
		written, _ := json.Marshal(text) // a string always marshals
		return string(written)
	}
	return fmt.Appendf(nil, `id: %s
url: %s
as_token: %s
hs_token: %s
sender_localpart: %s
rate_limited: false
namespaces:
  users:
    - exclusive: false
      regex: %s
  aliases: []
  rooms: []
`, quoted(s.id), quoted(s.url), quoted(s.token), quoted(s.serverToken), quoted(s.sender), quoted(s.users))
}

// Events returns the events of a room that the service was pushed so far, in that order. A transaction that was sent again counts once.
func (s *Service) Events(roomID string) []gjson.Result {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.events[roomID])
}

// mostProblems is how many problems are kept.
const mostProblems = 5

// notes keeps a problem of a request. The lock must be held.
func (s *Service) notes(format string, arguments ...any) {
	if problem := fmt.Sprintf(format, arguments...); len(s.problems) < mostProblems && !slices.Contains(s.problems, problem) {
		s.problems = append(slices.Clone(s.problems), problem)
	}
}

// transactionsPath is the path of transactions, below the service's URL.
const transactionsPath = "/_matrix/app/v1/transactions/"

// answer answers a request, and records it before anything that it brings is seen: a check may end at once when it sees that.
func (s *Service) answer(r *http.Request, path string, readErr error, exchange *transcript.Exchange) {
	s.mu.Lock()
	defer s.mu.Unlock()
	transaction, isTransaction := strings.CutPrefix(path, transactionsPath)
	switch {
	case !s.isServer(r):
		s.notes("%s %.100q, which did not have the server's token", r.Method, path)
		refuses(exchange, http.StatusForbidden, "M_FORBIDDEN", "the token of the request is not the one of the registration")
	case path == "/_matrix/app/v1/ping":
		answers(exchange)
	case !isTransaction || r.Method != http.MethodPut:
		// Queries for users and aliases of the service, of which it has none, and what is not known.
		refuses(exchange, http.StatusNotFound, "M_NOT_FOUND", "the application service has nothing here")
	default:
		err := checkTransaction(exchange.RequestBody, readErr)
		if err == nil {
			s.take(transaction, exchange)
			return
		}
		s.notes("a transaction: %v", err)
		refuses(exchange, http.StatusBadRequest, "M_BAD_JSON", err.Error())
	}
	s.record(*exchange, nil)
}

// checkTransaction returns what is wrong with the body of a transaction.
func checkTransaction(body []byte, readErr error) error {
	if readErr != nil {
		return readErr
	}
	parsed, err := foreign.Parse(body)
	if err != nil {
		return err
	}
	if !parsed.Get("events").IsArray() {
		return errors.New("it has no array of events")
	}
	return nil
}

// take answers a transaction, records it, and keeps its events unless it was taken before. The lock must be held.
func (s *Service) take(transaction string, exchange *transcript.Exchange) {
	answers(exchange)
	rooms := roomsOf(exchange.RequestBody)
	s.record(*exchange, rooms)
	if s.transactions[transaction] {
		return
	}
	s.transactions[transaction] = true
	s.history = append(s.history, pushed{*exchange, rooms})
	for _, event := range gjson.GetBytes(exchange.RequestBody, "events").Array() {
		roomID := event.Get("room_id").String()
		s.events[roomID] = append(s.events[roomID], event)
	}
	close(s.changed)
	s.changed = make(chan struct{})
}

// isServer reports whether a request has the token of the server: in its header or, as in earlier versions of the API, its query.
func (s *Service) isServer(r *http.Request) bool {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if token == "" {
		token = r.URL.Query().Get("access_token")
	}
	return subtle.ConstantTimeCompare([]byte(token), []byte(s.serverToken)) == 1
}
