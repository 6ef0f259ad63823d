package runtime_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/runtime"
)

func TestUnreachablePeersAreToldWithWhatToDo(t *testing.T) {
	err := &runtime.UnreachableError{
		Tried: "a container could not connect to peer1:8448", Problem: "i/o timeout", ToDo: []string{"allow it in the firewall", "use plain processes"},
	}
	assert.EqualError(t, err, "containers cannot connect to this process, so candidates cannot federate with its peers: "+
		"a container could not connect to peer1:8448: i/o timeout\n"+
		"What to do:\n- allow it in the firewall\n- use plain processes")
}

func TestOnlyALateStartTookTime(t *testing.T) {
	assert.Equal(t, 30*time.Second, (&runtime.StartError{Waited: 30 * time.Second, Late: true}).Took())
	assert.Zero(t, (&runtime.StartError{Waited: 30 * time.Second}).Took(), "it exited")
}
