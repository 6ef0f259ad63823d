package transcript

// Which exchanges of a check show what: the control, the step under test, and what was seen then.

import (
	"slices"
	"strings"
)

// Role is what an exchange of a check shows.
type Role string

// The roles. Control is the valid counterpart of Act, which is the step under test, such as a lie; ControlSeen and Seen are the exchanges
// with which it was decided what came of them.
const (
	Control     Role = "control"
	ControlSeen Role = "look at the control"
	Act         Role = "under test"
	Seen        Role = "look"
)

// Roles returns the roles of the exchanges of a check, by their index; seen is the index of the exchange with which it had failed, or -1.
// Exchanges are in the order in which they started.
func Roles(exchanges []Exchange, seen int) map[int]Role {
	roles := map[int]Role{}
	upTo := len(exchanges)
	if seen >= 0 {
		upTo = seen + 1
	}
	control := Noted(exchanges[:upTo], NoteControl)
	if control == seen {
		control = -1
	}
	if control >= 0 {
		roles[control] = ControlSeen
		if act := lastAct(exchanges, 0, control); act >= 0 {
			roles[act] = Control
		} else {
			roles[control] = Control
		}
	}
	if seen >= 0 {
		// Before the control passed, or in a check that did not come to its step under test, nothing shows that.
		if begun := max(control, Noted(exchanges[:seen], NoteUnderTest)); begun >= 0 {
			if act := lastAct(exchanges, begun+1, seen); act >= 0 {
				roles[act] = Act
			}
		}
		if roles[seen] == "" {
			roles[seen] = Seen
		}
	}
	return roles
}

// Noted returns the index of the last exchange with a note, or -1.
func Noted(exchanges []Exchange, note string) int {
	for i := len(exchanges) - 1; i >= 0; i-- {
		if slices.Contains(exchanges[i].Notes, note) {
			return i
		}
	}
	return -1
}

// answersWithEvents are paths of requests of a server to which a peer answers with events.
var answersWithEvents = []string{"/send_join/", "/backfill/", "/get_missing_events/", "/state/", "/event_auth/", "/invite/"}

// lastAct returns the last exchange from first to last in which the suite gave the candidate an event or changed something; -1 if there
// is none.
func lastAct(exchanges []Exchange, first, last int) int {
	for i := last; i >= first; i-- {
		e := exchanges[i]
		within := func(path string) bool { return strings.Contains(e.URL, path) }
		switch e.Direction {
		case PeerRequest:
			if e.Method == "PUT" {
				return i
			}
		case ServerRequest:
			if slices.ContainsFunc(answersWithEvents, within) {
				return i
			}
		case ClientRequest:
			if e.Method != "GET" && !slices.ContainsFunc([]string{"/register", "/login", "/filter"}, within) {
				return i
			}
		}
	}
	return -1
}
