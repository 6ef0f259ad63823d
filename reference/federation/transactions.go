package federation

// This file processes transactions (server-server API, "Transactions"): each once, and the events of a room in order.

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"sync"

	"github.com/tidwall/gjson"

	"msc4014/reference/rooms"
	"msc4014/reference/store"
)

// Limits on a transaction, and on how many responses are remembered for each server.
const (
	maximumPDUs   = 50
	maximumEDUs   = 100
	recentAnswers = 100
)

// taken is a received transaction and its response.
type taken struct {
	done   chan struct{} // closed when the response is ready
	answer any
	err    error
}

// send answers PUT /send/{transaction}. A transaction that is sent again, because the response was lost or slow, is not
// processed twice and gets the same response. Responses are only kept in memory: after a restart, known events and
// to-device messages, which have IDs, are still not accepted twice, and the rest does no harm.
func (s *Server) send(r *request) (any, error) {
	var body struct {
		PDUs []json.RawMessage `json:"pdus"`
		EDUs []json.RawMessage `json:"edus"`
	}
	if err := r.read(&body); err != nil {
		return nil, err
	}
	if len(body.PDUs) > maximumPDUs || len(body.EDUs) > maximumEDUs {
		return nil, rooms.Bad("M_TOO_LARGE", "a transaction has at most %d events and %d EDUs", maximumPDUs, maximumEDUs)
	}
	t, first := s.begin(r.origin, r.PathValue("transaction"))
	if first {
		// Not the request's context: the sender may stop waiting and still rely on the transaction.
		s.take(s.lifetime, t, r.origin, body.PDUs, body.EDUs)
	}
	select {
	case <-t.done:
		return t.answer, t.err
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

var errClosing = &rooms.Error{Status: http.StatusServiceUnavailable, Code: "M_UNKNOWN", Text: "the server is being shut down"}

// begin returns the transaction with a name, and whether it is new and must be processed.
func (s *Server) begin(origin, name string) (t *taken, first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := store.Key(origin, name)
	if t := s.transactions[key]; t != nil {
		return t, false
	}
	t = &taken{done: make(chan struct{}), err: errors.New("taking in the transaction broke off")}
	if s.closed {
		t.err = errClosing
		close(t.done)
		return t, false
	}
	s.transactions[key] = t
	s.recent[origin] = append(s.recent[origin], key)
	if len(s.recent[origin]) > recentAnswers {
		delete(s.transactions, s.recent[origin][0])
		s.recent[origin] = s.recent[origin][1:]
	}
	s.working.Add(1)
	return t, true
}

// take processes a transaction.
func (s *Server) take(ctx context.Context, t *taken, origin string, pdus, edus []json.RawMessage) {
	defer s.working.Done()
	defer close(t.done)
	outcomes := s.takeEvents(ctx, origin, pdus)
	for _, edu := range edus {
		eduType := gjson.GetBytes(edu, "edu_type").String()
		if err := s.takeEDU(origin, eduType, json.RawMessage(gjson.GetBytes(edu, "content").Raw)); err != nil {
			s.Log.Info("an EDU was not accepted", "type", eduType, "server", origin, "error", err)
		}
	}
	if ctx.Err() != nil { // failures may be due to the shutdown, so it must be sent again
		t.err = errClosing
		return
	}
	t.answer, t.err = map[string]any{"pdus": outcomes}, nil
}

// takeEvents processes events: those of one room in order, and rooms concurrently, since a room may have to wait for
// other servers. It returns the outcome of each, by event ID.
func (s *Server) takeEvents(ctx context.Context, origin string, pdus []json.RawMessage) map[string]any {
	byRoom := map[string][]json.RawMessage{}
	for _, pdu := range pdus {
		roomID := gjson.GetBytes(pdu, "room_id").String()
		byRoom[roomID] = append(byRoom[roomID], pdu)
	}
	var (
		mu       sync.Mutex
		outcomes = map[string]any{}
		all      sync.WaitGroup
	)
	for roomID, events := range byRoom {
		all.Go(func() {
			for _, event := range events {
				eventID, err := s.Rooms.Receive(ctx, origin, event)
				if err != nil {
					s.Log.Info("an event was not accepted", "room", roomID, "event", eventID, "server", origin, "error", err)
				}
				if eventID == "" {
					continue // it could not be parsed
				}
				mu.Lock()
				outcomes[eventID] = outcome(err)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	return outcomes
}

// outcome is the result of one event in the response.
func outcome(err error) map[string]string {
	if err == nil {
		return map[string]string{}
	}
	return map[string]string{"error": err.Error()}
}
