package clientapi

// This file has the rooms of /sync: what is new in each, and the state that a client needs for it.

import (
	"encoding/json"
	"math"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/reference/pdu"
	"msc4014/reference/rooms"
	"msc4014/reference/rules"
	"msc4014/reference/users"
)

const memberType = "m.room.member"

// defaultTimeline is the number of events of a room if the filter sets no limit.
const defaultTimeline = 20

// rooms returns the sections join, invite, knock and leave, each with rooms by ID, without empty ones.
func (s *syncing) rooms() object {
	parts := map[string]object{"join": {}, "invite": {}, "knock": {}, "leave": {}}
	for _, m := range s.memberships {
		if !s.filter.Room.admits(m.RoomID) {
			continue
		}
		part, shown := m.Membership, any(nil)
		switch m.Membership {
		case "join":
			shown = s.joinedRoom(m)
		case "invite", "knock":
			shown = s.offeredRoom(m)
		default:
			part, shown = "leave", s.leftRoom(m)
		}
		if shown != nil {
			parts[part][m.RoomID] = shown
		}
	}
	answer := object{}
	for part, of := range parts {
		if len(of) > 0 {
			answer[part] = of
		}
	}
	return answer
}

// offeredRoom returns a room that the user is invited to or knocks on, with its stripped state.
func (s *syncing) offeredRoom(m rooms.Membership) any {
	if m.Since <= s.since && !s.full {
		return nil
	}
	var state []json.RawMessage
	if m.Room != nil {
		state = m.Room.InviteState(s.viewer.UserID)
	} else {
		state = m.Outside.State
	}
	if m.Membership == "invite" && s.isIgnored(state) {
		return nil
	}
	name := m.Membership + "_state"
	return object{name: object{"events": append([]json.RawMessage{}, state...)}}
}

// joinedRoom returns what is new in a room that the user is in, or nil.
func (s *syncing) joinedRoom(m rooms.Membership) any {
	room := m.Room
	// A user that has joined since then knows nothing about the room yet.
	whole := s.initial() || s.full || m.Since > s.since
	timeline := s.timeline(room, s.now, m.Since > s.since)
	state := s.state(room, s.now, timeline, whole)
	ephemeral := s.ephemeral(room, s.initial() || m.Since > s.since)
	accountData := s.accountData(room.ID(), s.filter.Room.AccountData)
	if !whole && len(timeline.events)+len(state)+len(ephemeral)+len(accountData) == 0 {
		return nil
	}
	answer := object{
		"timeline": timeline.shown(s, room), "state": object{"events": s.views(room, state)},
		"ephemeral": object{"events": ephemeral}, "account_data": object{"events": accountData},
		"summary": s.summary(room, whole, slices.Concat(timeline.events, state)),
	}
	main, threads := s.unreadOf(room, s.viewer.UserID, m.Since, s.now)
	if s.filter.Room.Timeline.ThreadCounts {
		answer["unread_thread_notifications"] = threads
	} else {
		for _, counts := range threads {
			main = main.plus(counts)
		}
	}
	answer["unread_notifications"] = main
	return answer
}

// leftRoom returns the end of a room that the user has left, or nil if there is nothing new.
func (s *syncing) leftRoom(m rooms.Membership) any {
	if m.Since <= s.since && !s.full || s.initial() && !s.filter.Room.IncludeLeave {
		return nil
	}
	if m.Room == nil { // the server was never in it: an invite was rejected or revoked, or a knock refused
		events := []json.RawMessage{}
		view, err := s.Rooms.OutsideView(*m.Outside)
		if err == nil && gjson.GetBytes(view, "content.membership").String() == m.Membership {
			events = append(events, s.filter.shape(view))
		}
		return object{
			"timeline": object{"events": events, "limited": false, "prev_batch": token(s.now)}, "state": object{"events": []any{}},
		}
	}
	cameInBetween := m.Room.MembershipAt(s.viewer.UserID, s.since) != "join"
	timeline := s.timeline(m.Room, m.Since, cameInBetween)
	var state []*rooms.Event
	if m.Room.MayRead(s.viewer.UserID) { // not if it was only invited
		state = s.state(m.Room, m.Since, timeline, s.initial() || s.full || cameInBetween)
	}
	return object{
		"timeline": timeline.shown(s, m.Room), "state": object{"events": s.views(m.Room, state)},
		"account_data": object{"events": s.accountData(m.RoomID, s.filter.Room.AccountData)},
	}
}

// timeline has the newest events of a room, in order.
type timeline struct {
	events   []*rooms.Event
	limited  bool  // there are events between the last response and these
	previous int64 // where to continue backwards
}

// timeline returns the events of a room since the last response, up to a position; for a room that the client does not
// know, the newest events that the user may see.
func (s *syncing) timeline(room *rooms.Room, upTo int64, unknown bool) timeline {
	filter := s.filter.Room.Timeline
	since := s.since
	if s.initial() || unknown {
		since = math.MinInt64
	}
	events, more := room.Backward(s.viewer.UserID, upTo+1, since, filter.limit(defaultTimeline), s.notIgnored(room, filter.keep(room)))
	slices.Reverse(events)
	t := timeline{events: events, limited: more, previous: upTo}
	if len(events) > 0 {
		t.previous = events[0].Position - 1
	}
	if since == math.MinInt64 && !more {
		t.limited = room.HasMoreHistory()
	}
	return t
}

// shown returns the timeline in response format.
func (t timeline) shown(s *syncing, room *rooms.Room) object {
	return object{"events": s.views(room, t.events), "limited": t.limited, "prev_batch": token(t.previous)}
}

