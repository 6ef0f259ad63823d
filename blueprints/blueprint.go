// Package blueprints holds the starting states that checks ask for, and makes deployments of them: servers that run,
// each with a healthy room of its own by which its health is told.
package blueprints

import "fmt"

// Blueprint is a named starting state of a deployment. Users and rooms of a check are its own; servers are shared
// with other checks unless Private.
type Blueprint struct {
	Name    string
	Servers int
	Private bool // for checks that stop, cut or break servers
	// Restarted servers keep their data in files: those of other blueprints cannot be started again.
	Restarted bool
}

// The blueprints. Servers are named hs1, hs2, ... by place; what their server names look like is the runtime's affair.
var (
	OneServer     = Blueprint{Name: "one server", Servers: 1}
	TwoServers    = Blueprint{Name: "two servers", Servers: 2}
	PrivateServer = Blueprint{Name: "private server", Servers: 1, Private: true, Restarted: true}
	PrivatePair   = Blueprint{Name: "private pair of servers", Servers: 2, Private: true}
	// AttackedServer is for hostile input, which it may die of (check.C.Expendable).
	AttackedServer = Blueprint{Name: "attacked server", Servers: 1}
	// Each of these is restarted once, in a scene that all checks on it share; no other check may stand on them.
	StoppedServer = Blueprint{Name: "server stopped and started again", Servers: 1, Restarted: true}
	KilledServer  = Blueprint{Name: "server killed and started again", Servers: 1, Restarted: true}
)

// All lists the blueprints.
var All = []Blueprint{OneServer, TwoServers, PrivateServer, PrivatePair, AttackedServer, StoppedServer, KilledServer}

// ByName finds a blueprint.
func ByName(name string) (Blueprint, error) {
	for _, each := range All {
		if each.Name == name {
			return each, nil
		}
	}
	return Blueprint{}, fmt.Errorf("no blueprint is named %q", name)
}
