// Package fault lists the faults that the reference homeserver can be started with: each changes one decision of the
// server, as a hurried implementer would get it wrong, and breaks one sentence of the proposal or of the Matrix
// specification. A fault is a row of the table; where the server takes the decision, it asks Set.Has. Behind each ID
// stands where that is.
//
// In the rows, "MSC4014, Proposal 2" is the second item of the proposal's section of that name, and sub-items follow a
// full stop; the sentences are told in own words.
package fault

import "slices"

// ID names a fault, in lower-case words with hyphens between them.
type ID string

// Fault is one deliberate deviation of the server.
type Fault struct {
	ID ID
	// Does says in one sentence what the server does with this fault.
	Does string
	// Breaks says which sentence of which text that breaks, with its section.
	Breaks string
	// Requirements are the requirements of the catalogue that a server with this fault does not meet: all of them that
	// any check judges.
	Requirements []string
	// Dialect is the spelling on the wire in which the fault is shown; empty: that of the text, msc4014.
	Dialect string
}

// All returns the table of faults, in the order of the catalogue's chapters.
func All() []Fault {
	return slices.Concat(versionFaults, formatFaults, senderKeyFaults, mappingFaults, lieFaults, unverifiedFaults, membershipFaults,
		inviteFaults, redactionFaults, routingFaults, resilienceFaults, signingFaults, authFaults)
}

// Lookup returns the fault with the given ID, and whether there is one.
func Lookup(id string) (Fault, bool) {
	for _, fault := range All() {
		if string(fault.ID) == id {
			return fault, true
		}
	}
	return Fault{}, false
}

// Set is the faults that a server is started with. The nil Set has none.
type Set map[ID]bool

// Has reports whether the server is to show the fault id.
func (s Set) Has(id ID) bool { return s[id] }
