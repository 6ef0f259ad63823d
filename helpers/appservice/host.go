// Package appservice plays application services for checks: what a server under test pushes to them is kept and recorded in
// transcripts (application service API, "Pushing events"). Nothing here fails a check.
package appservice

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/helpers/foreign"
	"msc4014/helpers/transcript"
	"msc4014/runtime"
)

// Host serves the application services of one server under test: all have one address, and a path each. Its methods are safe for
// concurrent use.
type Host struct {
	url    string // without a slash at the end
	server *http.Server
	ended  chan struct{}

	mu       sync.Mutex
	services map[string]*Service
}

// Listen starts a host without services at the address of a peer that nothing else uses. It takes over its socket, also on failure.
func Listen(address runtime.PeerAddress) (*Host, error) {
	socket, err := listen(address)
	if err != nil {
		return nil, fmt.Errorf("application services cannot listen: %w", err)
	}
	name := address.Name
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	_, port, _ := net.SplitHostPort(socket.Addr().String()) // a TCP address has one
	h := &Host{
		url: "http://" + net.JoinHostPort(name, port), ended: make(chan struct{}), services: map[string]*Service{},
	}
	h.server = &http.Server{
		Handler: http.HandlerFunc(h.serve), ReadHeaderTimeout: 30 * time.Second, ReadTimeout: time.Minute, IdleTimeout: 90 * time.Second,
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() {
		defer close(h.ended)
		_ = h.server.Serve(socket) // until it is closed
	}()
	return h, nil
}

// listen returns the socket of an address, or one at another port of its host: peers that share an address use TLS there.
func listen(address runtime.PeerAddress) (net.Listener, error) {
	if address.Socket != nil {
		return address.Socket, nil
	}
	host, _, err := net.SplitHostPort(address.Listen)
	if err != nil {
		return nil, err
	}
	return net.Listen("tcp", net.JoinHostPort(host, "0"))
}

// Add adds a service that is interested in all users whose IDs match a regular expression. id is part of its URL; senderLocalpart is
// the localpart of the service's own user.
func (h *Host) Add(id, senderLocalpart, users string) *Service {
	s := newService(id, h.url+"/"+id, senderLocalpart, users)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.services[id] = s
	return s
}

// Service returns a service by its ID, nil if there is none.
func (h *Host) Service(id string) *Service {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.services[id]
}

// Registrations returns the registration files of all services (runtime.ServerOptions).
func (h *Host) Registrations() map[string][]byte {
	h.mu.Lock()
	defer h.mu.Unlock()
	files := map[string][]byte{}
	for id, service := range h.services {
		files[id+".yaml"] = service.Registration()
	}
	return files
}

// Close ends all services.
func (h *Host) Close() error {
	err := h.server.Close()
	<-h.ended
	return err
}

// serve answers a request for one of the services.
func (h *Host) serve(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	body, readErr := foreign.Read(r.Body)
	id, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	w.Header().Set("Content-Type", "application/json")
	exchange := transcript.Exchange{
		Direction: transcript.ServiceRequest, Actor: id, Started: started, Method: r.Method,
		URL: h.url + r.URL.RequestURI(), RequestHeader: r.Header, RequestBody: body, ResponseHeader: w.Header().Clone(),
	}
	if readErr != nil {
		exchange.Notes = append(exchange.Notes, readErr.Error())
	}
	if service := h.Service(id); service != nil {
		service.answer(r, "/"+path, readErr, &exchange)
	} else {
		refuses(&exchange, http.StatusNotFound, "M_NOT_FOUND", "no such application service")
	}
	w.WriteHeader(exchange.Status)
	_, _ = w.Write(exchange.ResponseBody)
}

// answers sets the answer of an exchange: 200 and an empty object.
func answers(exchange *transcript.Exchange) {
	exchange.Status, exchange.ResponseBody, exchange.Duration = http.StatusOK, []byte("{}"), time.Since(exchange.Started)
}

// refuses sets the answer of an exchange: an error.
func refuses(exchange *transcript.Exchange, status int, code, message string) {
	body, _ := json.Marshal(map[string]string{"errcode": code, "error": message}) // strings always marshal
	exchange.Status, exchange.ResponseBody, exchange.Duration = status, body, time.Since(exchange.Started)
}

// WaitError says that a service was not pushed what a check waits for.
type WaitError struct {
	Service  string
	Events   int      // of the room
	Problems []string // requests that the service refused
	cause    error
}

// Error says how much the service was pushed, and what it refused.
func (e *WaitError) Error() string {
	text := fmt.Sprintf("the application service %q was pushed %d events of the room, none of them the one awaited: %v", e.Service, e.Events, e.cause)
	if len(e.Problems) > 0 {
		text += "; it refused " + strings.Join(e.Problems, "; ")
	}
	return text
}

// Unwrap returns the context's error.
func (e *WaitError) Unwrap() error { return e.cause }

// Wait returns the first event of a room, already pushed or yet to come, for which match returns nil. The error is a *WaitError if ctx
// ends first.
func (s *Service) Wait(ctx context.Context, roomID string, match func(event gjson.Result) error) (gjson.Result, error) {
	for {
		s.mu.Lock()
		events, changed, problems := s.events[roomID], s.changed, s.problems
		s.mu.Unlock()
		for _, event := range events {
			if match(event) == nil {
				return event, nil
			}
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return gjson.Result{}, &WaitError{Service: s.id, Events: len(events), Problems: problems, cause: context.Cause(ctx)}
		}
	}
}
