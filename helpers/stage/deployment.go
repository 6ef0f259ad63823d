package stage

import (
	"context"
	"sync"

	"msc4014/helpers/appservice"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/formats"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/runtime"
)

// Blueprint is a named kind of deployment; package blueprints lists them all. Unless Private, checks share the servers, but not users
// and rooms.
type Blueprint struct {
	Name    string
	Servers int
	Private bool // for checks that stop, cut or break servers
	// Restarted servers keep their data in files; others cannot be restarted.
	Restarted bool
	// NoPresence says that no check judges what servers send each other of presence, so that they may leave it out.
	NoPresence bool
	// Services says that the servers are given the registrations of application services, which the suite plays.
	Services bool
}

// World is what a stage needs from the run. The runner's check.Deployments must implement it.
type World interface {
	// Lacks says why the servers of a blueprint do not support pseudo-ID rooms, alone or together; "" if they do.
	Lacks(Blueprint) string
	// InvitesElsewhere is the path to which the candidate of hs1 sends invites of other servers' users; "" if peers complete them there.
	InvitesElsewhere() string
	// OnVersion12 says what shows that pseudo-ID rooms of the candidate of hs1 build on room version 12, which Lacks says, too; "" if
	// nothing does.
	OnVersion12() string
	// Format returns the event format of pseudo-ID rooms of the candidate of hs1.
	Format() pseudoid.Format
	// Unseen returns why no event of the candidate of hs1 showed a part of the format, "" if one did.
	Unseen(formats.Part) string
	// CutsOff reports whether servers can be cut off from the federation.
	CutsOff() bool
	// WithoutClients says why real client software cannot be started; "" if it can.
	WithoutClients() string
	// StartClient starts a program of the image of real clients as a client of a server.
	StartClient(ctx context.Context, server runtime.Server, program ...string) (runtime.Client, error)
	// NewPeer starts a peer for the named check.
	NewPeer(check string, sink transcript.Sink, format pseudoid.Format) (*federation.Peer, error)
}

// Deployment is what a stage needs from a deployment. Deployments of a World must implement it. Places of servers are counted from
// 0.
type Deployment interface {
	check.Deployment
	Server(place int) runtime.Server
	ClientAPI(place int) csapi.Server
	// Restart stops a server, by SIGKILL if kill, calls meanwhile, which may be nil, and starts the server again with its data.
	Restart(ctx context.Context, place int, kill bool, meanwhile func()) error
	// CutOff disconnects a server from the federation, but not from clients; Rejoin connects it again.
	CutOff(ctx context.Context, place int) error
	Rejoin(ctx context.Context, place int) error
	// Services returns the application services of its server; nil unless the blueprint has some.
	Services() *appservice.Host
	// Shared returns what checks on the deployment share, by name (Scene).
	Shared() *sync.Map
}