// views returns events in the form that the filter asks for.
func (s *syncing) views(room *rooms.Room, events []*rooms.Event) []json.RawMessage {
	views := []json.RawMessage{}
	for _, event := range events {
		view := s.view(room, event, s.viewer)
		if s.filter.EventFormat == "federation" {
			view = room.Wire(event)
		}
		views = append(views, s.filter.shape(view))
	}
	return views
}

// state returns the state, as of a position, that a client needs with a timeline: all of it, or the changes since the
// last response that are not in the timeline. State that the timeline changes is as of its beginning. Member events of
// users that were verified in the meantime are included again (MSC4014, Changes 6.2).
func (s *syncing) state(room *rooms.Room, at int64, t timeline, whole bool) []*rooms.Event {
	now := room.StateAt(at)
	known := rules.State{}
	if !whole {
		known = room.StateAt(s.since)
	}
	changed := rules.State{}
	for key, event := range now {
		if known[key] == nil || known[key].ID() != event.ID() {
			changed[key] = event
		}
	}
	told := map[string]bool{}
	for i := len(t.events) - 1; i >= 0; i-- {
		event := t.events[i]
		told[event.ID()] = true
		key, isState := event.State()
		if !isState {
			continue
		}
		delete(changed, key)
		if before := room.StateBefore(event)[key]; before != nil && (known[key] == nil || known[key].ID() != before.ID()) {
			changed[key] = before
		}
	}
	filter := s.filter.Room.State
	keep := filter.keep(room)
	senders := map[string]bool{}
	for _, event := range t.events {
		senders[event.Sender()] = true
		if member := now.Member(event.Sender()); filter.LazyLoad && member != nil {
			changed[pdu.StateKey{Type: memberType, Key: event.Sender()}] = stateAtStart(room, t, member)
		}
	}
	own, _ := room.Sender(s.viewer.UserID)
	events := slices.DeleteFunc(room.ShownState(changed), func(event *rooms.Event) bool {
		key, _ := event.StateKey()
		unneeded := filter.LazyLoad && event.Type() == memberType && !senders[key] && (key != own || !whole)
		return told[event.ID()] || unneeded || !keep(event)
	})
	if whole {
		return events
	}
	for _, event := range room.Resent(s.since, s.now) {
		if !told[event.ID()] && !slices.Contains(events, event) && keep(event) {
			events = append(events, event)
		}
	}
	return events
}

// stateAtStart returns the member event of a member as of the beginning of a timeline, or the current one if there was
// none.
func stateAtStart(room *rooms.Room, t timeline, member *pdu.Event) *pdu.Event {
	key, _ := member.State()
	if before := room.StateBefore(t.events[0])[key]; before != nil {
		return before
	}
	return member
}

// ephemeral returns the typing users and the new receipts of a room.
func (s *syncing) ephemeral(room *rooms.Room, unknown bool) []object {
	events := []object{}
	filter, since := s.filter.Room.Ephemeral, s.since
	if unknown {
		since = 0
	}
	if !filter.admits(room.ID()) {
		return events
	}
	typing, changed := s.Users.TypingSince(room.ID(), since)
	if changed && (len(typing) > 0 || since > 0) && filter.admitsType("m.typing", "") {
		events = append(events, object{"type": "m.typing", "content": object{"user_ids": typing}})
	}
	if receipts := s.Users.ReceiptsSince(s.viewer.UserID, room.ID(), since); len(receipts) > 0 && filter.admitsType("m.receipt", "") {
		events = append(events, object{"type": "m.receipt", "content": receiptContent(receipts)})
	}
	return events
}

// receiptContent groups receipts by event, type and user.
func receiptContent(receipts []users.Receipt) map[string]map[string]map[string]object {
	content := map[string]map[string]map[string]object{}
	for _, r := range receipts {
		if content[r.EventID] == nil {
			content[r.EventID] = map[string]map[string]object{}
		}
		if content[r.EventID][r.Type] == nil {
			content[r.EventID][r.Type] = map[string]object{}
		}
		data := object{"ts": r.Timestamp}
		if r.ThreadID != "" {
			data["thread_id"] = r.ThreadID
		}
		content[r.EventID][r.Type][r.UserID] = data
	}
	return content
}

// heroes is the maximum number of members that name a room without a name.
const heroes = 5

// summary returns the member counts of a room and the heroes that it can be named after, if they may have changed.
func (s *syncing) summary(room *rooms.Room, whole bool, changed []*rooms.Event) object {
	if !whole && !slices.ContainsFunc(changed, func(event *rooms.Event) bool { return event.Type() == memberType }) {
		return object{}
	}
	joined, invited := room.MemberUserIDs("join"), room.MemberUserIDs("invite")
	answer := object{"m.joined_member_count": len(joined), "m.invited_member_count": len(invited)}
	state := room.State()
	name, alias := state.Get("m.room.name", ""), state.Get("m.room.canonical_alias", "")
	if name != nil && name.Content("name").String() != "" || alias != nil && alias.Content("alias").String() != "" {
		return answer
	}
	others := slices.Concat(joined, invited)
	if len(others) <= 1 {
		others = slices.Concat(others, room.MemberUserIDs("leave"), room.MemberUserIDs("ban"))
	}
	others = slices.DeleteFunc(others, func(userID string) bool { return userID == s.viewer.UserID })
	answer["m.heroes"] = others[:min(heroes, len(others))]
	return answer
}
