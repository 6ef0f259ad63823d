package killed

// A second run, concurrent with those that are killed, on the same machine and of the same user.

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/report"
)

// neighbour performs one run after another until stop is called. Each must have the same results as the first, which ends
// before anything is killed.
type neighbour struct {
	project   *project
	arguments []string
	results   string
	status    int
	expected  map[string]verdict.Verdict
	stopping  chan struct{}
	done      chan struct{}
	runs      int
}

// settle performs the first run, and starts the others.
func (p *project) settle(t *testing.T, runtimeName string) *neighbour {
	t.Helper()
	n := &neighbour{project: p, results: t.TempDir(), stopping: make(chan struct{}), done: make(chan struct{})}
	n.arguments = []string{judged, "--runtime", runtimeName, "--run", "^(room-version|membership)/", "--parallel", "2", "--results", n.results}
	n.status, n.expected = n.run(t)
	require.NotEqual(t, 2, n.status)
	go func() {
		defer close(n.done)
		for {
			select {
			case <-n.stopping:
				return
			default:
			}
			status, verdicts := n.run(t)
			assert.Equal(t, n.status, status, "exit status of the concurrent run")
			assert.Equal(t, n.expected, verdicts, "verdicts of the concurrent run")
			n.runs++
		}
	}()
	return n
}

// run performs one run, and returns its exit status and its verdicts by check.
func (n *neighbour) run(t *testing.T) (int, map[string]verdict.Verdict) {
	made := n.project.start(t, "neighbour", false, nil, n.arguments...)
	<-made.ended
	results, err := report.Read(n.results)
	if !assert.NoError(t, err, made.said()) {
		return made.command.ProcessState.ExitCode(), nil
	}
	verdicts := map[string]verdict.Verdict{}
	for _, check := range results.Checks {
		verdicts[check.Name] = check.Verdict
	}
	if problem := filepath.Base(n.results); results.Incomplete != "" {
		assert.Fail(t, fmt.Sprintf("the concurrent run is incomplete: %s (%s)", results.Incomplete, problem))
	}
	return made.command.ProcessState.ExitCode(), verdicts
}

// stop waits for the current run, and ends the neighbour.
func (n *neighbour) stop(t *testing.T) {
	t.Helper()
	close(n.stopping)
	<-n.done
	assert.NotZero(t, n.runs)
	t.Logf("%d concurrent runs were not affected", n.runs)
}
