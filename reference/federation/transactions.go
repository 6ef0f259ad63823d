package federation

// This file takes in transactions (server-server API, "Transactions"): each once, the events of a room in order.

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

// Limits on a transaction, and how many answers to one server are remembered.
const (
	maximumPDUs   = 50
	maximumEDUs   = 100
	recentAnswers = 100
)

// taken is a transaction that came, and its answer.
type taken struct {
	done   chan struct{} // closed when there is an answer
	answer any
	err    error
}

// send answers PUT /send/{transaction}. One that comes again, because the answer got lost or was long in coming, is not
// taken in twice and gets the same answer. That is remembered in memory alone: after a restart, an event that is there
// already is not taken again either, nor is a message to a device, which has an ID; and the rest does no harm.
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
		// Not the request's context: who sent it may give up waiting, and count on what it sent.
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

// begin returns the transaction of a name, and whether it comes for the first time and is to be taken.
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

// take takes a transaction in.
func (s *Server) take(ctx context.Context, t *taken, origin string, pdus, edus []json.RawMessage) {
	defer s.working.Done()
	defer close(t.done)
	outcomes := s.takeEvents(ctx, origin, pdus)
	for _, edu := range edus {
		eduType := gjson.GetBytes(edu, "edu_type").String()
		if err := s.takeEDU(origin, eduType, json.RawMessage(gjson.GetBytes(edu, "content").Raw)); err != nil {
			s.Log.Info("an EDU is not taken", "type", eduType, "server", origin, "error", err)
		}
	}
	if ctx.Err() != nil { // what failed may have failed for that: it is to be sent again
		t.err = errClosing
		return
	}
	t.answer, t.err = map[string]any{"pdus": outcomes}, nil
}

// takeEvents takes events in: those of one room in order, rooms at the same time, since one may have to wait for others'
// answers. It returns what became of each, by event ID.
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
					s.Log.Info("an event is not taken", "room", roomID, "event", eventID, "server", origin, "error", err)
				}
				if eventID == "" {
					continue // nobody could tell which it is
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

// outcome is what is told of one event.
func outcome(err error) map[string]string {
	if err == nil {
		return map[string]string{}
	}
	return map[string]string{"error": err.Error()}
}
