//go:build linux

// Command saboteur is the entry point of candidates that go wrong, for the suite's own tests: it starts the reference
// homeserver beside it on other ports, passes everything on, and on one request does what the name that it was called by
// says:
//
//	saboteur-exits        exits with status 2, without an answer
//	saboteur-exits-later  answers, and exits with status 2 a little later
//	saboteur-hangs        answers nothing any more, on no connection
//	saboteur-brackets     answers each /sync with 6 MB of opening brackets
//	saboteur-nested       answers each /sync with 20,000 objects in each other
//	saboteur-spaces       answers each /sync with 100 MB of spaces
//
// But for /sync, the request is createRoom with a room version that does not exist, which one check of the suite makes. Called
// saboteur-federates-later, it goes wrong on nothing, but opens its federation port 15 s after it answers clients, at each
// start. It keeps the image contract as the reference does (dockerfiles/reference), in a container and as a plain process.
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// realProgram is the candidate in health (dockerfiles/reference).
	realProgram = "reference"
	// triggerPath and triggerVersion make the request that goes wrong.
	triggerPath    = "/createRoom"
	triggerVersion = "org.matrix.msc4014.no-such-version"
	syncPath       = "/v3/sync"
	// later is how long a candidate that exits later goes on after its answer.
	later = 300 * time.Millisecond
	// laterFederation is how long after clients are answered the federation port opens, if it opens later.
	laterFederation = 15 * time.Second
	// portDistance lies between the ports of the contract and those of the real server.
	portDistance = 10000
)

// The kernel ends the child with the thread that started it: the main thread, which lives as long as the process.
func init() { runtime.LockOSThread() }

func main() {
	log.SetFlags(0)
	log.SetPrefix("saboteur: ")
	if err := run(strings.TrimPrefix(filepath.Base(os.Args[0]), "saboteur-")); err != nil {
		log.Fatal(err)
	}
}

func run(mode string) error {
	beside, err := os.Executable()
	if err != nil {
		return err
	}
	folder := or("MSC4014_PROGRAM_DIR", filepath.Dir(beside))
	clients, federation := or("MSC4014_HTTP_ADDRESS", ":8008"), or("MSC4014_HTTPS_ADDRESS", ":8448")
	realClients, err := behind(clients)
	if err != nil {
		return err
	}
	realFederation, err := behind(federation)
	if err != nil {
		return err
	}
	child := exec.Command(filepath.Join(folder, realProgram))
	child.Env = append(os.Environ(), "MSC4014_PROGRAM_DIR="+folder,
		"MSC4014_HTTP_ADDRESS="+realClients, "MSC4014_HTTPS_ADDRESS="+realFederation)
	child.Stdout, child.Stderr = os.Stdout, os.Stderr
	child.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := child.Start(); err != nil {
		return fmt.Errorf("start the real server: %w", err)
	}
	go passSignalsOn(child.Process)
	go func() {
		log.Fatal(http.ListenAndServe(clients, &saboteur{mode: mode, child: child.Process, real: proxy(realClients)}))
	}()
	go func() {
		if mode == "federates-later" {
			awaitClients(realClients)
			time.Sleep(laterFederation)
		}
		log.Fatal(passConnectionsOn(federation, realFederation))
	}()
	if err := child.Wait(); err != nil {
		return fmt.Errorf("the real server: %w", err)
	}
	return nil
}

// saboteur answers clients as the real server does, until the request comes.
type saboteur struct {
	mode  string
	child *os.Process
	real  http.Handler
}

func (s *saboteur) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if text := syncAnswers[s.mode]; text != nil && strings.HasSuffix(r.URL.Path, syncPath) {
		w.Header().Set("Content-Type", "application/json")
		text(w)
		return
	}
	// Read whole, so that the proxy has nothing left to read when the real server answers.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if !isTrigger(r, body) {
		s.real.ServeHTTP(w, r)
		return
	}
	switch s.mode {
	case "exits":
		crash()
	case "exits-later":
		s.real.ServeHTTP(w, r)
		time.AfterFunc(later, crash)
	case "hangs":
		// Everything goes through the child: what stands still there stands still here.
		_ = s.child.Signal(syscall.SIGSTOP)
		<-r.Context().Done()
	}
}

// syncAnswers write what /sync is answered with, by mode.
var syncAnswers = map[string]func(w io.Writer){
	"brackets": func(w io.Writer) { repeat(w, "[", 6<<20) },
	"nested":   func(w io.Writer) { repeat(w, `{"a":`, 20000); repeat(w, "0", 1); repeat(w, "}", 20000) },
	"spaces":   func(w io.Writer) { repeat(w, " ", 100<<20) },
}

// repeat writes a text many times, or until nobody reads any more.
func repeat(w io.Writer, text string, times int) {
	const atOnce = 10000
	for ; times > 0; times -= atOnce {
		if _, err := io.WriteString(w, strings.Repeat(text, min(times, atOnce))); err != nil {
			return
		}
	}
}

// crash ends like a Go program that panics; the child ends with it.
func crash() {
	log.Print("panic: a room version that nobody thought of")
	os.Exit(2)
}

// isTrigger reports whether a request with a body is the one on which the candidate goes wrong.
func isTrigger(r *http.Request, body []byte) bool {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, triggerPath) {
		return false
	}
	var asked struct {
		RoomVersion string `json:"room_version"`
	}
	return json.Unmarshal(body, &asked) == nil && asked.RoomVersion == triggerVersion
}

// proxy passes requests on to the real server; while that does not listen yet, the answer is 502.
func proxy(address string) http.Handler {
	passing := httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: address})
	passing.FlushInterval = -1
	passing.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) }
	return passing
}

// awaitClients returns when the real server answers clients.
func awaitClients(address string) {
	for {
		answer, err := http.Get("http://" + address + "/_matrix/client/versions")
		if err == nil {
			_ = answer.Body.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// passConnectionsOn passes connections on as they are: TLS ends in the real server.
func passConnectionsOn(from, to string) error {
	listener, err := net.Listen("tcp", from)
	if err != nil {
		return err
	}
	for {
		outer, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer func() { _ = outer.Close() }()
			inner, err := net.Dial("tcp", to)
			if err != nil {
				return
			}
			defer func() { _ = inner.Close() }()
			done := make(chan struct{}, 2)
			pass := func(to io.Writer, from io.Reader) { _, _ = io.Copy(to, from); done <- struct{}{} }
			go pass(inner, outer)
			go pass(outer, inner)
			<-done // either side has closed
		}()
	}
}

// passSignalsOn lets the real server end in order.
func passSignalsOn(child *os.Process) {
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, syscall.SIGTERM, syscall.SIGINT)
	for each := range asked {
		_ = child.Signal(each)
	}
}

// behind is where the real server listens: beside an address of the contract, on loopback.
func behind(address string) (string, error) {
	host, name, err := net.SplitHostPort(address)
	if err != nil {
		return "", err
	}
	port, err := net.LookupPort("tcp", name)
	if err != nil {
		return "", err
	}
	if host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, fmt.Sprint(port+portDistance)), nil
}

func or(name, otherwise string) string {
	if value := os.Getenv(name); value != "" {
		return value
	}
	return otherwise
}
