package live

// The server of the live page: on loopback only, for browsers that ask it by a name of loopback.

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"msc4014/report"
	"msc4014/report/page"
)

var (
	//go:embed assets/live.html
	pageTemplate string
	//go:embed assets/live.css
	pageStyle string
	//go:embed assets/live.js
	pageScript string
)

// The server's own bounds.
const (
	lookEvery   = 400 * time.Millisecond
	pingEvery   = 15 * time.Second
	mostStreams = 32
)

// Server serves the live page of results folders. New makes it; Serve serves until its context is done.
type Server struct {
	listener net.Listener
	folders  []string

	mu        sync.Mutex
	followers []*follower
	report    []byte // of the results in reportOf
	reportOf  string
	streams   int
}

// New listens on a port of loopback, 0 for a free one, for the live page of results folders. Close Serve's context to end it.
func New(ctx context.Context, port int, folders []string) (*Server, error) {
	var listening net.ListenConfig
	listener, err := listening.Listen(ctx, "tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("another program uses port %d; name another with --port, or leave that out for a free one", port)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot serve the live page: %w", err)
	}
	s := &Server{listener: listener, folders: folders}
	for _, folder := range folders {
		s.followers = append(s.followers, newFollower(folder))
	}
	return s, nil
}

// URL returns the address of the live page.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() + "/" }

// Serve serves until ctx is done.
func (s *Server) Serve(ctx context.Context) error {
	server := &http.Server{
		Handler: s.handler(), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 64 << 10,
		BaseContext: func(net.Listener) context.Context { return ctx }, // which ends the streams
	}
	defer context.AfterFunc(ctx, func() { _ = server.Close() })()
	if err := server.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot serve the live page: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, each := range s.followers {
		each.close()
	}
	return nil
}

// handler returns the server's routes.
func (s *Server) handler() http.Handler {
	routes := http.NewServeMux()
	routes.HandleFunc("GET /{$}", s.page)
	routes.HandleFunc("GET /events", s.events)
	routes.HandleFunc("GET /report.html", s.wholeReport)
	routes.HandleFunc("GET /results/{number}/{file...}", s.evidence)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// A page from elsewhere must not read results through a name that it made lead here.
		host := r.Host
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		if address := net.ParseIP(strings.Trim(host, "[]")); host != "localhost" && (address == nil || !address.IsLoopback()) {
			http.Error(w, "this server answers by names of loopback only", http.StatusForbidden)
			return
		}
		for name, value := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer", "Cache-Control": "no-store", "X-Frame-Options": "DENY",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			w.Header().Set(name, value)
		}
		routes.ServeHTTP(w, r)
	})
}

var parsed = template.Must(template.New("live").Parse(pageTemplate))

// page serves the live page; if no run goes, it leads to the report.
func (s *Server) page(w http.ResponseWriter, r *http.Request) {
	if states, err := s.look(); err == nil && over(states) {
		http.Redirect(w, r, "/report.html", http.StatusFound)
		return
	}
	digest := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	policy := "default-src 'none'; connect-src 'self'; style-src " + digest(pageStyle) + "; script-src " + digest(pageScript) + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	w.Header().Set("Content-Security-Policy", policy)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_ = parsed.Execute(w, struct {
		Style  template.CSS
		Script template.JS
	}{template.CSS(pageStyle), template.JS(pageScript)})
}

// over reports whether no run goes any more.
func over(states []state) bool {
	for _, each := range states {
		if each.Phase != ended && each.Phase != brokeOff {
			return false
		}
	}
	return true
}

// look returns the states of all runs.
func (s *Server) look() ([]state, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	states := make([]state, 0, len(s.followers))
	for _, each := range s.followers {
		if err := each.update(); err != nil {
			return nil, err
		}
		states = append(states, each.state())
	}
	return states, nil
}

// events sends the states of all runs whenever they change, as server-sent events. After an event "over" nothing follows.
func (s *Server) events(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	many := s.streams >= mostStreams
	if !many {
		s.streams++
	}
	s.mu.Unlock()
	if many {
		http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
		return
	}
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.streams--
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	control := http.NewResponseController(w)
	ticks := time.NewTicker(lookEvery)
	defer ticks.Stop()
	var last []byte
	sent := time.Now()
	for {
		states, err := s.look()
		kind, data := "state", []byte(nil)
		if err != nil {
			kind, data = "problem", []byte(strconv.Quote(err.Error()))
		} else if data, err = json.Marshal(states); err != nil {
			return
		}
		text := ""
		switch {
		case !bytes.Equal(data, last):
			text = fmt.Sprintf("event: %s\ndata: %s\n\n", kind, data)
			last = data
		case time.Since(sent) >= pingEvery:
			text = ": still there\n\n"
		}
		if kind == "state" && over(states) {
			text += "event: over\ndata: {}\n\n"
		}
		if text != "" {
			if _, err := io.WriteString(w, text); err != nil || control.Flush() != nil {
				return
			}
			sent = time.Now()
		}
		if kind == "state" && over(states) {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-ticks.C:
		}
	}
}

// wholeReport serves the report over the folders that have results.
func (s *Server) wholeReport(w http.ResponseWriter, _ *http.Request) {
	var sources []page.Source
	var of strings.Builder
	for i, folder := range s.folders {
		results, err := report.Read(folder)
		if err != nil || report.Unended(results) {
			continue
		}
		sources = append(sources, page.Source{Results: results, Folder: folder, Link: fmt.Sprintf("results/%d/", i)})
		_, _ = fmt.Fprintln(&of, i, results.Started, results.DurationMS)
	}
	if len(sources) == 0 {
		http.Error(w, "there are no results yet", http.StatusNotFound)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reportOf != of.String() {
		var text bytes.Buffer
		if err := page.New(sources).WriteHTML(&text); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		s.report, s.reportOf = text.Bytes(), of.String()
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(s.report)
}

// evidence serves a file of a results folder to which the report has links. Texts of servers are in it: no browser may take it for a page.
func (s *Server) evidence(w http.ResponseWriter, r *http.Request) {
	number, err := strconv.Atoi(r.PathValue("number"))
	name := r.PathValue("file")
	top, _, inside := strings.Cut(name, "/")
	known := inside && (top == report.ChecksFolder || top == report.ConfigurationFolder) || name == report.ResultsFile || name == report.JUnitFile
	if err != nil || number < 0 || number >= len(s.folders) || !known {
		http.NotFound(w, r)
		return
	}
	root, err := os.OpenRoot(s.folders[number])
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer func() { _ = root.Close() }()
	opened, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	defer func() { _ = opened.Close() }()
	info, err := opened.Stat()
	if err != nil || !info.Mode().IsRegular() {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if strings.HasSuffix(name, ".har") {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Content-Disposition", "attachment") // developer tools open it
	}
	_, _ = io.Copy(w, opened)
}
