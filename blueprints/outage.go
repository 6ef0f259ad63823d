package blueprints

import (
	"time"

	"msc4014/helpers/stage"
)

// Outage is one way in which a server goes away and comes back.
type Outage struct {
	Name      string
	Blueprint stage.Blueprint
	Kill      bool
}

// RestartTime is about how long a check takes that stops a server and starts it again.
const RestartTime = 15 * time.Second

// Outages are all of them.
var Outages = []Outage{
	{"a restart", StoppedServer, false},
	{"SIGKILL and a start", KilledServer, true},
}
