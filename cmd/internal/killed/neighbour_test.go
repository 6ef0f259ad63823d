package killed

// A second run beside those that are killed, on the same machine, of the same user.

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/report"
)

// neighbour makes one run after another until stop is called; each must come to what the first one came to, which is
// made before anything is killed.
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

// settle makes the first run and begins the others.
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
			assert.Equal(t, n.status, status, "exit status of the run beside")
			assert.Equal(t, n.expected, verdicts, "verdicts of the run beside")
			n.runs++
		}
	}()
	return n
}

// run makes one run and returns its exit status and verdicts by check.
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
		assert.Fail(t, fmt.Sprintf("the run beside is incomplete: %s (%s)", results.Incomplete, problem))
	}
	return made.command.ProcessState.ExitCode(), verdicts
}

// stop waits for the run under way and ends the neighbour.
func (n *neighbour) stop(t *testing.T) {
	t.Helper()
	close(n.stopping)
	<-n.done
	assert.NotZero(t, n.runs)
	t.Logf("%d runs beside were untouched", n.runs)
}
