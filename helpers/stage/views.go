package stage

import (
	"iter"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
)

// View is what one endpoint of the client-server API shows of a room.
type View struct {
	Name   string
	Events []gjson.Result
	Keys   []string // user IDs that are keys (joined_members)
}

// Views returns all views of a room: initial /sync, /messages, /members, /state and /joined_members. A view that the server refuses
// is omitted and noted.
func (u *User) Views(roomID string) []View { return slices.Collect(u.eachView(roomID)) }

// SomeView reports whether has returns true for one of the views of a room (Views). It requests no more views than it needs.
func (u *User) SomeView(roomID string, has func(View) bool) bool {
	for view := range u.eachView(roomID) {
		if has(view) {
			return true
		}
	}
	return false
}

// eachView requests the views of a room one by one.
func (u *User) eachView(roomID string) iter.Seq[View] {
	ctx := u.stage.C.Context()
	events := func(path string) func(*csapi.Response) View {
		return func(answer *csapi.Response) View { return View{Events: answer.Get(path).Array()} }
	}
	ways := []struct {
		name string
		ask  func() (*csapi.Response, error)
		read func(*csapi.Response) View
	}{
		{"/sync", func() (*csapi.Response, error) { return u.Sync(ctx, "", 0, "") }, func(answer *csapi.Response) View {
			return View{Events: csapi.EventsIn(answer, roomID)}
		}},
		{"/messages", func() (*csapi.Response, error) { return u.Messages(ctx, roomID, "", "b", 100) }, events("chunk")},
		{"/members", func() (*csapi.Response, error) { return u.Members(ctx, roomID, nil) }, events("chunk")},
		{"/state", func() (*csapi.Response, error) { return u.State(ctx, roomID) }, events("@this")},
		{"/joined_members", func() (*csapi.Response, error) { return u.JoinedMembers(ctx, roomID) }, func(answer *csapi.Response) View {
			return View{Keys: keysOf(answer.Get("joined"))}
		}},
	}
	return func(yield func(View) bool) {
		for _, way := range ways {
			answer, err := way.ask()
			if u.isRefused(way.name, err) {
				continue
			}
			view := way.read(answer)
			view.Name = way.name
			if !yield(view) {
				return
			}
		}
	}
}

// CloserViews returns the views of single events of a room: GET /event and GET /context. A view that the server refuses is omitted
// and noted.
func (u *User) CloserViews(roomID string, eventIDs ...string) []View {
	c := u.stage.C
	var views []View
	add := func(name string, err error, read func() []gjson.Result) {
		if !u.isRefused(name, err) {
			views = append(views, View{Name: name, Events: read()})
		}
	}
	for _, eventID := range eventIDs {
		event, err := u.Event(c.Context(), roomID, eventID)
		add("/event", err, func() []gjson.Result { return []gjson.Result{event.JSON()} })
		around, err := u.Context(c.Context(), roomID, eventID, 20)
		add("/context", err, func() []gjson.Result {
			events := []gjson.Result{around.Get("event")}
			for _, place := range []string{"events_before", "events_after", "state"} {
				events = append(events, around.Get(place).Array()...)
			}
			return events
		})
	}
	return views
}

// isRefused reports, and notes, whether a server refused a view. It ends the check if there is no usable answer: its absence would
// look like a view without forbidden content.
func (u *User) isRefused(view string, err error) bool {
	c := u.stage.C
	switch {
	case csapi.NoAnswer(err):
		c.Need("resilience/stays-up", err)
	case csapi.Unusable(err):
		c.Need("client-view/unmodified-client", err)
	case err != nil:
		c.Notef("%s was refused: %v", view, err)
	}
	return err != nil
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
