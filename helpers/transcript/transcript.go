// Package transcript keeps the HTTP exchanges of a check, client and federation alike, so that a failure can be read.
package transcript

import (
	"net/http"
	"time"
)

// Direction tells who asked whom.
type Direction string

// The three kinds of exchange that a check takes part in.
const (
	ClientRequest Direction = "client"         // a client of ours asked the candidate
	PeerRequest   Direction = "peer-asks"      // a peer of ours asked the candidate
	ServerRequest Direction = "candidate-asks" // the candidate asked a peer of ours
)

// Exchange is one request and its answer. Status is 0 when no answer came; Error then says why.
type Exchange struct {
	Direction      Direction
	Actor          string // who of ours: a user ID, or a peer's server name
	Server         string // which server of the deployment, where known
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
	// Notes are what else a reader has to know: "response body cut: 262144 of 900000 bytes kept".
	Notes []string
}

// Sink takes exchanges as they end. It must be safe for use by several goroutines and must not block.
type Sink interface {
	Record(Exchange)
}

// SinkFunc makes a function a Sink.
type SinkFunc func(Exchange)

// Record calls f.
func (f SinkFunc) Record(e Exchange) { f(e) }
