package federation

// Requests to a peer: authentication, hooks, answers and the record of them.

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

// Request is a request to a peer.
type Request struct {
	Endpoint Endpoint
	Method   string
	// Version is that of the endpoint: "v1", "v2", "v3".
	Version string
	// Parameters are the path segments after the endpoint's name, unescaped: room ID, event ID, user ID.
	Parameters []string
	Query      url.Values
	URI        string // path and query as sent
	Header     http.Header
	Body       []byte
	// Origin is that in the X-Matrix header, or "" if there is none.
	Origin string
	// Authentication says why the X-Matrix signature could not be verified; "" if it is valid, or not required.
	Authentication string
	Time           time.Time

	peer        *Peer
	http        *http.Request
	keysMissing bool // the origin's keys could not be fetched: the signature is neither valid nor invalid
	unexpected  bool // the peer was not prepared for it
}

// Room returns the peer's model of the room that the first parameter names, or nil.
func (r *Request) Room() *Room { return r.peer.Room(r.parameter(0)) }

// parameter returns the i-th path parameter, or "".
func (r *Request) parameter(i int) string {
	if i < len(r.Parameters) {
		return r.Parameters[i]
	}
	return ""
}

// String describes the request in one line.
func (r *Request) String() string {
	return fmt.Sprintf("%s from %s: %s %s", r.Endpoint, r.from(), r.Method, r.URI)
}

// from returns the claimed origin.
func (r *Request) from() string { return cmp.Or(r.Origin, "somebody") }

// Hang blocks without an answer until the client gives up or the peer is closed.
func (r *Request) Hang() Answer {
	r.Hold(nil)
	return Refused()
}

// Hold blocks until the channel is closed. It returns false at once when the client gives up or the peer is closed. A nil channel
// is never closed.
func (r *Request) Hold(until <-chan struct{}) bool {
	select {
	case <-until:
		return true
	case <-r.http.Context().Done():
	case <-r.peer.done:
	}
	return false
}

// Hook intercepts a request. honest returns the peer's regular answer and updates the peer's rooms; a hook may alter that answer,
// or return its own without calling honest. It runs on the request's goroutine and may block. A panic in it becomes a 500 and an
// unexpected request.
type Hook func(request *Request, honest func() Answer) Answer

type registeredHook struct{ hook Hook }

// Handle adds a hook for an endpoint, or for Any. Hooks added later run first; those of an endpoint run before those of Any.
// remove removes the hook.
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

// DeadAs is the way in which a peer fails.
type DeadAs int

// The peer closes connections at once; holds requests until the client gives up; answers 200 with a body that is not JSON; answers
// 503.
const (
	DeadRefusing DeadAs = iota
	DeadHanging
	DeadTalkingGarbage
	DeadUnavailable
)

// PlayDead lets the endpoints fail, all of them if none is given, until revive is called.
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
				return garbage()
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

// Requests returns the requests received so far, oldest first.
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
		readError = foreign.CheckWork(body) // before gomatrixserverlib parses it
	}
	request := classify(r)
	request.peer, request.Body, request.Time = p, body, started
	exchange := transcript.Exchange{
		Direction: transcript.ServerRequest, Actor: p.name, Server: request.Origin, Started: started, Method: r.Method,
		URL: "https://" + r.Host + request.URI, RequestHeader: r.Header.Clone(), RequestBody: body,
	}
	defer p.track(exchange)()
	var answer Answer
	problem := ""
	if readError != nil {
		answer, problem = request.refuseUnread(readError)
	} else {
		answer, problem = p.answer(request)
	}
	// The request is recorded before it is answered: a check that sees an effect of the answer can rely on the record.
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
			exchange.Error = "the peer closed the connection without an answer, on purpose"
		}
		p.record(exchange)
		panic(http.ErrAbortHandler) // closes the connection without an answer
	}
	write(w, answer)
	exchange.Status, exchange.ResponseHeader, exchange.ResponseBody = answer.Status, answer.Header, answer.Body
	p.record(exchange)
}

// refuseUnread refuses a request whose body could not be read or exceeds the bounds of helpers/foreign. No hook is called, and
// the signature is not verified.
func (r *Request) refuseUnread(err error) (answer Answer, problem string) {
	r.Origin, r.Authentication = r.claimedOrigin(), "not verified: no body"
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

// track adds a request to p.open until the returned function is called.
func (p *Peer) track(exchange transcript.Exchange) (untrack func()) {
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
	_, _ = w.Write(answer.Body) // the client may have gone away
}

// answer authenticates the request and calls the hooks and the peer's regular handler. A panic becomes a 500.
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

// honest returns the peer's regular answer.
func (p *Peer) honest(request *Request) Answer {
	if refusal, refused := p.refuseUnauthenticated(request); refused {
		return refusal
	}
	handlers := map[Endpoint]func(*Request) Answer{
		MakeJoin: p.makeJoin, SendJoin: p.sendJoin, MakeLeave: p.makeLeave, SendLeave: p.sendLeave,
		MakeKnock: p.makeKnock, SendKnock: p.sendKnock, Invite: p.invite, Send: p.send,
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

// unexpected returns a refusal of a request that the peer was not prepared for.
func unexpected(status int, errcode, text string) Answer {
	answer := Refusal(status, errcode, text)
	answer.Unexpected = true
	return answer
}

// serveClosed answers for a closed peer; see Peer.Close.
func (p *Peer) serveClosed(w http.ResponseWriter, r *http.Request) {
	request := classify(r)
	request.peer = p
	switch request.Endpoint {
	case ServerKeys:
		write(w, p.serverKeys(request))
	case KeyQuery:
		request.Body, _ = foreign.Read(r.Body) // an unreadable body requests no other keys
		write(w, p.keyQuery(request))
	case Send:
		_, _ = io.CopyN(io.Discard, r.Body, foreign.MaxBytes)
		write(w, JSON(http.StatusOK, map[string]any{"pdus": map[string]any{}}))
	default:
		write(w, Refusal(http.StatusNotFound, "M_NOT_FOUND", "this peer's check is over"))
	}
}
