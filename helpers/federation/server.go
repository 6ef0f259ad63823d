package federation

// The peer's side that is asked: which endpoint a request is for, who sent it, the hooks that a check put in the way,
// and the record of it all.

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"msc4014/helpers/foreign"
	"msc4014/helpers/transcript"
)

// Request is one request that reached a peer.
type Request struct {
	Endpoint Endpoint
	Method   string
	// Version is the endpoint's: "v1", "v2", "v3".
	Version string
	// Parameters are the path segments after the endpoint's name, unescaped: room ID, event ID, user ID.
	Parameters []string
	Query      url.Values
	URI        string // path and query as they were sent
	Header     http.Header
	Body       []byte
	// Origin is the server that the X-Matrix header names; "" when there is none.
	Origin string
	// Authentication is "" when the X-Matrix signature was verified, or the endpoint needs none; else why not.
	Authentication string
	Time           time.Time

	peer        *Peer
	http        *http.Request
	keysMissing bool // the origin's keys could not be had: neither verified nor refuted
	unexpected  bool // the peer was not prepared for it
}

// Room returns the peer's model of the room that the first parameter names, nil if there is none.
func (r *Request) Room() *Room { return r.peer.Room(r.parameter(0)) }

// parameter returns the i-th path parameter, "" if there is none.
func (r *Request) parameter(i int) string {
	if i < len(r.Parameters) {
		return r.Parameters[i]
	}
	return ""
}

// String tells the request in one line.
func (r *Request) String() string {
	return fmt.Sprintf("%s from %s: %s %s", r.Endpoint, r.from(), r.Method, r.URI)
}

// from is who sent the request, by its own word.
func (r *Request) from() string { return cmp.Or(r.Origin, "somebody") }

// Hang holds the request without an answer until whoever asked gives up, or the peer is closed.
func (r *Request) Hang() Answer {
	r.Hold(nil)
	return Refused()
}

// Hold holds the request until a channel is closed, and tells whether it still wants its answer then: false when whoever
// asked gave up before, or the peer was closed. A nil channel is never closed.
func (r *Request) Hold(until <-chan struct{}) bool {
	select {
	case <-until:
		return true
	case <-r.http.Context().Done():
	case <-r.peer.done:
	}
	return false
}

// Hook stands between a request and the peer's own answer, which honest makes (with all that it does to the peer's
// rooms). A hook may alter that answer, or give its own without ever calling honest. It runs on the request's own
// goroutine and may block; a panic in it becomes a 500 and an unexpected request.
type Hook func(request *Request, honest func() Answer) Answer

type registeredHook struct{ hook Hook }

// Handle puts a hook before an endpoint, or before Any. Hooks added later come first; those of an endpoint come before
// those of Any. The function that it returns removes the hook.
func (p *Peer) Handle(endpoint Endpoint, hook Hook) (remove func()) {
	added := &registeredHook{hook}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hooks[endpoint] = append(slices.Clone(p.hooks[endpoint]), added)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.hooks[endpoint] = slices.DeleteFunc(slices.Clone(p.hooks[endpoint]), func(h *registeredHook) bool { return h == added })
	}
}

// DeadAs says how a peer plays dead.
type DeadAs int

// The ways of being dead: the connection is closed at once; the request is held until the asker gives up; 200 with
// something that is no JSON; 503.
const (
	DeadRefusing DeadAs = iota
	DeadHanging
	DeadTalkingGarbage
	DeadUnavailable
)

// PlayDead makes the peer play dead on the endpoints, all of them if none is named, until revive is called. It keeps
// its name and its listener.
func (p *Peer) PlayDead(how DeadAs, endpoints ...Endpoint) (revive func()) {
	if len(endpoints) == 0 {
		endpoints = []Endpoint{Any}
	}
	var removals []func()
	for _, endpoint := range endpoints {
		removals = append(removals, p.Handle(endpoint, func(request *Request, _ func() Answer) Answer {
			switch how {
			case DeadHanging:
				return request.Hang()
			case DeadTalkingGarbage:
				return Garbage()
			case DeadUnavailable:
				return Refusal(http.StatusServiceUnavailable, "M_UNKNOWN", "this server is down")
			default:
				return Refused()
			}
		}))
	}
	return func() {
		for _, remove := range removals {
			remove()
		}
	}
}

// Requests returns what reached the peer so far, oldest first.
func (p *Peer) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

func (p *Peer) serve(w http.ResponseWriter, r *http.Request) {
	started := time.Now()
	if p.isClosed() {
		p.serveClosed(w, r)
		return
	}
	body, readError := foreign.Read(r.Body)
	if readError == nil {
		readError = foreign.CheckWork(body) // gomatrixserverlib is to verify the signature
	}
	request := classify(r)
	request.peer, request.Body, request.Time = p, body, started
	exchange := transcript.Exchange{
		Direction: transcript.ServerRequest, Actor: p.name, Server: request.Origin, Started: started, Method: r.Method,
		URL: "https://" + r.Host + request.URI, RequestHeader: r.Header.Clone(), RequestBody: body,
	}
	defer p.underWay(exchange)()
	var answer Answer
	problem := ""
	if readError != nil {
		answer, problem = request.refuseUnread(readError)
	} else {
		answer, problem = p.answer(request)
	}
	// The request is on record before its answer is out: who sees the answer's effect can rely on it.
	p.mu.Lock()
	if !p.closed {
		request.unexpected = answer.Unexpected
		p.requests = append(p.requests, *request)
		p.received.announce()
	}
	p.mu.Unlock()
	exchange.Server, exchange.Duration, exchange.Error, exchange.Unexpected = request.Origin, time.Since(started), problem, answer.Unexpected
	if answer.None {
		if exchange.Error == "" {
			exchange.Error = "the peer gave no answer, as it was told to"
		}
		p.record(exchange)
		panic(http.ErrAbortHandler) // the way of net/http to close a connection without an answer
	}
	write(w, answer)
	exchange.Status, exchange.ResponseHeader, exchange.ResponseBody = answer.Status, answer.Header, answer.Body
	p.record(exchange)
}

