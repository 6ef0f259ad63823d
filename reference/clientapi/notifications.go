package clientapi

// This file counts a user's unread events, and lists the user's notifications (client-server API, "Receiving
// notifications").

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"sync"

	"github.com/tidwall/gjson"

	"msc4014/reference/rooms"
	"msc4014/reference/users"
	"msc4014/reference/users/pushrules"
)

// counts are the unread counts of a room or a thread.
type counts struct {
	Notifications int `json:"notification_count"`
	Highlights    int `json:"highlight_count"`
}

func (c counts) plus(other counts) counts {
	return counts{c.Notifications + other.Notifications, c.Highlights + other.Highlights}
}

// unreadCounts caches counts, so that only new events need to be evaluated.
type unreadCounts struct {
	lock  *sync.Mutex
	known map[[2]string]unread // by user ID and room ID
}

// unread has the unread counts of a user in a room.
type unread struct {
	upTo     int64             // later events have not been counted yet
	from     int64             // events up to here count as read
	receipts int64             // the position of the user's latest receipt at the time of counting
	byThread map[string]counts // "main" is the main timeline
}

func newUnreadCounts() unreadCounts {
	return unreadCounts{&sync.Mutex{}, map[[2]string]unread{}}
}

// unreadOf returns the counts of a room's main timeline, and of each thread with unread events. Events up to joined,
// from before the user joined, count as read.
func (a *API) unreadOf(room *rooms.Room, userID string, joined, now int64) (main counts, threads map[string]counts) {
	receipts := a.ownReceipts(room, userID)
	latest := int64(0)
	for _, r := range receipts {
		latest = max(latest, r.Position)
	}
	a.unread.lock.Lock()
	defer a.unread.lock.Unlock()
	key := [2]string{userID, room.ID()}
	known, found := a.unread.known[key]
	if !found || known.receipts != latest || known.from != joined || known.upTo > now {
		known = unread{upTo: joined, from: joined, receipts: latest}
	}
	byThread := map[string]counts{}
	for thread, of := range known.byThread {
		byThread[thread] = of
	}
	a.count(room, userID, readBy(room, receipts), known.upTo, now, byThread)
	known.upTo, known.byThread = now, byThread
	a.unread.known[key] = known
	threads = map[string]counts{}
	for thread, of := range byThread {
		if thread == "main" {
			main = of
		} else if of != (counts{}) {
			threads[thread] = of
		}
	}
	return main, threads
}

func (a *API) ownReceipts(room *rooms.Room, userID string) []users.Receipt {
	all := a.Users.ReceiptsSince(userID, room.ID(), 0)
	return slices.DeleteFunc(all, func(r users.Receipt) bool { return r.UserID != userID })
}

// readBy returns how far a user has read, by thread; "" is the whole room.
func readBy(room *rooms.Room, receipts []users.Receipt) map[string]int64 {
	read := map[string]int64{}
	for _, r := range receipts {
		if event := room.Event(r.EventID); event != nil {
			read[r.ThreadID] = max(read[r.ThreadID], event.Position)
		}
	}
	return read
}

// threadOf returns the thread that an event is in.
func threadOf(event *rooms.Event) string {
	if relation, root := relationOf(event); relation == thread {
		return root
	}
	return "main"
}

// count adds the events between two positions. A user that sends an event has read everything before it.
func (a *API) count(room *rooms.Room, userID string, read map[string]int64, after, upTo int64, byThread map[string]counts) {
	rules, facts := a.Users.PushRules(userID), factsOf(room, userID)
	events, _ := room.Forward(userID, after, upTo+1, math.MaxInt, nil)
	for _, event := range events {
		in := threadOf(event)
		if room.UserID(event.Sender()) == userID {
			delete(byThread, in)
			continue
		}
		if event.Position <= max(read[""], read[in]) {
			continue
		}
		outcome := rules.Evaluate(room.View(event, rooms.Viewer{UserID: userID}, nil), facts)
		if outcome.Notify {
			more := counts{Notifications: 1}
			if outcome.Highlight {
				more.Highlights = 1
			}
			byThread[in] = byThread[in].plus(more)
		}
	}
}

// factsOf returns the facts about a room that push rules need.
func factsOf(room *rooms.Room, userID string) pushrules.Facts {
	state := room.State()
	facts := pushrules.Facts{UserID: userID, Members: len(room.MemberUserIDs("join"))}
	sender, _ := room.Sender(userID)
	if member := state.Member(sender); member != nil {
		facts.DisplayName = member.Content("displayname").String()
	}
	levels := state.PowerLevels()
	facts.MayNotify = func(userID, notification string) bool {
		sender, _ := room.Sender(userID)
		return levels.Of(sender) >= levels.ForNotification(notification)
	}
	return facts
}

// notification is an event that a user was notified of.
type notification struct {
	Actions   []json.RawMessage `json:"actions"`
	Event     json.RawMessage   `json:"event"`
	Read      bool              `json:"read"`
	RoomID    string            `json:"room_id"`
	Timestamp int64             `json:"ts"`
	position  int64
}

func (a *API) notifications(r *request) (any, error) {
	limit, err := limitOf(r.query("limit"), 50)
	if err != nil {
		return nil, err
	}
	from, err := tokenOr(r.query("from"), unlimited)
	if err != nil {
		return nil, err
	}
	found := []notification{}
	pushRules := a.Users.PushRules(r.UserID)
	for _, m := range a.Rooms.MembershipsOf(r.UserID) {
		if m.Room == nil || m.Membership != "join" {
			continue
		}
		read, facts := readBy(m.Room, a.ownReceipts(m.Room, r.UserID)), factsOf(m.Room, r.UserID)
		events, _ := m.Room.Backward(r.UserID, from, m.Since, math.MaxInt, nil)
		for _, event := range events {
			view := m.Room.View(event, r.viewer(), nil)
			outcome := pushRules.Evaluate(view, facts)
			if !outcome.Notify || r.query("only") == "highlight" && !outcome.Highlight {
				continue
			}
			found = append(found, notification{
				Actions: outcome.Actions, Event: view, RoomID: m.RoomID, position: event.Position,
				Read:      event.Position <= max(read[""], read[threadOf(event)]),
				Timestamp: gjson.GetBytes(view, "origin_server_ts").Int(),
			})
		}
	}
	slices.SortFunc(found, func(x, y notification) int { return cmp.Compare(y.position, x.position) })
	answer := object{}
	if len(found) > limit && limit > 0 {
		found = found[:limit]
		answer["next_token"] = token(found[limit-1].position)
	}
	answer["notifications"] = found
	return answer, nil
}
