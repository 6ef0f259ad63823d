package run

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime"
)

func TestRealClientsAreMadeReadyOnlyIfWanted(t *testing.T) {
	for name, test := range map[string]struct {
		wanted  bool
		runtime string
		made    int
	}{
		"wanted":       {true, "docker", 1},
		"not wanted":   {false, "docker", 0},
		"no container": {true, "process", 0},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
			b.Engine = func(context.Context) error { return nil }
			made := 0
			b.Clients = func(context.Context, func(string)) (runtime.Artifact, error) {
				made++
				return runtime.Artifact{Image: "clients"}, nil
			}
			asked := options("dendrite")
			asked.WithClients, asked.Runtime = test.wanted, test.runtime
			status, err := b.Run(context.Background(), asked)
			require.NoError(t, err)
			assert.Equal(t, StatusExpected, status, b.out.String())
			assert.Equal(t, test.made, made)
		})
	}
}

func TestWithoutTheImageOfRealClientsNoRunIsMade(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
	b.Engine = func(context.Context) error { return nil }
	b.Clients = func(context.Context, func(string)) (runtime.Artifact, error) {
		return runtime.Artifact{}, errors.New("no registry answered")
	}
	asked := options("dendrite")
	asked.WithClients = true
	status, err := b.Run(context.Background(), asked)
	assert.Equal(t, StatusCannot, status)
	assert.ErrorContains(t, err, "no registry answered")
}