// refuseUnread refuses a request whose body could not be read, or is out of the bounds of helpers/foreign: neither hooks
// nor the peer get to see that, nor is its signature looked at.
func (r *Request) refuseUnread(err error) (answer Answer, problem string) {
	r.Origin, r.Authentication = r.claimedOrigin(), "not looked at, for want of the body"
	var outOfBounds *foreign.Error
	if !errors.As(err, &outOfBounds) {
		problem = "the body could not be read: " + err.Error()
		return Refusal(http.StatusBadRequest, "M_UNKNOWN", problem), problem
	}
	r.Body = nil
	problem = fmt.Sprintf("the request of %s, %s %s: %v", r.from(), r.Method, r.URI, err)
	if errors.Is(err, foreign.ErrTooLarge) {
		return unexpected(http.StatusRequestEntityTooLarge, "M_TOO_LARGE", err.Error()), problem
	}
	return unexpected(http.StatusBadRequest, "M_BAD_JSON", err.Error()), problem
}

// underWay keeps a request in mind until the returned function is called, or the peer is closed before that.
func (p *Peer) underWay(exchange transcript.Exchange) (over func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.open[&exchange] = struct{}{}
	}
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.open, &exchange)
	}
}

func write(w http.ResponseWriter, answer Answer) {
	for name, values := range answer.Header {
		w.Header()[name] = values
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	if answer.Status == 0 {
		answer.Status = http.StatusOK
	}
	w.WriteHeader(answer.Status)
	_, _ = w.Write(answer.Body) // a client that went away is its own affair
}

// answer authenticates the request and runs the hooks and, behind them, the honest peer. A panic in either becomes a 500 and is told.
func (p *Peer) answer(request *Request) (answer Answer, problem string) {
	defer func() {
		if thrown := recover(); thrown != nil {
			problem = fmt.Sprintf("panic while answering: %v", thrown)
			answer = Refusal(http.StatusInternalServerError, "M_UNKNOWN", problem)
			answer.Unexpected = true
		}
	}()
	p.authenticate(request)
	p.mu.Lock()
	chain := append(slices.Clone(p.hooks[Any]), p.hooks[request.Endpoint]...)
	p.mu.Unlock()
	next := func() Answer { return p.honest(request) }
	for _, added := range chain {
		behind := next
		next = func() Answer { return added.hook(request, behind) }
	}
	return next(), ""
}

// honest is what the peer answers of itself.
func (p *Peer) honest(request *Request) Answer {
	if refusal, refused := p.refuseUnauthenticated(request); refused {
		return refusal
	}
	handlers := map[Endpoint]func(*Request) Answer{
		MakeJoin: p.makeJoin, SendJoin: p.sendJoin, MakeLeave: p.makeLeave, SendLeave: p.sendLeave,
		Invite: p.invite, Send: p.send,
		GetEvent: p.getEvent, GetState: p.getState, GetStateIDs: p.getStateIDs, GetEventAuth: p.getEventAuth,
		Backfill: p.backfill, GetMissingEvents: p.getMissingEvents,
		QueryProfile: p.queryProfile, QueryDirectory: p.queryDirectory, UserDevices: p.userDevices,
		UserKeysQuery: p.userKeysQuery, UserKeysClaim: p.userKeysClaim, PublicRooms: p.publicRooms,
		Hierarchy: p.hierarchy, Version: p.version, ServerKeys: p.serverKeys, KeyQuery: p.keyQuery,
		WellKnown: func(*Request) Answer { return Refusal(http.StatusNotFound, "M_NOT_FOUND", "no well-known file") },
	}
	if handler := handlers[request.Endpoint]; handler != nil {
		return handler(request)
	}
	return unexpected(http.StatusNotFound, "M_UNRECOGNIZED", "this peer does not know "+request.Method+" "+request.URI)
}

// unexpected is a refusal of a request that the peer was not prepared for.
func unexpected(status int, errcode, text string) Answer {
	answer := Refusal(status, errcode, text)
	answer.Unexpected = true
	return answer
}

// serveClosed answers for a peer whose check is over; see Peer.Close.
func (p *Peer) serveClosed(w http.ResponseWriter, r *http.Request) {
	request := classify(r)
	request.peer = p
	switch request.Endpoint {
	case ServerKeys:
		write(w, p.serverKeys(request))
	case KeyQuery:
		request.Body, _ = foreign.Read(r.Body) // what cannot be read asks for no other keys
		write(w, p.keyQuery(request))
	case Send:
		_, _ = io.CopyN(io.Discard, r.Body, foreign.MaxBytes)
		write(w, JSON(http.StatusOK, map[string]any{"pdus": map[string]any{}}))
	default:
		write(w, Refusal(http.StatusNotFound, "M_NOT_FOUND", "this peer's check is over"))
	}
}
