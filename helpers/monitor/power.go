package monitor

// User IDs in the power levels of an event. What power given to a user without a key in the room comes to is open
// (client-view/power-levels-before-join): a user ID is wrong there if the server that wrote the event had a key for it.

import (
	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
)

// membership is what the candidate's own events told of who has which key in a room.
type membership struct {
	byKey   map[string]string // user ID by sender key
	since   map[string]int64  // the least depth at which a user ID is known to have a key
	suspect []power
}

// power is a user ID that an event gives power to.
type power struct {
	sender, userID string
	depth          int64
	check, name    string
}

func (m *Monitor) room(roomID string) *membership {
	if m.members[roomID] == nil {
		m.members[roomID] = &membership{byKey: map[string]string{}, since: map[string]int64{}}
	}
	return m.members[roomID]
}

// suspectPower reports power that is given to a user ID with a key: at once, or when the key is seen.
func (m *Monitor) suspectPower(roomID string, suspected power) {
	m.mu.Lock()
	room := m.room(roomID)
	wrong := room.wrong(suspected)
	if !wrong && len(room.suspect) < mostPowers {
		room.suspect = append(room.suspect, suspected)
	}
	m.mu.Unlock()
	if wrong {
		m.reportPower(suspected)
	}
}

// noteMember takes note of a member event of the candidate that maps its sender's key to a user ID.
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

// wrong tells whether the sender's server had a key for the user: it is the sender, or a user of the same server who
// had one before. Only between events of one server does the depth tell which came first.
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
		m.report(finding(requirement, found.check, "%s: power is given to %s", found.name, found.userID))
	}
}

// domainOf is the server name of a user ID that is known to be valid.
func domainOf(userID string) string {
	domain, _ := pseudoid.UserIDDomain(userID)
	return domain
}
