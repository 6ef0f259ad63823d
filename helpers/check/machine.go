package check

import (
	"sync"
	"time"
)

// machine measures how overloaded the machine is, by the suite's own heartbeats and threads: if they are late, other processes
// kept them waiting, not a server under test.
type machine struct {
	mu         sync.Mutex
	lateness   [heartbeatsKept]time.Duration // of the latest heartbeats; a ring
	next       int
	contention float64 // how many times longer work takes than on an idle machine, as measured by queue
	done       chan struct{}
	once       sync.Once
}

const (
	heartbeat      = 50 * time.Millisecond
	heartbeatsKept = 200 // ten seconds
	// late is the lateness above which deadlines are extended.
	late = 20 * time.Millisecond
	// starving is the lateness of a heartbeat from which a time-out says nothing about a server.
	starving = 2 * time.Second
	// lenientTurns is how many times an answer may have to wait for the processor.
	lenientTurns = 10
	// maxStretchFactor and maxStretch bound how much a late heartbeat extends a deadline: a machine that is busy for a moment does
	// not delay a server for long.
	maxStretchFactor = 6.0
	maxStretch       = 30 * time.Second
	// usualContention is the contention that a run causes itself on a quiet machine with two cores.
	usualContention = 5.0
	// contentionInterval is the number of heartbeats between two measurements of contention.
	contentionInterval = 20
)

// newMachine starts measuring, and calls onHeartbeat at every heartbeat.
func newMachine(onHeartbeat func()) *machine {
	m := &machine{done: make(chan struct{})}
	go m.listen(onHeartbeat)
	return m
}

func (m *machine) listen(onHeartbeat func()) {
	ticker := time.NewTicker(heartbeat)
	defer ticker.Stop()
	waits := queue{folder: "/proc/self/task"}
	previous := time.Now()
	for heartbeats := 0; ; heartbeats++ {
		select {
		case <-m.done:
			return
		case <-ticker.C:
		}
		now := time.Now()
		m.note(max(now.Sub(previous)-heartbeat, 0))
		previous = now
		if heartbeats%contentionInterval == 0 {
			m.setContention(waits.measure())
		}
		onHeartbeat()
	}
}

func (m *machine) setContention(contention float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.contention = contention
}

// slowness returns how many times slower the machine is than in a run on a quiet one; at least 1.
func (m *machine) slowness() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(m.contention/usualContention, 1)
}

func (m *machine) note(lateness time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lateness[m.next%heartbeatsKept] = lateness
	m.next++
}

func (m *machine) worst() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	worst := time.Duration(0)
	for _, each := range m.lateness {
		worst = max(worst, each)
	}
	return worst
}

// lengthened returns the limit of a wait for a server, extended for the part that can be work of the server.
func (m *machine) lengthened(limit time.Duration) time.Duration {
	return limit + m.stretch(min(limit, maxWork))
}

// stretched returns a limit, extended as if all of it were work.
func (m *machine) stretched(limit time.Duration) time.Duration { return limit + m.stretch(limit) }

// stretch returns how much longer work may take, judging by the latest heartbeats.
func (m *machine) stretch(work time.Duration) time.Duration {
	factor := min(max(float64(m.worst())/float64(late), 1), maxStretchFactor)
	return min(time.Duration(float64(work)*(factor-1)), maxStretch)
}

// lenient returns a limit, extended by the time that an answer may wait for the processor. It is for requests that a server
// answers at once: the extension does not depend on the limit.
func (m *machine) lenient(limit time.Duration) time.Duration {
	return limit + lenientTurns*min(m.worst(), starving)
}

// stalled reports whether one of the latest heartbeats was so late that a time-out proves nothing.
func (m *machine) stalled() bool { return m.worst() >= starving }

func (m *machine) stop() { m.once.Do(func() { close(m.done) }) }
