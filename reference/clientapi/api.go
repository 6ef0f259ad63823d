// Package clientapi is the client-server API of the reference homeserver over HTTP: it parses requests, calls
// reference/users and reference/rooms, and writes responses. In every kind of room it gets events as clients see them, with
// user IDs, and passes on the user IDs that clients write. About pseudonymous identities it decides only what clients of
// sliding sync are told of a verification (slidingsync.go).
//
// Begin with route in this file, and with request.go; each other file is a chapter of the specification.
package clientapi

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"msc4014/reference/rooms"
	"msc4014/reference/store"
	"msc4014/reference/stream"
	"msc4014/reference/users"
)

// Remote makes requests to other servers that neither Users nor Rooms make.
type Remote interface {
	// PublicRooms sends a body of POST /publicRooms to a server.
	PublicRooms(ctx context.Context, server string, body []byte) (json.RawMessage, error)
}

// Config configures an API.
type Config struct {
	Server   string // the name of this server
	Users    *users.Users
	Rooms    *rooms.Rooms
	Clock    *stream.Clock
	Store    *store.Store
	Remote   Remote
	MediaDir string // a directory, created when it is first needed
	Log      *slog.Logger
}

// API serves the client-server API. It is an http.Handler.
type API struct {
	Config
	mux    *http.ServeMux
	media  mediaStore
	unread unreadCounts
}

// New returns the API.
func New(c Config) (*API, error) {
	a := &API{Config: c, mux: http.NewServeMux(), unread: newUnreadCounts()}
	var err error
	if a.media, err = openMedia(c.Store, c.MediaDir); err != nil {
		return nil, err
	}
	a.register(
		a.serverRoutes(), a.accountRoutes(), a.deviceRoutes(), a.profileRoutes(), a.accountDataRoutes(), a.pushRoutes(),
		a.keyRoutes(), a.backupRoutes(), a.mediaRoutes(), a.membershipRoutes(), a.directoryRoutes(), a.eventRoutes(),
		a.historyRoutes(), a.relationRoutes(), a.searchRoutes(), a.ephemeralRoutes(), a.syncRoutes(),
		a.slidingSyncRoutes(),
	)
	return a, nil
}

// route is one endpoint.
type route struct {
	method string
	// path is a pattern of net/http: below /_matrix/client if it begins with a version, whole if it begins with
	// "/_matrix" or "/.". /v3/ also stands for /r0/, the prefix in earlier versions of the specification. Parameters
	// are unescaped one by one, so that they may contain any character.
	path   string
	handle handler
	open   bool // without an access token
}

// handler answers a request with a value that is written as JSON, or with an error.
type handler func(r *request) (any, error)

// register registers all routes with the multiplexer: one pattern for each path, whatever its methods.
func (a *API) register(groups ...[]route) {
	paths := map[string]map[string]route{}
	for _, group := range groups {
		for _, one := range group {
			for _, path := range one.paths() {
				if paths[path] == nil {
					paths[path] = map[string]route{}
				}
				paths[path][one.method] = one
			}
		}
	}
	for path, methods := range paths {
		a.mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, methods) })
	}
	a.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { a.answer(w, r, nil) })
}

func (r route) paths() []string {
	if rest, found := strings.CutPrefix(r.path, "/v3/"); found {
		return []string{"/_matrix/client/v3/" + rest, "/_matrix/client/r0/" + rest}
	}
	if strings.HasPrefix(r.path, "/_matrix/") || strings.HasPrefix(r.path, "/.") {
		return []string{r.path}
	}
	return []string{"/_matrix/client" + r.path}
}

func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// Web browsers let pages of any site use the API (client-server API, "Web Browser Clients").
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Access-Control-Allow-Methods", "GET, POST, PUT, DELETE, OPTIONS")
	header.Set("Access-Control-Allow-Headers", "X-Requested-With, Content-Type, Authorization")
	if r.Method == http.MethodOptions {
		w.WriteHeader(http.StatusOK)
		return
	}
	a.mux.ServeHTTP(w, r)
}

// answer calls the route of a method and writes the result.
func (a *API) answer(w http.ResponseWriter, r *http.Request, methods map[string]route) {
	result, err := a.handle(w, r, methods)
	if err != nil {
		a.writeError(w, r, err)
		return
	}
	if written, ok := result.(writer); ok {
		written.write(w)
		return
	}
	writeJSON(w, http.StatusOK, result)
}

func (a *API) handle(w http.ResponseWriter, r *http.Request, methods map[string]route) (result any, err error) {
	defer func() {
		if problem := recover(); problem != nil {
			stack := string(debug.Stack())
			a.Log.Error("a request made the server panic", "method", r.Method, "path", r.URL.Path, "panic", problem, "stack", stack)
			result, err = nil, fmt.Errorf("the server failed at this request: %v", problem)
		}
	}()
	if methods == nil {
		return nil, &rooms.Error{Status: http.StatusNotFound, Code: "M_UNRECOGNIZED", Text: "there is no endpoint " + r.URL.Path}
	}
	one, found := methods[r.Method]
	if !found {
		text := r.Method + " is not for " + r.URL.Path
		return nil, &rooms.Error{Status: http.StatusMethodNotAllowed, Code: "M_UNRECOGNIZED", Text: text}
	}
	asked := &request{Request: r, api: a, response: w}
	if !one.open {
		if err := asked.authenticate(); err != nil {
			return nil, err
		}
	}
	return one.handle(asked)
}

// writer is a response that is not JSON.
type writer interface{ write(w http.ResponseWriter) }

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(body) // the client may be gone
}

// empty is an empty response.
type empty struct{}

// object is a JSON object.
type object = map[string]any

// limitOf returns the parameter limit, at most 1000, or otherwise if it is absent.
func limitOf(text string, otherwise int) (int, error) {
	n, err := number(cmp.Or(text, fmt.Sprint(otherwise)), "limit")
	if err == nil && n < 0 {
		err = rooms.Bad("M_INVALID_PARAM", "limit is negative")
	}
	return int(min(n, 1000)), err
}
