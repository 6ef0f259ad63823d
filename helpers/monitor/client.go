package monitor

// Answers to clients. Contents of events are the clients' own, except for the few that the server fills with user IDs.

import (
	"strings"

	"msc4014/helpers/foreign"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
)

// Exchange examines an answer of the candidate to a client about rooms. Others are ignored: they identify no users of rooms, and
// device keys and tokens look like sender keys.
func (m *Monitor) Exchange(check string, exchange transcript.Exchange) {
	if exchange.Direction != transcript.ClientRequest {
		return
	}
	asked := requestOf(exchange)
	m.noteWritten(asked, exchange.RequestBody)
	if exchange.Status/100 != 2 {
		return
	}
	answer, err := foreign.Parse(exchange.ResponseBody)
	if err != nil {
		return // the client reports that it is unusable
	}
	m.noteFilter(asked, exchange.RequestBody, answer)
	if !asked.aboutRooms() || m.inFederationForm(asked) {
		return
	}
	v := view{check: check, where: exchange.Method + " " + asked.path}
	if eventType, ok := asked.stateContent(); ok && !isEvent(answer) {
		m.content(v, v.where, eventType, answer)
		return
	}
	if asked.place(2) == "joined_members" {
		answer.Get("joined").Each(func(userID, _ foreign.Value) bool {
			if m.looksLikeKey(userID.String()) {
				m.report(finding("client-view/joined-members", check, "%s: keyed by sender key %s", v.where, userID.String()))
			}
			return true
		})
		return // the rest are the members' profiles
	}
	m.walk(v, answer)
}

// view is an answer that is examined, or the unsigned part of one of its events.
type view struct {
	check, where string
	unsigned     bool
}

// breaks returns the requirement that a finding breaks here: the unsigned part has one of its own.
func (v view) breaks(requirement string) string {
	if v.unsigned {
		return "client-view/unsigned"
	}
	return requirement
}

const keyElsewhere = "client-view/no-key-elsewhere"

var (
	// keyAllowed are the members in which clients may see sender keys.
	keyAllowed = map[string]bool{"sender_key": true, "mxid_mapping": true, "join_authorised_via_users_server": true}
	// clientsWrote are the members with data of clients, and hashes and signatures.
	clientsWrote = map[string]bool{
		"account_data": true, "to_device": true, "transaction_id": true, "highlights": true, "displayname": true,
		"display_name": true, "avatar_url": true, "name": true, "topic": true, "tags": true, "hashes": true, "signatures": true,
	}
	// strippedState are the members with stripped state, which has no event IDs and sender keys.
	strippedState = map[string]bool{
		"invite_state": true, "knock_state": true, "invite_room_state": true, "knock_room_state": true, "children_state": true,
	}
	// judgedSeparately are the members of an event that clientEvent examines itself.
	judgedSeparately = map[string]bool{"sender": true, "state_key": true, "content": true, "prev_content": true, "unsigned": true}
)

// walk visits every value of an answer. It does not recurse: answers may nest deeply.
func (m *Monitor) walk(v view, answer foreign.Value) {
	w := &walker{monitor: m}
	w.value(v, "", answer)
	for len(w.open) > 0 {
		last := &w.open[len(w.open)-1]
		name, value, ok := last.members.Next()
		if !ok {
			w.open = w.open[:len(w.open)-1]
			continue
		}
		last.visit(name, value)
	}
}

// walker holds what a walk has yet to visit.
type walker struct {
	monitor *Monitor
	open    []level // a stack
}

// level holds the remaining members of a value.
type level struct {
	members foreign.Members
	visit   func(name, value foreign.Value)
}

// within pushes the members of a value, to be visited next.
func (w *walker) within(value foreign.Value, visit func(name, value foreign.Value)) {
	w.open = append(w.open, level{value.Members(), visit})
}

// value examines a value; name is that of the member.
func (w *walker) value(v view, name string, value foreign.Value) {
	m := w.monitor
	switch {
	case value.IsObject() && isEvent(value):
		w.clientEvent(v, value)
	case value.IsObject():
		judgesContent := namesUsers(value)
		w.within(value, func(key, member foreign.Value) {
			m.suspect(key.String(), v.breaks(keyElsewhere), v.check, "%s: %s has the sender key %s as a member", v.where, orAnswer(name), key)
			if key.String() != "content" || judgesContent {
				w.member(v, key.String(), member)
			}
		})
	case value.IsArray():
		w.within(value, func(_, element foreign.Value) { w.value(v, name, element) })
	case value.IsString():
		m.suspect(value.String(), v.breaks(keyElsewhere), v.check, "%s: %s is the sender key %s", v.where, orAnswer(name), value)
	}
}

