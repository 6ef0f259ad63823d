package blueprints

import "msc4014/helpers/pseudoid"

// Facts are what a run learnt about its candidate before the first check, by asking it.
type Facts struct {
	// Supported tells whether the candidate makes pseudo-ID rooms; Why says what it answered if not.
	Supported bool
	Why       string
	// Advertised tells whether GET /capabilities lists the version.
	Advertised bool
	// Format is how it spells events of those rooms, by its own events.
	Format pseudoid.Format
	// Software is what GET /_matrix/federation/v1/version says.
	Software string
}

// Facts returns what is known about the candidate.
func (w *World) Facts() Facts {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.facts
}
