package stage

import (
	"context"
	"sync"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/runtime"
)

// Blueprint is a named starting state of a deployment; package blueprints has them all. Servers are shared with other
// checks unless Private, users and rooms are the check's alone.
type Blueprint struct {
	Name    string
	Servers int
	Private bool // for checks that stop, cut or break servers
	// Restarted servers keep their data in files: those of other blueprints cannot be started again.
	Restarted bool
}

// World is what a stage needs of the run. The runner's check.Deployments must implement it.
type World interface {
	// Lacks says why the servers of a blueprint cannot have pseudo-ID rooms, alone or together, "" if they can.
	Lacks(Blueprint) string
	// Format is how the candidate of hs1 spells events of pseudo-ID rooms.
	Format() pseudoid.Format
	// CutsOff reports whether servers can be cut off from the federation.
	CutsOff() bool
	// NewPeer makes a peer for the named check.
	NewPeer(check string, sink transcript.Sink, format pseudoid.Format) (*federation.Peer, error)
}

// Deployment is what a stage needs of servers that run together. Deployments of a World must implement it. Places of
// servers are counted from 0.
type Deployment interface {
	check.Deployment
	Server(place int) runtime.Server
	ClientAPI(place int) csapi.Server
	// Restart stops a server, by SIGKILL or politely, and starts it again with its data.
	Restart(ctx context.Context, place int, kill bool) error
	// Shared has what checks on the deployment share, by name.
	Shared() *sync.Map
}
