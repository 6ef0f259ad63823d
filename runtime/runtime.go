// Package runtime turns a candidate into running servers: as containers (runtime/docker) or as plain processes
// (runtime/process), behind one small interface. Both follow Complement's image contract: ports 8008 (plain client API)
// and 8448 (TLS federation), SERVER_NAME, the CA in /complement/ca, data that survives a restart, ready when both ports
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

// ErrNotPossible is returned (wrapped, with the reason) for what a runtime cannot do; the check is then not-run.
var ErrNotPossible = errors.New("not possible in this runtime")

// Runtime starts servers of one candidate for one run. Its methods are safe for use by several goroutines.
type Runtime interface {
	// Name is "docker" or "process".
	Name() string
	// Start starts one server and returns when it is ready. On failure it leaves nothing running and the error is a
	// *StartError.
	Start(ctx context.Context, options ServerOptions) (Server, error)
	// NewPeer returns a server name for a peer that was never used in this run, and where its listener must be. The
	// caller closes its Socket.
	NewPeer() (PeerAddress, error)
	// Close removes everything that this run created in this runtime.
	Close(ctx context.Context) error
}

// Separated is a Runtime whose servers have their own networks, from which peers may be unreachable.
type Separated interface {
	// TryPeer runs a program of the suite where servers run, which connects to a running peer by its name. It returns an
	// *UnreachableError if the program cannot connect, and another error if the program could not be run.
	TryPeer(ctx context.Context, name string) error
}

// Engined is a Runtime that uses a container engine.
type Engined interface {
	// EngineVersion returns the version of the engine, and that of its API which is in use.
	EngineVersion(ctx context.Context) (version, apiVersion string, err error)
}

// UnreachableError says that no server can connect to peers, whatever the candidate does.
type UnreachableError struct {
	Tried   string   // what was tried, by what and where
	Problem string   // how it failed
	ToDo    []string // what can be done about it
}

// Error says what was tried, and below that what to do.
func (e *UnreachableError) Error() string {
	return "containers cannot connect to this process, so candidates cannot federate with its peers: " +
		e.Tried + ": " + e.Problem + "\nWhat to do:\n- " + strings.Join(e.ToDo, "\n- ")
}

// ServerOptions say which server of which deployment to start.
type ServerOptions struct {
	Deployment string // unique in the run, a legal part of a host name: "d1"
	Host       string // the server's place in its blueprint: "hs1"
	// Ephemeral says that the server is started only once and may keep its data in memory. The server learns this from
	// EphemeralVariable, and cannot be started again.
	Ephemeral bool
	// NoPresence says that the server need not send presence to others. The server learns this from PresenceVariable.
	NoPresence bool
	// Registrations are the registration files of application services that the server finds in RegistrationsDir when it starts, by
	// name: "bridge.yaml". Whether it reads them is up to the candidate.
	Registrations map[string][]byte
}

// RegistrationsDir is where Complement's image contract has the registrations of application services; for plain processes it is the
// folder that RegistrationsVariable names. Without registrations it does not exist.
const (
	RegistrationsDir      = "/complement/appservice"
	RegistrationsVariable = "MSC4014_APPSERVICE_DIR"
)

// EphemeralVariable is the environment variable that is "true" for a server that is started only once.
const EphemeralVariable = "MSC4014_EPHEMERAL"

// PresenceVariable is the environment variable that is "false" for a server that need not send presence to other servers.
const PresenceVariable = "MSC4014_PRESENCE"

// Variables are those that the servers' entry points read. The suite sets most of them itself.
var Variables = []string{
	RegistrationsVariable, "MSC4014_CA_DIR", "MSC4014_DATA_DIR", EphemeralVariable, "MSC4014_HTTPS_ADDRESS", "MSC4014_HTTP_ADDRESS", "MSC4014_LOG_LEVEL",
	PresenceVariable, "MSC4014_PROGRAM_DIR", "MSC4014_REFERENCE_DIALECT", "MSC4014_REFERENCE_FAULT", "MSC4014_REFERENCE_MUTANT",
	"MSC4014_REFERENCE_MUTANTS_REACHED", "MSC4014_REFERENCE_READINGS",
}

