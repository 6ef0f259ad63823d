package check

// How long the suite's own threads wait for a processor. That is what tells a busy machine: heartbeats do not, since who
// sleeps is run at once when it wakes, and the pressure of /proc/pressure is full as soon as every core has work.

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// queue measures how many times longer work takes on the machine than on an idle one: the time that the process's threads ran
// and waited to run, per time that they ran, over some seconds.
type queue struct {
	folder string // /proc/self/task; where there is none, nothing is measured
	last   map[string]turns
	recent turns
}

// turns are how long a thread ran, and how long it waited to run.
type turns struct{ ran, waited time.Duration }

// enough is how much a process must have run for a measurement.
const enough = 20 * time.Millisecond

// fade is how much of the earlier measurements the next one keeps.
const fade = 0.7

// look measures once more and returns the factor: 1 if the machine is idle, or does not tell.
func (q *queue) look() float64 {
	threads, _ := filepath.Glob(filepath.Join(q.folder, "*", "schedstat"))
	now := make(map[string]turns, len(threads))
	step := turns{}
	for _, thread := range threads {
		text, err := os.ReadFile(thread)
		if err != nil {
			continue // it has ended
		}
		var total turns
		if _, err := fmt.Sscan(string(text), &total.ran, &total.waited); err != nil {
			continue
		}
		now[thread] = total
		before := q.last[thread]
		step.ran += total.ran - before.ran
		step.waited += total.waited - before.waited
	}
	if q.last != nil {
		q.recent.ran = time.Duration(fade*float64(q.recent.ran)) + step.ran
		q.recent.waited = time.Duration(fade*float64(q.recent.waited)) + step.waited
	}
	q.last = now
	if q.recent.ran < enough {
		return 1
	}
	return float64(q.recent.ran+q.recent.waited) / float64(q.recent.ran)
}
