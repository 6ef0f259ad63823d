// Package enginetest has a fake container engine for tests. It lists and removes the objects and images that a test gives
// it.
package enginetest

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/docker/docker/api/types/filters"
)

// Object is a container, network, volume or image.
type Object struct {
	Kind   string // "container", "network", "volume" or "image"
	Name   string // also its ID; an image's tag
	Labels map[string]string
	Image  string // a container's: the tag of an image
	// Created is when it was created, by default one hour ago.
	Created time.Time
	Running bool
}

// Engine is an engine that answers at DOCKER_HOST until the test ends.
type Engine struct {
	mutex   sync.Mutex
	objects []Object
	pruning bool
	pulls   http.HandlerFunc
	answers map[string]any
}

// Start starts an engine with objects and points DOCKER_HOST at it.
func Start(t *testing.T, objects ...Object) *Engine {
	t.Helper()
	e := &Engine{objects: objects}
	server := httptest.NewServer(e)
	t.Cleanup(server.Close)
	t.Setenv("DOCKER_HOST", "tcp://"+server.Listener.Addr().String())
	t.Setenv("DOCKER_TLS_VERIFY", "")
	return e
}

// Prunes makes the engine refuse to prune images, as if it were pruning them for another client.
func (e *Engine) Prunes() {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.pruning = true
}

// Pulls makes the engine answer requests to pull an image with pulls, which may add the image. By default, pulling fails.
func (e *Engine) Pulls(pulls http.HandlerFunc) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.pulls = pulls
}

// Answers makes the engine answer requests to an API path, such as "/info", with body as JSON.
func (e *Engine) Answers(path string, body any) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.answers == nil {
		e.answers = map[string]any{}
	}
	e.answers[path] = body
}

// Add adds an object to the engine.
func (e *Engine) Add(object Object) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	e.objects = append(e.objects, object)
}

// Names returns the names of all objects, sorted.
func (e *Engine) Names() []string {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	names := []string{}
	for _, object := range e.objects {
		names = append(names, object.Name)
	}
	slices.Sort(names)
	return names
}

// route matches an API path: the kind, and the name of one object.
var route = regexp.MustCompile(`^(?:/v[0-9.]+)?/(containers|networks|volumes|images)(?:/(.+?))?(?:/json)?$`)

// version matches the version with which an API path begins.
var version = regexp.MustCompile(`^/v[0-9.]+`)

// ServeHTTP answers the requests of a client of the engine.
func (e *Engine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	e.mutex.Lock()
	if pulls := e.pulls; pulls != nil && strings.HasSuffix(r.URL.Path, "/images/create") {
		e.mutex.Unlock()
		pulls(w, r)
		return
	}
	defer e.mutex.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Api-Version", "1.41")
	answer := func(status int, body any) {
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(body)
	}
	path := route.FindStringSubmatch(r.URL.Path)
	body, given := e.answers[version.ReplaceAllString(r.URL.Path, "")]
	switch {
	case given:
		answer(http.StatusOK, body)
	case strings.HasSuffix(r.URL.Path, "/_ping"):
		answer(http.StatusOK, "OK")
	case strings.HasSuffix(r.URL.Path, "/version"):
		answer(http.StatusOK, map[string]string{"Version": "20.10.0", "ApiVersion": "1.41", "Os": "linux", "Arch": "amd64"})
	case strings.HasSuffix(r.URL.Path, "/images/prune") && e.pruning:
		answer(http.StatusConflict, map[string]string{"message": "a prune operation is already running"})
	case strings.HasSuffix(r.URL.Path, "/images/prune"):
		answer(http.StatusOK, map[string]any{})
	case path == nil:
		answer(http.StatusNotImplemented, map[string]string{"message": "the fake engine does not support " + r.URL.Path})
	case path[2] == "" || path[2] == "json":
		selected, err := filters.FromJSON(r.URL.Query().Get("filters"))
		if err != nil {
			answer(http.StatusBadRequest, map[string]string{"message": err.Error()})
			return
		}
		answer(http.StatusOK, e.list(strings.TrimSuffix(path[1], "s"), selected))
	default:
		index := slices.IndexFunc(e.objects, func(o Object) bool { return o.Kind+"s" == path[1] && o.Name == path[2] })
		if index < 0 {
			answer(http.StatusNotFound, map[string]string{"message": "no such " + path[1]})
			return
		}
		found := e.objects[index]
		if r.Method == http.MethodDelete {
			e.objects = slices.Delete(e.objects, index, index+1)
			answer(http.StatusOK, []any{})
			return
		}
		answer(http.StatusOK, described(found))
	}
}

// list returns descriptions of the objects of a kind.
func (e *Engine) list(kind string, selected filters.Args) any {
	all := []map[string]any{}
	for _, object := range e.objects {
		if object.Kind == kind && selected.MatchKVList("label", object.Labels) {
			all = append(all, described(object))
		}
	}
	if kind == "volume" {
		return map[string]any{"Volumes": all}
	}
	return all
}

func described(object Object) map[string]any {
	created := object.Created
	if created.IsZero() {
		created = time.Now().Add(-time.Hour)
	}
	description := map[string]any{"Id": object.Name, "Name": object.Name, "Labels": object.Labels}
	switch object.Kind {
	case "container":
		description["Created"], description["Names"] = created.Unix(), []string{"/" + object.Name}
		description["Image"], description["ImageID"], description["State"] = object.Image, object.Image, "exited"
		if object.Running {
			description["State"] = "running"
		}
	case "network":
		description["Created"], description["Containers"] = created, map[string]any{}
	case "volume":
		description["CreatedAt"] = created.UTC().Format(time.RFC3339)
	case "image":
		description["RepoTags"] = []string{object.Name}
		description["Config"] = map[string]any{"Labels": object.Labels}
	}
	return description
}
