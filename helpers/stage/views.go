package stage

import (
	"errors"
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
)

// View is what one endpoint of the client-server API shows of a room.
type View struct {
	Name   string
	Events []gjson.Result
	Keys   []string // user IDs that are keys (joined_members)
	Heroes []string // the user IDs of the room's summary (/sync)
}

// Views returns all views of a room: initial /sync, /messages, /members, /state and /joined_members. A view that the server refuses
// is omitted. The check fails if it was to be had before: what was seen before must be seen after (LooksAgain).
func (u *User) Views(roomID string) []View {
	views, lost := u.LooksAgain(roomID)
	u.loses(lost)
	return views
}

// loses fails the check, or blocks it by whichever requirement the user blames, because of views that are refused.
func (u *User) loses(lost []string) {
	for _, each := range lost {
		if u.blame != "" || u.stage.sharing != "" {
			u.need(errors.New(each))
		}
		u.stage.C.Errorf("%s", each)
	}
}

// LooksBefore is Views for positive controls: it notes which of the views the server refuses already, and judges nothing.
func (u *User) LooksBefore(roomID string) []View { return u.notes(u.views(roomID)) }

// LooksAgain is Views for scenes that checks share: it says of each refused view that was to be had before, and fails nothing. A
// view was to be had if the user was given it for the control (LooksBefore), or in another place of the check. If it was not asked for
// yet, another user is given it in a room of its own.
func (u *User) LooksAgain(roomID string) (views []View, lost []string) {
	return u.sift(u.views(roomID))
}

// SomeView reports whether has returns true for one of the views of a room, for positive controls (LooksBefore).
func (u *User) SomeView(roomID string, has func(View) bool) bool {
	return slices.ContainsFunc(u.LooksBefore(roomID), has)
}

// Browses requests all views of a room, so that the server fetches what it lacks of it. It returns those that it is given, and judges
// nothing.
func (u *User) Browses(roomID string) []View { return u.looks(u.views(roomID), func(string, error) {}) }

// LooksCloser is LooksAgain for the views of single events of a room: GET /event and GET /context.
func (u *User) LooksCloser(roomID string, eventIDs ...string) (views []View, lost []string) {
	return u.sift(u.closerViews(roomID, eventIDs...))
}

// LooksCloserBefore is LooksCloser for positive controls, like LooksBefore.
func (u *User) LooksCloserBefore(roomID string, eventIDs ...string) []View {
	return u.notes(u.closerViews(roomID, eventIDs...))
}

// The names of the views that list the members of a room, and of those of single events.
const (
	membersView       = "/members"
	stateView         = "/state"
	joinedMembersView = "/joined_members"

	eventView   = "/event"
	contextView = "/context"
)

// wayToLook is how a view is requested and read.
type wayToLook struct {
	name string
	ask  func() (*csapi.Response, error)
	read func(*csapi.Response) View
}

// views are the ways to look at a room.
func (u *User) views(roomID string) []wayToLook {
	ctx := u.stage.C.Context()
	events := func(path string) func(*csapi.Response) View {
		return func(answer *csapi.Response) View { return View{Events: answer.Get(path).Array()} }
	}
	return []wayToLook{
		{"/sync", func() (*csapi.Response, error) { return u.Sync(ctx, "", 0, "") }, func(answer *csapi.Response) View {
			return View{Events: csapi.EventsIn(answer, roomID), Heroes: heroesOf(answer, roomID)}
		}},
		{"/messages", func() (*csapi.Response, error) { return u.Messages(ctx, roomID, "", "b", 100) }, events("chunk")},
		{membersView, func() (*csapi.Response, error) { return u.Members(ctx, roomID, nil) }, events("chunk")},
		{stateView, func() (*csapi.Response, error) { return u.State(ctx, roomID) }, events("@this")},
		{joinedMembersView, func() (*csapi.Response, error) { return u.Client.JoinedMembers(ctx, roomID) }, func(answer *csapi.Response) View {
			return View{Keys: keysOf(answer.Get("joined"))}
		}},
	}
}

// closerViews are the ways to look at single events of a room.
func (u *User) closerViews(roomID string, eventIDs ...string) (ways []wayToLook) {
	ctx := u.stage.C.Context()
	for _, eventID := range eventIDs {
		ways = append(ways,
			wayToLook{eventView, func() (*csapi.Response, error) { return u.Event(ctx, roomID, eventID) }, func(event *csapi.Response) View {
				return View{Events: []gjson.Result{event.JSON()}}
			}},
			wayToLook{contextView, func() (*csapi.Response, error) { return u.Context(ctx, roomID, eventID, 20) }, func(around *csapi.Response) View {
				events := []gjson.Result{around.Get("event")}
				for _, place := range []string{"events_before", "events_after", "state"} {
					events = append(events, around.Get(place).Array()...)
				}
				return View{Events: events}
			}},
		)
	}
	return ways
}

// looks requests views, tells each of every one whether it was refused, and returns the others. It ends the check if there is no
// usable answer: its absence would look like a view without forbidden content.
func (u *User) looks(ways []wayToLook, each func(name string, refusal error)) (views []View) {
	c := u.stage.C
	for _, way := range ways {
		answer, err := way.ask()
		switch {
		case csapi.NoAnswer(err):
			c.Need("resilience/stays-up", err)
		case csapi.Unusable(err):
			c.Need("client-view/unmodified-client", err)
		case err != nil:
			c.Notef("%s was refused: %v", way.name, err)
		default:
			view := way.read(answer)
			view.Name = way.name
			views = append(views, view)
		}
		each(way.name, err)
	}
	return views
}

