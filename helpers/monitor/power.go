package monitor

// User IDs in power levels. It is open what power for a user without a key in the room means
// (client-view/power-levels-before-join): a user ID is only wrong there if the server of the sender had a key for it.

import (
	"time"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
)

// membership is what the candidate's own events tell about the keys of users in a room.
type membership struct {
	byKey   map[string]string // user ID by sender key
	since   map[string]int64  // by user ID, the least depth at which it is known to have a key
	suspect []power
}

// power is a user ID in the power levels of an event.
type power struct {
	sender, userID string
	depth          int64
	check, name    string
	at             time.Time
}

func (m *Monitor) room(roomID string) *membership {
	if m.members[roomID] == nil {
		m.members[roomID] = &membership{byKey: map[string]string{}, since: map[string]int64{}}
	}
	return m.members[roomID]
}

// suspectPower reports power that is given to a user ID with a key: at once, or as soon as the key is known.
func (m *Monitor) suspectPower(roomID string, suspected power) {
	m.mu.Lock()
	room := m.room(roomID)
	wrong := room.wrong(suspected)
	if !wrong && len(room.suspect) < maxPowers {
		room.suspect = append(room.suspect, suspected)
	}
	m.mu.Unlock()
	if wrong {
		m.reportPower(suspected)
	}
}

// noteMember notes a member event of the candidate that maps its sender key to a user ID.
func (m *Monitor) noteMember(roomID, sender string, event gjson.Result) {
	userID := event.Get("content." + pseudoid.MappingField + ".user_id").String()
	if event.Get("type").String() != "m.room.member" || event.Get("state_key").String() != sender || pseudoid.ValidUserID(userID) != nil {
		return
	}
	m.mu.Lock()
	room := m.room(roomID)
	room.byKey[sender] = userID
	if depth, known := room.since[userID]; !known || event.Get("depth").Int() < depth {
		room.since[userID] = event.Get("depth").Int()
	}
	var confirmed, left []power
	for _, each := range room.suspect {
		if room.wrong(each) {
			confirmed = append(confirmed, each)
		} else {
			left = append(left, each)
		}
	}
	room.suspect = left
	m.mu.Unlock()
	for _, each := range confirmed {
		m.reportPower(each)
	}
}

// wrong reports whether the sender's server had a key for the user, which is the sender itself, or a user of the same server that
// had one before. Depths only order events of the same server.
func (r *membership) wrong(suspected power) bool {
	sender, known := r.byKey[suspected.sender]
	if !known {
		return false
	}
	if sender == suspected.userID {
		return true
	}
	depth, known := r.since[suspected.userID]
	return known && depth < suspected.depth && domainOf(sender) == domainOf(suspected.userID)
}

func (m *Monitor) reportPower(found power) {
	for _, requirement := range []string{"event-format/power-levels-by-key", noUserID} {
		wrong := finding(requirement, found.check, "%s: power is given to %s", found.name, found.userID)
		wrong.At = found.at
		m.report(wrong)
	}
}

// domainOf returns the server name of a valid user ID.
func domainOf(userID string) string {
	domain, _ := pseudoid.UserIDDomain(userID)
	return domain
}
