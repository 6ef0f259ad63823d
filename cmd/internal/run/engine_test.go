package run

import (
	"context"
	"errors"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAnEngineThatIsNamedMustAnswer(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
	b.Engine = func(context.Context) error {
		return errors.New("no container engine answers at tcp://127.0.0.1:1; start it")
	}
	b.Environment = func(name string) string { return map[string]string{"DOCKER_HOST": "tcp://127.0.0.1:1"}[name] }
	status, err := b.Run(context.Background(), options("dendrite"))
	assert.Equal(t, StatusCannot, status)
	assert.EqualError(t, err, "DOCKER_HOST=tcp://127.0.0.1:1: no container engine answers at tcp://127.0.0.1:1; start it; "+
		"or run without containers (--runtime process)")
	assertNoVerdicts(t, filepath.Join(b.Root, "results"))

	asked := options("dendrite")
	asked.Runtime = "process"
	status, err = b.Run(context.Background(), asked)
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status, "which needs no engine")

	b.Environment = func(string) string { return "" }
	status, err = b.Run(context.Background(), options("dendrite"))
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status)
	assert.Contains(t, b.out.String(), "servers run as plain processes: no container engine answers")
}

func TestAContextNamesAnEngine(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
	b.Engine = func(context.Context) error { return errors.New("contexts are not read") }
	b.Environment = func(name string) string { return map[string]string{"DOCKER_CONTEXT": "remote"}[name] }
	status, err := b.Run(context.Background(), options("dendrite"))
	assert.Equal(t, StatusCannot, status)
	assert.EqualError(t, err, "DOCKER_CONTEXT=remote: contexts are not read; or run without containers (--runtime process)")
}
