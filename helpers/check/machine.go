package check

import (
	"sync"
	"time"
)

// machine measures how far behind the machine is: a heartbeat that comes late was kept waiting by others, not by a
// server under test.
type machine struct {
	mu       sync.Mutex
	lateness [beatsKept]time.Duration // a ring of the latest heartbeats
	next     int
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
	// longestFactor and longestDelay bound how much deadlines lengthen: a machine that is busy for a moment does not keep a
	// server a long time.
	longestFactor = 6.0
	longestDelay  = 30 * time.Second
	// longestWork is how much of a wait for a server can be its work; the rest are its own time-outs, which take as long on a
	// busy machine as on a quiet one.
	longestWork = 6 * time.Second
)

func newMachine() *machine {
	m := &machine{done: make(chan struct{})}
	go m.listen()
	return m
}

func (m *machine) listen() {
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	previous := time.Now()
	for {
		select {
		case <-m.done:
			return
		case <-ticker.C:
			now := time.Now()
			m.note(max(now.Sub(previous)-beat, 0))
			previous = now
		}
	}
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

// slowness is the factor by which deadlines lengthen: 1 on a quiet machine.
func (m *machine) slowness() float64 {
	return min(max(float64(m.worst())/float64(late), 1), longestFactor)
}

// lengthened is how long to wait for a server: the limit, of which the server's work lengthens by the slowness of the
// machine.
func (m *machine) lengthened(limit time.Duration) time.Duration {
	return limit + m.delay(min(limit, longestWork))
}

// stretched is the limit of something of which any part may be work, lengthened by the slowness of the machine.
func (m *machine) stretched(limit time.Duration) time.Duration { return limit + m.delay(limit) }

// delay is how much longer work takes than on a quiet machine.
func (m *machine) delay(work time.Duration) time.Duration {
	return min(time.Duration(float64(work)*(m.slowness()-1)), longestDelay)
}

// patience is a limit, lengthened by the lateness of the turns that an answer waits for. It is for questions that a
// server answers at once, and does not stretch a long limit many times as slowness does.
func (m *machine) patience(limit time.Duration) time.Duration {
	return limit + patienceRounds*min(m.worst(), starving)
}

// starved tells whether a heartbeat of the last seconds came so late that a time-out proves nothing.
func (m *machine) starved() bool { return m.worst() >= starving }

func (m *machine) stop() { m.once.Do(func() { close(m.done) }) }
