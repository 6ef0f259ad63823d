// Package blueprints holds the starting states that checks ask for, and makes deployments of them: servers that run,
// each with a room of its own in which its health is checked.
package blueprints

import (
	"fmt"

	"msc4014/helpers/stage"
)

// The blueprints. Servers are named hs1, hs2, ... by place; their server names are up to the runtime.
var (
	OneServer     = stage.OneServer
	TwoServers    = stage.TwoServers
	PrivateServer = stage.Blueprint{Name: "private server", Servers: 1, Private: true, Restarted: true}
	PrivatePair   = stage.Blueprint{Name: "private pair of servers", Servers: 2, Private: true}
	// AttackedServer is for hostile input, which may crash it (check.C.Expendable).
	AttackedServer = stage.Blueprint{Name: "attacked server", Servers: 1}
	// Each of these is restarted once, in a scene that all its checks share; no other check may use them.
	StoppedServer = stage.Blueprint{Name: "server stopped and started again", Servers: 1, Restarted: true}
	KilledServer  = stage.Blueprint{Name: "server killed and started again", Servers: 1, Restarted: true}
)

// All lists the blueprints.
var All = []stage.Blueprint{OneServer, TwoServers, PrivateServer, PrivatePair, AttackedServer, StoppedServer, KilledServer}

// ByName finds a blueprint.
func ByName(name string) (stage.Blueprint, error) {
	for _, each := range All {
		if each.Name == name {
			return each, nil
		}
	}
	return stage.Blueprint{}, fmt.Errorf("no blueprint is named %q", name)
}
