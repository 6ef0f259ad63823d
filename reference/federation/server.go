// Package federation serves the server-server API, over the rooms (reference/rooms), the users (reference/users) and
// the keys (reference/keyring) of a homeserver. It handles HTTP and request authentication; decisions are made in those
// packages. The client side is reference/federation/outgoing.
package federation

import (
	"context"
	"log/slog"
	"net/http"
	"sync"

	"msc4014/reference/federation/outgoing"
	"msc4014/reference/keyring"
	"msc4014/reference/rooms"
	"msc4014/reference/users"
)

// Config has the dependencies of Server.
type Config struct {
	ServerName string
	Keys       *keyring.Keyring
	Rooms      *rooms.Rooms
	Users      *users.Users
	Client     *outgoing.Client // told which servers were heard from
	Log        *slog.Logger     // nil means none
}

// Server serves the server-server API.
type Server struct {
	Config
	mux      *http.ServeMux
	lifetime context.Context
	end      context.CancelFunc

	mu           sync.Mutex
	transactions map[string]*taken // by origin and transaction ID
	recent       map[string][]string
	working      sync.WaitGroup
	closed       bool
}

// New returns a server. Close stops its background work.
func New(config Config) *Server {
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	s := &Server{Config: config, mux: http.NewServeMux(), transactions: map[string]*taken{}, recent: map[string][]string{}}
	s.lifetime, s.end = context.WithCancel(context.Background())
	s.routes()
	return s
}

// Close stops the processing of transactions, which continues when their senders disconnect. Rooms and users must stay
// open until it returns.
func (s *Server) Close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.end()
	s.working.Wait()
}

func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) routes() {
	for pattern, answer := range map[string]handler{
		"GET /_matrix/key/v2/server":                 s.ownKeys,
		"GET /_matrix/key/v2/server/{keyID}":         s.ownKeys,
		"POST /_matrix/key/v2/query":                 s.queryKeys,
		"GET /_matrix/key/v2/query/{server}":         s.queryKeysOf,
		"GET /_matrix/federation/v1/version":         s.version,
		"GET /_matrix/federation/v1/openid/userinfo": s.userInfo,
	} {
		s.mux.HandleFunc(pattern, s.open(answer))
	}
	const v1, v2, v3 = "/_matrix/federation/v1/", "/_matrix/federation/v2/", "/_matrix/federation/v3/"
	for pattern, answer := range map[string]handler{
		"GET " + v1 + "make_join/{roomID}/{userID}":   s.makeMember("join"),
		"GET " + v1 + "make_leave/{roomID}/{userID}":  s.makeMember("leave"),
		"GET " + v1 + "make_knock/{roomID}/{userID}":  s.makeMember("knock"),
		"PUT " + v1 + "send_join/{roomID}/{eventID}":  asVersion1(s.sendJoin),
		"PUT " + v2 + "send_join/{roomID}/{eventID}":  s.sendJoin,
		"PUT " + v1 + "send_leave/{roomID}/{eventID}": asVersion1(s.sendLeave),
		"PUT " + v2 + "send_leave/{roomID}/{eventID}": s.sendLeave,
		"PUT " + v1 + "send_knock/{roomID}/{eventID}": s.sendKnock,
		"PUT " + v2 + "invite/{roomID}/{eventID}":     s.invite,
		"PUT " + v3 + "invite/{named}/{userID}":       s.invitePartial,

		"PUT " + v1 + "send/{transaction}":            s.send,
		"GET " + v1 + "event/{eventID}":               s.event,
		"GET " + v1 + "state/{roomID}":                s.state,
		"GET " + v1 + "state_ids/{roomID}":            s.stateIDs,
		"GET " + v1 + "event_auth/{roomID}/{eventID}": s.eventAuth,
		"GET " + v1 + "backfill/{roomID}":             s.backfill,
		"POST " + v1 + "get_missing_events/{roomID}":  s.missingEvents,
		"GET " + v1 + "timestamp_to_event/{roomID}":   s.timestampToEvent,

		"GET " + v1 + "publicRooms":           s.publicRooms,
		"POST " + v1 + "publicRooms":          s.publicRooms,
		"GET " + v1 + "hierarchy/{roomID}":    s.hierarchy,
		"GET " + v1 + "query/profile":         s.profile,
		"GET " + v1 + "query/directory":       s.directory,
		"GET " + v1 + "user/devices/{userID}": s.userDevices,
		"POST " + v1 + "user/keys/query":      s.userKeys,
		"POST " + v1 + "user/keys/claim":      s.claimKeys,
	} {
		s.mux.HandleFunc(pattern, s.authenticated(answer))
	}
	s.mux.HandleFunc("/", s.unrecognised)
}

// unrecognised answers unknown endpoints: with 405 if only the method is wrong, else 404.
func (s *Server) unrecognised(w http.ResponseWriter, r *http.Request) {
	status := http.StatusNotFound
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := s.mux.Handler(other); pattern != "/" {
			status = http.StatusMethodNotAllowed
		}
	}
	s.refuse(w, r, &rooms.Error{Status: status, Code: "M_UNRECOGNIZED", Text: "there is no such endpoint"})
}
