package clientapi

// This file serves /sync (client-server API, "Syncing"): it collects everything that is new for a device since a token,
// and if there is nothing, waits for the clock to advance. syncrooms.go has the rooms.

import (
	"context"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"

	"msc4014/reference/rooms"
	"msc4014/reference/users"
)

// longestWait limits how long a /sync waits: less than the time after which a user that does not sync is offline.
const longestWait = 50 * time.Second

func (a *API) syncRoutes() []route {
	return []route{{"GET", "/v3/sync", a.sync, false}}
}

// syncing is one /sync request.
type syncing struct {
	*API
	viewer      rooms.Viewer
	filter      syncFilter
	full        bool // full state of all rooms
	since       int64
	now         int64
	memberships []rooms.Membership
}

// initial reports whether it is an initial sync.
func (s *syncing) initial() bool { return s.since == 0 }

func (a *API) sync(r *request) (any, error) {
	filter, err := r.filterOf(r.query("filter"))
	if err != nil {
		return nil, err
	}
	since, err := tokenOr(r.query("since"), 0)
	if err != nil {
		return nil, err
	}
	wait := time.Duration(0)
	if text := r.query("timeout"); text != "" {
		milliseconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, rooms.Bad("M_INVALID_PARAM", "timeout is %q, not an integer", text)
		}
		wait = min(max(time.Duration(milliseconds)*time.Millisecond, 0), longestWait)
	}
	if err := a.Users.Seen(r.UserID, r.query("set_presence")); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	s := &syncing{API: a, viewer: r.viewer(), filter: filter, full: r.query("full_state") == "true", since: since}
	for {
		answer, news, err := s.look()
		if _, found := a.Users.Authenticate(r.token); !found { // logged out in the meantime
			return nil, r.authenticate()
		}
		if err != nil || news || s.initial() || s.full || ctx.Err() != nil {
			return answer, err
		}
		a.Clock.Wait(ctx, s.now)
	}
}

// look returns the response as of now, and reports whether it has anything new.
func (s *syncing) look() (answer object, news bool, err error) {
	// Anything newer than now is left for the next sync. Memberships are only known as they are, so now advances until
	// it is at or after all of them.
	for {
		s.now = s.Clock.Now()
		s.memberships = s.Rooms.MembershipsOf(s.viewer.UserID)
		if !slices.ContainsFunc(s.memberships, func(m rooms.Membership) bool { return m.Since > s.now }) {
			break
		}
	}
	holder := users.Holder{UserID: s.viewer.UserID, DeviceID: s.viewer.Device}
	messages, _, err := s.Users.ToDevice(holder, s.since, s.now, math.MaxInt)
	if err != nil {
		return nil, false, err
	}
	inRooms := s.rooms()
	accountData := s.accountData("", s.filter.AccountData)
	presence := s.presence()
	lists := object{}
	if !s.initial() {
		lists = s.deviceLists(s.viewer.UserID, s.since, s.now)
	}
	counts, unusedFallback := s.Users.OneTimeKeyCounts(holder)
	answer = object{
		"next_batch": token(s.now), "rooms": inRooms, "account_data": object{"events": accountData},
		"presence": object{"events": presence}, "to_device": object{"events": toDeviceEvents(messages)},
		"device_lists": lists, "device_one_time_keys_count": counts, "device_unused_fallback_key_types": unusedFallback,
	}
	news = len(inRooms)+len(accountData)+len(presence)+len(messages) > 0
	for _, list := range lists {
		news = news || len(list.([]string)) > 0
	}
	return answer, news, nil
}

func toDeviceEvents(messages []users.Message) []object {
	events := []object{}
	for _, m := range messages {
		events = append(events, object{"type": m.Type, "sender": m.Sender, "content": m.Content})
	}
	return events
}

// accountData returns the account data of a room, or the global account data, that is new to the device.
func (s *syncing) accountData(roomID string, filter eventFilter) []users.DataEvent {
	return slices.DeleteFunc(s.Users.AccountDataSince(s.viewer.UserID, roomID, s.since), func(event users.DataEvent) bool {
		return !filter.admits(roomID) && roomID != "" || !filter.admitsType(event.Type, "")
	})
}

// presence returns the changed presence of the user, and of users that share a room with it.
func (s *syncing) presence() []object {
	events := []object{}
	for userID, presence := range s.Users.PresenceSince(s.since, s.now) {
		if userID != s.viewer.UserID && !s.sharesNow(userID) || !s.filter.Presence.admitsType("m.presence", userID) {
			continue
		}
		events = append(events, object{"type": "m.presence", "sender": userID, "content": presence})
	}
	return events
}

// sharesNow reports whether a user is in one of the user's rooms.
func (s *syncing) sharesNow(userID string) bool {
	return slices.ContainsFunc(s.memberships, func(m rooms.Membership) bool {
		return m.Membership == "join" && m.Room != nil && m.Room.Membership(userID) == "join"
	})
}

// deviceLists returns the users whose devices changed between two positions or that came to share a room with the user,
// and those that no longer share one (client-server API, "Tracking the device list for a user").
func (a *API) deviceLists(userID string, since, until int64) object {
	s := sharing{userID, a.Rooms.MembershipsOf(userID)}
	changed, left := map[string]bool{}, map[string]bool{}
	for _, other := range a.Users.DeviceListChanged(since, until) {
		if other == userID || s.at(other, until) {
			changed[other] = true
		}
	}
	for _, m := range s.memberships {
		if m.Room == nil {
			continue
		}
		for _, other := range changedMembers(m.Room, userID, since, until) {
			if other == userID {
				continue
			}
			before, now := s.at(other, since), s.at(other, until)
			if now && !before {
				changed[other] = true
			}
			if before && !now {
				left[other] = true
			}
		}
		for _, event := range m.Room.Resent(since, until) { // only now is their user ID known
			if key, _ := event.StateKey(); s.at(m.Room.UserID(key), until) {
				changed[m.Room.UserID(key)] = true
			}
		}
	}
	return object{"changed": sortedNames(changed), "left": sortedNames(left)}
}

func sortedNames(names map[string]bool) []string {
	list := []string{}
	for name := range names {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// sharing knows who shares rooms with a user, now and earlier.
type sharing struct {
	userID      string
	memberships []rooms.Membership
}

// at reports whether another user shared a room with the user at a position.
func (s sharing) at(other string, position int64) bool {
	return slices.ContainsFunc(s.memberships, func(m rooms.Membership) bool {
		return m.Room != nil && m.Room.MembershipAt(s.userID, position) == "join" && m.Room.MembershipAt(other, position) == "join"
	})
}

// changedMembers returns the users that joined or left a room between two positions: all members if the user itself
// did.
func changedMembers(room *rooms.Room, userID string, since, until int64) []string {
	before, now := room.StateAt(since), room.StateAt(until)
	own, _ := room.Sender(userID)
	itself := before.Membership(own) != now.Membership(own)
	members := map[string]bool{}
	for key, event := range now {
		if key.Type == memberType && (itself || before[key] != event && before.Membership(key.Key) != now.Membership(key.Key)) {
			members[room.UserID(key.Key)] = true
		}
	}
	return sortedNames(members)
}

// marshal marshals a value that was made here.
func marshal(value any) json.RawMessage {
	raw, err := json.Marshal(value)
	if err != nil {
		panic("clientapi: a value that is made here cannot be written: " + err.Error())
	}
	return raw
}