// member examines a member of an object, unless it is exempt.
func (w *walker) member(v view, name string, value foreign.Value) {
	switch {
	case keyAllowed[name], clientsWrote[name]:
	case strippedState[name] && w.monitor.fromPeer(value):
	default:
		w.value(v, name, value)
	}
}

// namesUsers reports whether the server fills the content of an object that is not a room event with user IDs.
func namesUsers(object foreign.Value) bool {
	kind := object.Get("type").String()
	return kind == "m.receipt" || kind == "m.typing"
}

func orAnswer(name string) string {
	if name == "" {
		return "the answer"
	}
	return name
}

func isEvent(value foreign.Value) bool {
	return value.Get("type").IsString() && value.Get("content").IsObject() &&
		(value.Get("sender").Exists() || value.Get("event_id").Exists())
}

// oursEvent reports whether a peer made an event.
func (m *Monitor) oursEvent(event foreign.Value) bool {
	return m.ours(func(field string) string { return event.Get(field).String() })
}

// fromPeer reports whether stripped state has a trace of a peer, because then all of it came with the peer's invite.
func (m *Monitor) fromPeer(stripped foreign.Value) bool {
	if stripped.IsObject() {
		stripped = stripped.Get("events")
	}
	found := false
	stripped.Each(func(_, event foreign.Value) bool {
		mapping := event.Get("content", pseudoid.MappingField)
		found = m.oursEvent(event) || m.options.OursKey(event.Get("state_key").String()) ||
			m.options.OursKey(mapping.Get("sender_key").String()) || m.options.OursKey(mapping.Get("user_room_key").String())
		return !found
	})
	return found
}

// clientEvent examines an event in the client format.
func (w *walker) clientEvent(v view, event foreign.Value) {
	m := w.monitor
	if m.oursEvent(event) {
		return
	}
	name, kind, sender := eventName(event), event.Get("type").String(), event.Get("sender").String()
	m.learn(event.Get("sender_key").String())
	if m.looksLikeKey(sender) {
		m.learn(sender)
		m.report(finding(v.breaks("client-view/sender-is-user-id"), v.check, "%s: %s has the sender key %s as sender", v.where, name, sender))
	}
	if event.Get("verified_sender_mxid").Exists() {
		m.report(finding("client-view/no-verified-sender-field", v.check, "%s: %s", v.where, name))
	}
	if key := event.Get("state_key").String(); kind == "m.room.member" && m.looksLikeKey(key) {
		m.report(finding(v.breaks("client-view/member-state-key-is-user-id"), v.check, "%s: %s has state key %s", v.where, name, key))
	}
	m.content(v, v.where+": "+name, kind, event.Get("content"))

	below := view{check: v.check, where: shorten(v.where+": "+name, maxPlace), unsigned: true}
	for _, path := range [][]string{{"prev_content"}, {"unsigned", "prev_content"}} {
		m.content(below, below.where+" in "+strings.Join(path, "."), kind, event.Get(path...))
	}
	w.within(event.Get("unsigned"), func(field, value foreign.Value) {
		switch field.String() {
		case "prev_content":
		case "prev_sender":
			if m.looksLikeKey(value.String()) {
				m.report(finding("client-view/unsigned", v.check, "%s: %s has the sender key %s as prev_sender", v.where, name, value.String()))
			}
		default:
			w.member(below, field.String(), value)
		}
	})
	w.within(event, func(field, value foreign.Value) {
		if !judgedSeparately[field.String()] {
			w.member(v, field.String(), value)
		}
	})
}

// content examines contents that the server fills with user IDs; those of other types are the clients' own.
func (m *Monitor) content(v view, name, eventType string, content foreign.Value) {
	switch eventType {
	case "m.room.create":
		creator := content.Get("creator").String()
		m.suspect(creator, v.breaks("client-view/create-creator"), v.check, "%s has creator %s", name, creator)
	case "m.room.power_levels":
		content.Get("users").Each(func(user, _ foreign.Value) bool {
			m.suspect(user.String(), v.breaks("client-view/power-levels-read"), v.check, "%s gives power to the key %s", name, user)
			return true
		})
	}
}
