package stage

import (
	"github.com/tidwall/gjson"
)

// CloserViews looks at single events of a room in the ways that are about one: GET /event and GET /context. A view that
// the server refuses is left out, and noted, as by Views.
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
