// Package blueprints lists the blueprints of deployments and starts deployments of them: running servers, each with its own room
// for health checks.
package blueprints

import (
	"fmt"

	"msc4014/helpers/stage"
)

// The blueprints. The hosts of servers are hs1, hs2, ...; the runtime chooses their server names.
var (
	OneServer     = stage.OneServer
	TwoServers    = stage.TwoServers
	PrivateServer = stage.Blueprint{Name: "private server", Servers: 1, Private: true, Restarted: true}
	PrivatePair   = stage.Blueprint{Name: "private pair of servers", Servers: 2, Private: true}
	// InterruptedPair has servers that a check stops, or freezes, for a while.
	InterruptedPair = stage.Blueprint{Name: "private pair of servers that stop for a while", Servers: 2, Private: true, Restarted: true}
	// PresentServer sends presence, unlike OneServer.
	PresentServer = stage.Blueprint{Name: "server with presence", Servers: 1}
	// AttackedServer is for hostile input, which may crash it (check.C.Expendable).
	AttackedServer = stage.Blueprint{Name: "attacked server", Servers: 1}
	// ServingServer pushes to the application services stage.Everyone and stage.Bridge, if its image takes registrations.
	ServingServer = stage.Blueprint{Name: "server with application services", Servers: 1, Services: true}
	// DyingServer is for checks that look at it again after its death (check.C.Expendable).
	DyingServer = stage.Blueprint{Name: "server that may die", Servers: 1, Restarted: true}
	// Each of these is restarted once, in a scene that its checks share; no other check may use them.
	StoppedServer = stage.Blueprint{Name: "server stopped and started again", Servers: 1, Restarted: true}
	KilledServer  = stage.Blueprint{Name: "server killed and started again", Servers: 1, Restarted: true}
)

// All lists the blueprints.
var All = []stage.Blueprint{OneServer, TwoServers, PrivateServer, PrivatePair, InterruptedPair, PresentServer, AttackedServer, ServingServer, DyingServer, StoppedServer, KilledServer}

// byName returns the blueprint of that name.
func byName(name string) (stage.Blueprint, error) {
	for _, each := range All {
		if each.Name == name {
			return each, nil
		}
	}
	return stage.Blueprint{}, fmt.Errorf("no blueprint is named %q", name)
}
