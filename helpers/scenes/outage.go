package scenes

import (
	"time"

	"msc4014/blueprints"
)

// Outage is one way in which a server goes away and comes back.
type Outage struct {
	Name      string
	Blueprint blueprints.Blueprint
	Kill      bool
}

// RestartTime is about how long a check takes that stops a server and starts it again.
const RestartTime = 15 * time.Second

var Outages = []Outage{
	{"a restart", blueprints.StoppedServer, false},
	{"SIGKILL and a start", blueprints.KilledServer, true},
}
