package session

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/runtime/candidate"
	"msc4014/runtime/docker/engine/enginetest"
)

func TestOnlyStepsOfInterruptedBuildsAreRemoved(t *testing.T) {
	isolate(t)
	long := time.Now().Add(-longestStep - time.Minute)
	built := map[string]string{candidate.Label: "reference"} // what is made from such an image has its label
	fake := enginetest.Start(t,
		enginetest.Object{Kind: "container", Name: "interrupted-step", Image: "f00dfacecafe", Labels: built, Created: long},
		enginetest.Object{Kind: "container", Name: "step-under-way", Image: "f00dfacecafe", Labels: built},
		enginetest.Object{Kind: "container", Name: "somebodys-server", Image: "msc4014/reference:f00dfacecafe", Labels: built, Created: long},
	)
	clean(t)
	assert.Equal(t, []string{"somebodys-server", "step-under-way"}, fake.Names())
}
