package federation

// The endpoints of the federation API that a peer knows, and how a path is parsed.

import (
	"net/http"
	"net/url"
	"strings"
)

// Endpoint names an endpoint of the federation API, regardless of its version.
type Endpoint string

// The endpoints that a peer knows. Any is for hooks on all endpoints; all other requests are Unknown.
const (
	Any              Endpoint = "*"
	Unknown          Endpoint = "unknown"
	MakeJoin         Endpoint = "make_join"
	SendJoin         Endpoint = "send_join"
	MakeLeave        Endpoint = "make_leave"
	SendLeave        Endpoint = "send_leave"
	MakeKnock        Endpoint = "make_knock"
	SendKnock        Endpoint = "send_knock"
	Invite           Endpoint = "invite"
	Send             Endpoint = "send"
	GetEvent         Endpoint = "event"
	GetState         Endpoint = "state"
	GetStateIDs      Endpoint = "state_ids"
	GetEventAuth     Endpoint = "event_auth"
	Backfill         Endpoint = "backfill"
	GetMissingEvents Endpoint = "get_missing_events"
	QueryProfile     Endpoint = "query/profile"
	QueryDirectory   Endpoint = "query/directory"
	UserDevices      Endpoint = "user/devices"
	UserKeysQuery    Endpoint = "user/keys/query"
	UserKeysClaim    Endpoint = "user/keys/claim"
	PublicRooms      Endpoint = "publicRooms"
	Hierarchy        Endpoint = "hierarchy"
	Version          Endpoint = "version"
	ServerKeys       Endpoint = "key/server"
	KeyQuery         Endpoint = "key/query"
	WellKnown        Endpoint = "well-known"
)

// endpointsByPath lists the endpoints below /_matrix/federation, each before its prefixes.
var endpointsByPath = []Endpoint{
	MakeJoin, SendJoin, MakeLeave, SendLeave, MakeKnock, SendKnock, Invite, GetMissingEvents, GetEventAuth, GetEvent,
	GetStateIDs, GetState, Backfill, QueryProfile, QueryDirectory, UserDevices, UserKeysQuery, UserKeysClaim,
	PublicRooms, Hierarchy, Version, Send,
}

// classify parses the endpoint, its version and its parameters from the path.
func classify(r *http.Request) *Request {
	request := &Request{
		Endpoint: Unknown, Method: r.Method, Query: r.URL.Query(), URI: r.URL.RequestURI(), Header: r.Header.Clone(), http: r,
	}
	path := r.URL.EscapedPath()
	switch {
	case strings.HasPrefix(path, "/.well-known/matrix/"):
		request.Endpoint = WellKnown
		return request
	case path == "/_matrix/key/v2/server" || strings.HasPrefix(path, "/_matrix/key/v2/server/"):
		request.Endpoint, request.Version = ServerKeys, "v2"
		request.Parameters = segments(strings.TrimPrefix(path, "/_matrix/key/v2/server"))
		return request
	case path == "/_matrix/key/v2/query" || strings.HasPrefix(path, "/_matrix/key/v2/query/"):
		request.Endpoint, request.Version = KeyQuery, "v2"
		request.Parameters = segments(strings.TrimPrefix(path, "/_matrix/key/v2/query"))
		return request
	}
	rest, ok := strings.CutPrefix(path, "/_matrix/federation/")
	if !ok {
		return request
	}
	version, rest, _ := strings.Cut(rest, "/")
	for _, endpoint := range endpointsByPath {
		after, found := strings.CutPrefix(rest, string(endpoint))
		if found && (after == "" || after[0] == '/') {
			request.Endpoint, request.Version, request.Parameters = endpoint, version, segments(after)
			break
		}
	}
	return request
}

// segments splits an escaped path into its unescaped segments.
func segments(path string) []string {
	var list []string
	for _, segment := range strings.Split(strings.Trim(path, "/"), "/") {
		if segment == "" {
			continue
		}
		plain, err := url.PathUnescape(segment)
		if err != nil {
			plain = segment
		}
		list = append(list, plain)
	}
	return list
}
