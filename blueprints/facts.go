package blueprints

import (
	"fmt"

	"msc4014/helpers/formats"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// Facts is what a run learns from a candidate before the first check.
type Facts struct {
	// Supported says whether the candidate has pseudo-ID rooms; if not, Why is its answer.
	Supported bool
	Why       string
	// Advertised says whether GET /capabilities lists the version.
	Advertised bool
	// Format is the format of its own events in those rooms, and has defaults for what was not seen.
	Format pseudoid.Format
	// Unseen says of each part of Format that its events did not show why they did not.
	Unseen map[formats.Part]string
	// InvitesElsewhere is the path to which it sends invites of other servers' users; "" if peers complete them there.
	InvitesElsewhere string
	// OnVersion12 says what shows that its pseudo-ID rooms build on room version 12; "" if nothing does. They are not supported then.
	OnVersion12 string
	// Learnt describes Format, and where each part of it was seen.
	Learnt string
	// Software is name and version by GET /_matrix/federation/v1/version.
	Software string
}

// Facts returns what is known about the candidate of hs1.
func (w *World) Facts() Facts { return w.factsOf("hs1") }

// Format returns the event format of pseudo-ID rooms of the candidate of hs1.
func (w *World) Format() pseudoid.Format { return w.Facts().Format }

// Unseen returns why no event of the candidate of hs1 showed a part of the format, "" if one did.
func (w *World) Unseen(part formats.Part) string { return w.Facts().Unseen[part] }

// InvitesElsewhere is the path to which the candidate of hs1 sends invites of other servers' users; "" if peers complete them there.
func (w *World) InvitesElsewhere() string { return w.Facts().InvitesElsewhere }

// OnVersion12 says what shows that pseudo-ID rooms of the candidate of hs1 build on room version 12; "" if nothing does.
func (w *World) OnVersion12() string { return w.Facts().OnVersion12 }

// factsOf returns what is known about the candidate of a host: if it was not asked, it is the candidate of hs1.
func (w *World) factsOf(host string) Facts {
	w.mu.Lock()
	defer w.mu.Unlock()
	if facts, known := w.facts[host]; known {
		return facts
	}
	return w.facts["hs1"]
}

// Lacks says why the servers of a blueprint do not support pseudo-ID rooms, alone or together; "" if they do.
func (w *World) Lacks(blueprint stage.Blueprint) string {
	first := w.Facts()
	for place := range blueprint.Servers {
		facts := w.factsOf(hostAt(place))
		switch {
		case !facts.Supported && blueprint.Servers > 1 && w.Artifacts.Mixed():
			return w.named(place) + ": " + facts.Why
		case !facts.Supported:
			return facts.Why
		case first.Unseen[formats.Dialect] != "" || facts.Unseen[formats.Dialect] != "":
			// The checks judge what they do with each other's events.
		case facts.Format.Dialect != first.Format.Dialect:
			return fmt.Sprintf("no dialect in common: by their own events %s uses %s, and %s uses %s",
				w.named(0), first.Format.Dialect, w.named(place), facts.Format.Dialect)
		case facts.Format.Base != first.Format.Base:
			return fmt.Sprintf("%s gives an event another ID than %s does: one is based on version %s, the other on version %s "+
				"(room-version/identifier)", w.named(place), w.named(0), facts.Format.Base, first.Format.Base)
		case facts.Format.RedactionKeepsSenderKey != first.Format.RedactionKeepsSenderKey:
			return fmt.Sprintf("%s gives an event another ID than %s does: one of them keeps the sender key of a redacted event, "+
				"the other does not (redaction/sender-key-kept)", w.named(place), w.named(0))
		}
	}
	return ""
}

// named returns a host with its candidate: "hs2 (synapse)".
func (w *World) named(place int) string {
	return fmt.Sprintf("%s (%s)", hostAt(place), w.Artifacts.For(hostAt(place)).Candidate)
}

// hostAt returns the host of the server at a place, counted from 0: "hs1".
func hostAt(place int) string { return fmt.Sprintf("hs%d", place+1) }
