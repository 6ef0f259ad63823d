package check

import (
	"sync"
	"time"
)

// machine measures how far behind the machine is: a heartbeat that comes late was kept waiting by others, not by a
// server under test, and so was a thread of the suite that could run and did not.
type machine struct {
	mu       sync.Mutex
	lateness [beatsKept]time.Duration // a ring of the latest heartbeats
	next     int
	crowding float64 // how many times longer work takes than on an idle machine, by the waits of the suite's own threads
	done     chan struct{}
	once     sync.Once
}

const (
	beat      = 50 * time.Millisecond
	beatsKept = 200 // ten seconds
	// late is the lateness at which deadlines begin to lengthen.
	late = 20 * time.Millisecond
	// starving is the lateness of one heartbeat at which a time-out says nothing about a server.
	starving = 2 * time.Second
	// patienceRounds is how many turns of the machine's an answer may have to wait for.
	patienceRounds = 10
	// longestJolt and longestPause bound how much a late heartbeat lengthens a deadline from the start: a machine that is busy
	// for a moment does not keep a server a long time.
	longestJolt  = 6.0
	longestPause = 30 * time.Second
	// usualCrowding is what a run on a quiet machine brings about itself, on two cores.
	usualCrowding = 5.0
	// crowdingBeats is after how many heartbeats it is measured anew.
	crowdingBeats = 20
)

// newMachine begins to measure; beaten is called at every heartbeat.
func newMachine(beaten func()) *machine {
	m := &machine{done: make(chan struct{})}
	go m.listen(beaten)
	return m
}

func (m *machine) listen(beaten func()) {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	waits := queue{folder: "/proc/self/task"}
	previous := time.Now()
	for beats := 0; ; beats++ {
		select {
		case <-m.done:
			return
		case <-ticker.C:
		}
		now := time.Now()
		m.note(max(now.Sub(previous)-beat, 0))
		previous = now
		if beats%crowdingBeats == 0 {
			m.crowd(waits.look())
		}
		beaten()
	}
}

func (m *machine) crowd(crowding float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.crowding = crowding
}

// slowness is how many times slower the machine is than in a run on a quiet one: at least 1.
func (m *machine) slowness() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(m.crowding/usualCrowding, 1)
}

func (m *machine) note(lateness time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lateness[m.next%beatsKept] = lateness
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

// lengthened is how long to wait for a server in any case: the limit, of which the server's work lengthens by the lateness of
// the latest heartbeats.
func (m *machine) lengthened(limit time.Duration) time.Duration {
	return limit + m.jolt(min(limit, longestWork))
}

// stretched is the limit of something of which any part may be work, lengthened by the lateness of the latest heartbeats.
func (m *machine) stretched(limit time.Duration) time.Duration { return limit + m.jolt(limit) }

// jolt is how much longer work takes because the latest heartbeats came late.
func (m *machine) jolt(work time.Duration) time.Duration {
	factor := min(max(float64(m.worst())/float64(late), 1), longestJolt)
	return min(time.Duration(float64(work)*(factor-1)), longestPause)
}

// patience is a limit, lengthened by the lateness of the turns that an answer waits for. It is for questions that a
// server answers at once, and does not stretch a long limit many times.
func (m *machine) patience(limit time.Duration) time.Duration {
	return limit + patienceRounds*min(m.worst(), starving)
}

// stalled reports whether a heartbeat of the last seconds came so late that a time-out proves nothing.
func (m *machine) stalled() bool { return m.worst() >= starving }

func (m *machine) stop() { m.once.Do(func() { close(m.done) }) }
