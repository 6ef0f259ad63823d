package blueprints

import (
	"time"

	"msc4014/helpers/stage"
)

// Outage is a way to restart a server.
type Outage struct {
	Name      string
	Blueprint stage.Blueprint
	Kill      bool
}

// RestartTime is roughly how long a check takes that restarts a server.
const RestartTime = 15 * time.Second

// Outages lists all of them.
var Outages = []Outage{
	{"a restart", StoppedServer, false},
	{"SIGKILL and a start", KilledServer, true},
}
