package blueprints

import (
	"fmt"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// Facts are what a run found out about a candidate before the first check, by asking it.
type Facts struct {
	// Supported reports whether the candidate makes pseudo-ID rooms; Why says what it answered if not.
	Supported bool
	Why       string
	// Advertised reports whether GET /capabilities lists the version.
	Advertised bool
	// Format is how it spells events of those rooms, by its own events, unless Assumed.
	Format pseudoid.Format
	// Assumed means that the candidate showed no event of its own, and Format is the deployed one.
	Assumed bool
	// Software is what GET /_matrix/federation/v1/version says.
	Software string
}

// Facts returns what is known about the candidate of hs1.
func (w *World) Facts() Facts { return w.factsOf("hs1") }

// Format is how the candidate of hs1 spells events of pseudo-ID rooms.
func (w *World) Format() pseudoid.Format { return w.Facts().Format }

// factsOf returns what is known about the candidate of a host; if it was not asked, it is that of hs1.
func (w *World) factsOf(host string) Facts {
	w.mu.Lock()
	defer w.mu.Unlock()
	if facts, known := w.facts[host]; known {
		return facts
	}
	return w.facts["hs1"]
}

// Lacks says why the servers of a blueprint cannot have pseudo-ID rooms, each by itself or all together, "" if they can.
func (w *World) Lacks(blueprint stage.Blueprint) string {
	first := w.Facts()
	for place := range blueprint.Servers {
		facts := w.factsOf(hostAt(place))
		switch {
		case !facts.Supported && blueprint.Servers > 1 && w.Artifacts.Mixed():
			return w.named(place) + ": " + facts.Why
		case !facts.Supported:
			return facts.Why
		case first.Assumed || facts.Assumed:
			// What they do with each other's events is for the checks to judge.
		case facts.Format.Dialect != first.Format.Dialect:
			return fmt.Sprintf("no dialect in common: by their own events %s speaks %s, and %s speaks %s",
				w.named(0), first.Format.Dialect, w.named(place), facts.Format.Dialect)
		case facts.Format != first.Format:
			return fmt.Sprintf("%s gives an event another ID than %s does: one of them keeps the sender key of a redacted event, "+
				"the other does not (redaction/sender-key-kept)", w.named(place), w.named(0))
		}
	}
	return ""
}

// named is a host with the candidate that is there: "hs2 (synapse)".
func (w *World) named(place int) string {
	return fmt.Sprintf("%s (%s)", hostAt(place), w.Artifacts.For(hostAt(place)).Candidate)
}

// hostAt is what the server at a place, counted from 0, is called: "hs1".
func hostAt(place int) string { return fmt.Sprintf("hs%d", place+1) }
