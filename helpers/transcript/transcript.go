// Package transcript records the HTTP exchanges of a check, of clients and of peers, and writes them as HAR files.
package transcript

import (
	"net/http"
	"time"
)

// Direction says which side sent the request.
type Direction string

// The kinds of exchange.
const (
	ClientRequest  Direction = "client"           // a client of ours asked the candidate
	PeerRequest    Direction = "peer-asks"        // a peer of ours asked the candidate
	ServerRequest  Direction = "candidate-asks"   // the candidate asked a peer of ours
	ServiceRequest Direction = "candidate-pushes" // the candidate asked an application service of ours
)

// Exchange is a request and its answer. Without an answer Status is 0 and Error says why.
type Exchange struct {
	Direction      Direction
	Actor          string // the suite's side: a user ID, a peer's server name, or the ID of an application service
	Server         string // the server name of the other side, if known
	Started        time.Time
	Duration       time.Duration
	Method         string
	URL            string // with query, without access token
	RequestHeader  http.Header
	RequestBody    []byte
	Status         int
	ResponseHeader http.Header
	ResponseBody   []byte
	Error          string
	Unexpected     bool // a request that the peer was not prepared for
	// Notes are further remarks: "response body cut: 262144 of 900000 bytes kept".
	Notes []string
}

// Sink receives exchanges as they end. It must be safe for concurrent use and must not block.
type Sink interface {
	Record(Exchange)
}

// SinkFunc adapts a function to a Sink.
type SinkFunc func(Exchange)

// Record calls f.
func (f SinkFunc) Record(e Exchange) { f(e) }
