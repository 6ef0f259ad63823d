// Package runtime turns a candidate into running servers: as containers (runtime/docker) or as plain processes
// (runtime/process), behind one small interface. Both keep Complement's image contract: ports 8008 (plain client API)
// and 8448 (TLS federation), SERVER_NAME, the CA in /complement/ca, data that outlives a restart, ready when both ports
// answer (runtime/readiness).
package runtime

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"
)

// ErrNotPossible is returned (wrapped, with the reason) by what a runtime cannot do; the check is then not-run.
var ErrNotPossible = errors.New("not possible in this runtime")

// Runtime starts servers of one candidate for one run. Its methods are safe for use by several goroutines.
type Runtime interface {
	// Name is "docker" or "process".
	Name() string
	// Start starts one server and returns when it is ready. On failure nothing of it is left running and the error
	// is a *StartError.
	Start(ctx context.Context, options ServerOptions) (Server, error)
	// NewPeer hands out a server name for a peer that was never used in this run, and where its listener must be. The
	// caller closes its Socket.
	NewPeer() (PeerAddress, error)
	// Close removes everything that this run made in this runtime.
	Close(ctx context.Context) error
}

// Separated is a Runtime whose servers have networks of their own, from which peers may be out of reach.
type Separated interface {
	// TryPeer lets a program of the suite's own connect to a living peer, by its name, from where servers are. It returns an
	// *UnreachableError if the program cannot, and another error if it could not be run.
	TryPeer(ctx context.Context, name string) error
}

// UnreachableError says that no server can connect to peers, whatever the candidate does.
type UnreachableError struct {
	Tried   string   // what was tried, by what and where
	Problem string   // how it failed
	ToDo    []string // what can be done about it
}

// Error tells what to do below what was tried.
func (e *UnreachableError) Error() string {
	return "containers cannot connect to this process, so no candidate can federate with the peers that it plays: " +
		e.Tried + ": " + e.Problem + "\nWhat to do:\n- " + strings.Join(e.ToDo, "\n- ")
}

// ServerOptions say which server of which deployment to start.
type ServerOptions struct {
	Deployment string // unique in the run, a legal part of a host name: "d1"
	Host       string // the server's place in its blueprint: "hs1"
	// Ephemeral says that the server is started only once, and may keep data in memory: it is told so
	// (EphemeralVariable), and cannot be started again.
	Ephemeral bool
}

// EphemeralVariable is the environment variable that is "true" for a server that is started only once.
const EphemeralVariable = "MSC4014_EPHEMERAL"

// ErrEphemeral is returned (wrapped) when a server is to be started again that was told that it would not be.
var ErrEphemeral = errors.New("it was started to be started only once (ServerOptions.Ephemeral)")

// PeerAddress is where the candidates look for a peer: connections to Listen (host:port, TLS) whose SNI or Host is
// Name belong to it. Several peers may share one Listen address.
type PeerAddress struct {
	Name   string
	Listen string
	// Socket listens on Listen already, so that nothing else can take it; nil where peers share the address.
	Socket net.Listener
}

// Server is one homeserver of a deployment. Its methods are safe for use by several goroutines.
type Server interface {
	// Name is the server name, as in user IDs. Nothing may be assumed about what it looks like.
	Name() string
	// Host is the server's place in its blueprint: "hs1".
	Host() string
	// ClientURL is the base URL of its client-server API, "http://127.0.0.1:32768". Read it again after each start.
	ClientURL() string
	// FederationAddress is the host:port to dial, from the test process, for its federation API (TLS for Name).
	FederationAddress() string
	// Exited is closed when this start of the server ended without having been asked to. Start makes a new one.
	Exited() <-chan struct{}
	// Ending tells how the latest start ended, "exited with status 2", and whether it was killed from outside (SIGKILL);
	// "" while it runs.
	Ending() (text string, killed bool)
	// Log returns up to the last lines lines that the server wrote, oldest first; lines <= 0 means all.
	Log(lines int) string

	// Stop asks the server to end (SIGTERM, then SIGKILL after a grace period), keeping its data.
	Stop(ctx context.Context) error
	// Kill ends it at once (SIGKILL), keeping its data.
	Kill(ctx context.Context) error
	// Start starts a stopped or killed server with its data and returns when it is ready; one that is ephemeral it does
	// not (ErrEphemeral).
	Start(ctx context.Context) error
	// Pause freezes it; Resume lets it go on.
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	// CutOff disconnects it from the federation, clients do not notice; Rejoin connects it again.
	CutOff(ctx context.Context) error
	Rejoin(ctx context.Context) error
	// Remove ends it and removes its data.
	Remove(ctx context.Context) error
}

// Configured is a Server that can show the configuration which it runs with.
type Configured interface {
	// Configuration returns its file's name and text; both are empty where the candidate does not say where it is.
	Configuration(ctx context.Context) (name string, text []byte, err error)
}

// Contained is a Server that runs in a container.
type Contained interface {
	// ContainerID is the engine's ID of the container.
	ContainerID() string
}

// Imaged is a Server that is made of an image.
type Imaged interface {
	// ImageDigest is the digest of the image that it runs, whatever its name stands for by now: that of a repository, else
	// the engine's own ID of the image.
	ImageDigest(ctx context.Context) (string, error)
}

// StartError says that a server did not become ready, and why.
type StartError struct {
	Candidate string
	Server    string
	Waited    time.Duration
	Cause     string // "did not answer /versions within 30s", "exited with status 1"
	LogTail   string // the last lines of its log
}

// Error tells the whole story in one line and the log's end below it.
func (e *StartError) Error() string {
	text := fmt.Sprintf("%s (%s) %s", e.Candidate, e.Server, e.Cause)
	if e.LogTail == "" {
		return text + "; it wrote no log"
	}
	return text + "; last lines of its log:\n" + e.LogTail
}
