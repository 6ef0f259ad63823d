package check

// How long the suite's own threads wait for a processor. Only that shows how busy a machine is: heartbeats do not, because a
// thread that wakes up runs at once, nor does /proc/pressure, which is at its maximum as soon as every core has work.

import (
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// queue measures how many times longer work takes than on an idle machine: the time that the process's threads ran or waited
// to run, divided by the time that they ran, over some seconds.
type queue struct {
	folder string // /proc/self/task; if it does not exist, the result is always 1
	last   map[string]turns
	recent turns
}

// turns is how long a thread ran, and how long it waited to run.
type turns struct{ ran, waited time.Duration }

// enough is the least running time of the process that makes a measurement.
const enough = 20 * time.Millisecond

// decay is the weight of earlier measurements in the next one.
const decay = 0.7

// measure returns the factor over the last seconds; 1 if the machine is idle or there is nothing to measure.
func (q *queue) measure() float64 {
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
		q.recent.ran = time.Duration(decay*float64(q.recent.ran)) + step.ran
		q.recent.waited = time.Duration(decay*float64(q.recent.waited)) + step.waited
	}
	q.last = now
	if q.recent.ran < enough {
		return 1
	}
	return float64(q.recent.ran+q.recent.waited) / float64(q.recent.ran)
}