// notes requests views, and notes which of them the user is given.
func (u *User) notes(ways []wayToLook) []View {
	return u.looks(ways, func(name string, refusal error) { u.stage.sees(u, name, refusal == nil) })
}

// sift requests views, and tells those that the user is given from those that are lost.
func (u *User) sift(ways []wayToLook) (views []View, lost []string) {
	views = u.looks(ways, func(name string, refusal error) {
		switch {
		case refusal == nil:
			u.stage.sees(u, name, true)
		case u.saw(name):
			lost = append(lost, fmt.Sprintf("%s is refused, which clients were given before: %v", name, refusal))
		}
	})
	return views, lost
}

// glance is a view that a user looked at, in any room.
type glance struct{ userID, view string }

// sees notes whether a user was given a view.
func (s *Stage) sees(u *User, view string, given bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seen == nil {
		s.seen = map[glance]bool{}
	}
	s.seen[glance{u.UserID, view}] = given
}

// Given returns the views that the user looked at, and whether it was given them when it last did.
func (u *User) Given() map[string]bool {
	s := u.stage
	s.mu.Lock()
	defer s.mu.Unlock()
	given := map[string]bool{}
	for looked, was := range s.seen {
		if looked.userID == u.UserID {
			given[looked.view] = was
		}
	}
	return given
}

// Recalls takes the views of another user, who looked at them for a control that checks share, for the user's own (Given).
func (u *User) Recalls(given map[string]bool) {
	for view, was := range given {
		u.stage.sees(u, view, was)
	}
}

// saw reports whether the user was given a view when it last looked at it. If it never did, another user looks at a room of its own.
func (u *User) saw(view string) bool {
	s := u.stage
	s.mu.Lock()
	given, looked := s.seen[glance{u.UserID, view}]
	s.mu.Unlock()
	if looked {
		return given
	}
	other, err := s.TryUser(u.place, "witness")
	if err != nil {
		return false
	}
	roomID, err := other.TryRoom(s.Format().RoomVersion)
	if err != nil {
		return false
	}
	ways := other.views(roomID)
	if view == eventView || view == contextView {
		said, err := other.SendMessage(s.C.Context(), roomID, "said to see what a client is shown")
		if err != nil {
			return false
		}
		ways = other.closerViews(roomID, said)
	}
	for _, way := range ways {
		if way.name == view {
			_, err := way.ask()
			given = err == nil
		}
	}
	s.sees(u, view, given)
	return given
}

// heroesOf returns the heroes of a joined room in an answer to /sync.
func heroesOf(sync *csapi.Response, roomID string) (userIDs []string) {
	for _, userID := range sync.Get("rooms.join." + gjson.Escape(roomID) + `.summary.m\.heroes`).Array() {
		userIDs = append(userIDs, userID.String())
	}
	return userIDs
}

// keysOf returns the keys of an object.
func keysOf(object gjson.Result) (keys []string) {
	object.ForEach(func(key, _ gjson.Result) bool {
		keys = append(keys, key.String())
		return true
	})
	return keys
}

// Shows says where a view has a user as sender, state key or member, or returns "".
func (v View) Shows(userID string) string {
	if slices.Contains(v.Keys, userID) {
		return "as a member"
	}
	for _, event := range v.Events {
		if event.Get("sender").String() == userID {
			return "as the sender of an event of type " + event.Get("type").String()
		}
		if event.Get("type").String() == "m.room.member" && event.Get("state_key").String() == userID {
			return "as the state key of a member event"
		}
	}
	return ""
}

// ListsMembers reports whether a view has all members of a room.
func (v View) ListsMembers() bool {
	return v.Name == membersView || v.Name == stateView || v.Name == joinedMembersView
}

// HasMember reports whether a view that lists the members of a room has a user as a joined one.
func (v View) HasMember(userID string) bool {
	joined := match.Membership(userID, "join")
	return slices.Contains(v.Keys, userID) ||
		slices.ContainsFunc(v.Events, func(event gjson.Result) bool { return joined(event) == nil })
}

// Users returns the user IDs that a view shows as sender, state key of a member event or member, each with where it shows it first.
func (v View) Users() map[string]string {
	users := map[string]string{}
	add := func(userID, where string) {
		if _, known := users[userID]; !known {
			users[userID] = where
		}
	}
	for _, userID := range v.Keys {
		add(userID, "as a member")
	}
	for _, event := range v.Events {
		add(event.Get("sender").String(), "as the sender of an event of type "+event.Get("type").String())
		if event.Get("type").String() == "m.room.member" {
			add(event.Get("state_key").String(), "as the state key of a member event")
		}
	}
	return users
}

// Has reports whether a view has an event.
func (v View) Has(eventID string) bool {
	return slices.ContainsFunc(v.Events, func(event gjson.Result) bool { return event.Get("event_id").String() == eventID })
}

// ShownAs returns the sender of an event in a view, or "" if the view does not have the event.
func (v View) ShownAs(eventID string) string {
	for _, event := range v.Events {
		if event.Get("event_id").String() == eventID {
			return event.Get("sender").String()
		}
	}
	return ""
}