// ErrEphemeral is returned (wrapped) by an attempt to restart an ephemeral server.
var ErrEphemeral = errors.New("an ephemeral server cannot be restarted (ServerOptions.Ephemeral)")

// PeerAddress is where candidates find a peer: connections to Listen (host:port, TLS) whose SNI or Host is Name belong
// to it. Several peers may share one Listen address.
type PeerAddress struct {
	Name   string
	Listen string
	// Socket already listens on Listen, so that nothing else can take it; nil where peers share the address.
	Socket net.Listener
}

// Server is one homeserver of a deployment. Its methods are safe for use by several goroutines.
type Server interface {
	// Name is the server name, as in user IDs. Nothing may be assumed about its form.
	Name() string
	// Host is the server's place in its blueprint: "hs1".
	Host() string
	// ClientURL is the base URL of its client-server API, "http://127.0.0.1:32768". Read it again after each start.
	ClientURL() string
	// FederationAddress is the host:port to dial, from the test process, for its federation API (TLS for Name).
	FederationAddress() string
	// Exited is closed when the server exits unexpectedly. Start makes a new channel.
	Exited() <-chan struct{}
	// Ending returns how the server last ended, "exited with status 2", and whether it was killed from outside
	// (SIGKILL); "" while it runs.
	Ending() (text string, killed bool)
	// Log returns at most the given number of lines, the last that the server wrote, oldest first; lines <= 0 means all.
	Log(lines int) string

	// Stop stops the server (SIGTERM, then SIGKILL after a grace period), keeping its data.
	Stop(ctx context.Context) error
	// Kill kills it (SIGKILL), keeping its data.
	Kill(ctx context.Context) error
	// Start starts a stopped or killed server with its data and returns when it is ready. It refuses to start an
	// ephemeral server (ErrEphemeral).
	Start(ctx context.Context) error
	// Pause freezes it; Resume lets it continue.
	Pause(ctx context.Context) error
	Resume(ctx context.Context) error
	// CutOff disconnects it from the federation, but not from clients; Rejoin connects it again.
	CutOff(ctx context.Context) error
	Rejoin(ctx context.Context) error
	// Remove stops it and removes its data.
	Remove(ctx context.Context) error
}

// Configured is a Server that can show the configuration that it runs with.
type Configured interface {
	// Configuration returns the file's name and text; both are empty if the candidate does not say where the file is.
	Configuration(ctx context.Context) (name string, text []byte, err error)
}

// Contained is a Server that runs in a container.
type Contained interface {
	// ContainerID is the engine's ID of the container.
	ContainerID() string
}

// Imaged is a Server that is made from an image.
type Imaged interface {
	// ImageDigest returns the digest of the image that it runs, even if the image's name has since moved to another one:
	// the repository's digest, else the engine's own ID of the image.
	ImageDigest(ctx context.Context) (string, error)
}

// StartError says that a server did not become ready, and why.
type StartError struct {
	Candidate string
	Server    string
	Waited    time.Duration
	Late      bool   // it ran, but was not ready in time
	Cause     string // "did not answer /versions within 30s", "exited with status 1"
	LogTail   string // the last lines of its log
}

// Error returns one line that says what failed, followed by the last lines of the log.
func (e *StartError) Error() string {
	text := fmt.Sprintf("%s (%s) %s", e.Candidate, e.Server, e.Cause)
	if e.LogTail == "" {
		return text + "; it wrote no log"
	}
	return text + "; last lines of its log:\n" + e.LogTail
}

// Took returns for how long, in wall time, the start waited for a server that was late; 0 if it failed otherwise.
func (e *StartError) Took() time.Duration {
	if e.Late {
		return e.Waited
	}
	return 0
}
