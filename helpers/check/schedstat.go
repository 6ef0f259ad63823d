package check

// How long the suite's own threads wait for a processor. Only that shows how busy a machine is: heartbeats do not, because a
// thread that wakes up runs at once, nor does /proc/pressure, which is at its maximum as soon as every core has work.

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
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
	threads := namesIn(q.folder)
	now := make(map[string]turns, len(threads))
	step := turns{}
	for _, thread := range threads {
		text, err := os.ReadFile(filepath.Join(q.folder, thread, "schedstat"))
		if err != nil {
			continue // it has ended
		}
		total, ok := parseTurns(text)
		if !ok {
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

// namesIn returns what is in a folder, as far as it can be read: os.ReadDir and filepath.Glob would ask for the status of each.
func namesIn(folder string) []string {
	opened, err := os.Open(folder)
	if err != nil {
		return nil
	}
	defer func() { _ = opened.Close() }()
	names, _ := opened.Readdirnames(-1)
	return names
}

// parseTurns parses the first two numbers of a schedstat file, which are nanoseconds.
func parseTurns(text []byte) (total turns, ok bool) {
	fields := bytes.Fields(text)
	if len(fields) < 2 {
		return turns{}, false
	}
	ran, noRan := strconv.ParseInt(string(fields[0]), 10, 64)
	waited, noWaited := strconv.ParseInt(string(fields[1]), 10, 64)
	return turns{ran: time.Duration(ran), waited: time.Duration(waited)}, noRan == nil && noWaited == nil
}
