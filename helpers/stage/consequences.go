package stage

import (
	"iter"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
)

// View is one way in which a client sees a room.
type View struct {
	Name   string
	Events []gjson.Result // the events that it holds
	Keys   []string       // user IDs that it is keyed by (joined_members)
}

// Views looks at a room in every way that the suite knows: initial /sync, /messages, /members, /state and
// /joined_members. A view that the server refuses is left out, and noted.
func (u *User) Views(roomID string) []View { return slices.Collect(u.look(roomID)) }

// SomeView tells whether one of the views of a room (Views) has something. It looks no further than that.
func (u *User) SomeView(roomID string, has func(View) bool) bool {
	for view := range u.look(roomID) {
		if has(view) {
			return true
		}
	}
	return false
}

// look asks for one view of a room after the other.
func (u *User) look(roomID string) iter.Seq[View] {
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

// isRefused reports, with a note, whether a server refused a view. No answer, or one that is out of bounds, ends the check:
// nothing that must not be seen can be looked for in it.
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

// keysOf are the names of an object's members.
func keysOf(object gjson.Result) (keys []string) {
	object.ForEach(func(key, _ gjson.Result) bool {
		keys = append(keys, key.String())
		return true
	})
	return keys
}

// Shows tells where a view shows a user as sender, state key or member: "" if nowhere.
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

// Has tells whether a view holds an event.
func (v View) Has(eventID string) bool {
	return slices.ContainsFunc(v.Events, func(event gjson.Result) bool { return event.Get("event_id").String() == eventID })
}

// ShownAs is who a view says sent an event, "" if it does not hold it.
func (v View) ShownAs(eventID string) string {
	for _, event := range v.Events {
		if event.Get("event_id").String() == eventID {
			return event.Get("sender").String()
		}
	}
	return ""
}

// NotHonoured sees to it that a claim of a user ID, made by an event of the sender key, is not honoured: the user ID is
// in no client view as sender, state key or member, and neither is the raw key. It needs a positive control before it,
// and a barrier after the lie. What the event's fate was is noted. It returns the views that it looked at.
func (u *User) NotHonoured(roomID string, lie federation.Event, claimed string) []View {
	c := u.stage.C
	c.NeedControl()
	fate := "the event is in no client view"
	var shown, raw []string
	views := u.Views(roomID)
	for _, view := range views {
		if where := view.Shows(claimed); where != "" {
			shown = append(shown, view.Name+" "+where)
		}
		if where := view.Shows(lie.Sender()); where != "" {
			raw = append(raw, view.Name+" "+where)
		}
		if sender := view.ShownAs(lie.ID()); sender != "" {
			fate = "the event is shown, sent by " + sender
		}
	}
	if len(shown) > 0 {
		c.Errorf("clients are shown %s, which the key %s only claimed: %s", claimed, lie.Sender(), strings.Join(shown, ", "))
	}
	if len(raw) > 0 {
		c.Errorf("clients are shown the raw key %s: %s", lie.Sender(), strings.Join(raw, ", "))
	}
	c.Notef("%s", fate)
	return views
}

// Refused sees to it that an event is refused: in no client view and in no room state. It needs a positive control
// before it, and a barrier after the event. It returns the views that it looked at.
func (u *User) Refused(roomID string, lie federation.Event) []View {
	c := u.stage.C
	c.NeedControl()
	var holding []string
	views := u.Views(roomID)
	for _, view := range views {
		if view.Has(lie.ID()) {
			holding = append(holding, view.Name)
		}
	}
	if len(holding) > 0 {
		c.Errorf("the event %s must be refused and is in %s", lie.ID(), strings.Join(holding, ", "))
	}
	if _, err := u.Event(c.Context(), roomID, lie.ID()); err == nil {
		c.Errorf("GET /event serves the event %s that must be refused", lie.ID())
	}
	return views
}

// NotServed sees to it that no peer is served an event that must be refused: neither in the state and auth chain that
// a later joiner gets, nor by /event.
func (r *Room) NotServed(lie federation.Event) {
	c := r.stage.C
	c.NeedControl()
	if _, known := r.Event(lie.ID()); known {
		c.Errorf("a server that joined later was served the event %s that must be refused", lie.ID())
	}
	ctx, cancel := c.Within(Patience)
	defer cancel()
	served, err := r.peer.Serves(ctx, r.server, r.Room, lie.ID())
	if err != nil {
		c.Need("resilience/stays-up", err)
	}
	if served {
		c.Errorf("GET /event serves peers the event %s that must be refused", lie.ID())
	}
}

// OnlyLookedUp sees to it that nothing but key look-ups and discovery reached the peer because of a room: no event of
// it, no transaction, no query. It needs a positive control and a barrier before it.
func (p *Peer) OnlyLookedUp(roomID string) {
	c := p.stage.C
	c.NeedControl()
	for _, request := range p.Requests() {
		switch request.Endpoint {
		case federation.ServerKeys, federation.KeyQuery, federation.Version, federation.WellKnown:
			continue
		}
		if names(request, roomID) {
			c.Errorf("the claimed domain %s was sent a request about the room: %s", p.Name(), request.String())
		}
	}
}

// names tells whether a request names a room: in its path, escaped or not, in its query or in its body.
func names(request federation.Request, roomID string) bool {
	if slices.Contains(request.Parameters, roomID) || strings.Contains(request.URI, roomID) || strings.Contains(string(request.Body), roomID) {
		return true
	}
	unescaped, err := url.PathUnescape(request.URI)
	return err == nil && strings.Contains(unescaped, roomID)
}
