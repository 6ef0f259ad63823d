package delivery

// The ways by which events that other servers wrote reach the server under test. All of them are in rooms of a peer,
// mallory, which either alice of the server under test is in already, or which she enters with the event in it.

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"

	"msc4014/helpers/federation"
)

// Builder makes an event of what would be an honest one.
type Builder func(p Scene, honest Honestly) federation.Template

// Path is one way by which an event reaches the server. When deliver returns, the server has dealt with it.
type Path struct {
	Name   string
	kinds  []Kind // that it carries, the usual one first
	Enters bool   // alice enters the room with the event in it
	// gap: the server misses something before it. Of several gaps in one room, deployed servers fill the first alone, so that
	// each event has a room of its own.
	gap bool
	// deliver brings the event to the server and returns what it answered; outside says that it did not enter the room.
	Deliver func(p Scene, event federation.Event) (answer string, outside bool)
}

var Paths = []Path{
	{
		Name: "send", kinds: []Kind{Message, MemberState, PrivilegedState, Join},
		Deliver: func(p Scene, event federation.Event) (string, bool) {
			answer, err := p.Room.Pushes(event)
			p.C.Need("resilience/stays-up", err)
			p.Barrier()
			return answer.Answer.String(), false
		},
	},
	{
		Name: "send_join", kinds: []Kind{Join},
		Deliver: func(p Scene, event federation.Event) (string, bool) {
			ctx, cancel := p.Mallory.Within()
			defer cancel()
			answer, err := p.Mallory.SendJoin(ctx, p.ServerName(1), p.Room.ID(), event)
			p.C.Need("resilience/stays-up", err)
			p.Barrier()
			return Short(answer.Answer), false
		},
	},
	{
		Name: "the state of send_join", kinds: []Kind{Join, PrivilegedState}, Enters: true,
		Deliver: func(p Scene, event federation.Event) (string, bool) {
			p.Room.Apply(event)
			// What clients look back to would be another way.
			p.Mallory.Handle(federation.Backfill, func(*federation.Request, func() federation.Answer) federation.Answer {
				return federation.JSON(http.StatusOK, map[string]any{"origin": p.Mallory.Name(), "origin_server_ts": 0, "pdus": []any{}})
			})
			return p.Enters()
		},
	},
	{
		// The event is neither in the room's state nor among what authorises that: it comes when a client looks back.
		Name: "backfill", kinds: []Kind{Message}, Enters: true,
		Deliver: func(p Scene, event federation.Event) (string, bool) {
			p.Room.Apply(event)
			p.Room.Apply(p.Room.Builds(MessageBy(p.Carol, "said before alice came")))
			answer, outside := p.Enters()
			if !outside {
				p.Alice.Views(p.Room.ID())
			}
			return answer, outside
		},
	},
	{
		Name: "get_missing_events", kinds: []Kind{Message, MemberState, PrivilegedState, Join}, gap: true,
		Deliver: func(p Scene, event federation.Event) (string, bool) {
			return p.AfterGap(event, federation.GetMissingEvents)
		},
	},
	{
		// The server is given the gap without the event, and so asks for the state there.
		Name: "state", kinds: []Kind{MemberState, PrivilegedState, Join}, gap: true,
		Deliver: func(p Scene, event federation.Event) (string, bool) {
			remove := p.Mallory.Handle(federation.GetMissingEvents, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
				answer, kept := honest(), []json.RawMessage{}
				for _, missing := range answer.Get("events").Array() {
					if federation.NewEvent([]byte(missing.Raw), event.Format()).ID() != event.ID() {
						kept = append(kept, json.RawMessage(missing.Raw))
					}
				}
				return answer.Set("events", kept)
			})
			defer remove()
			return p.AfterGap(event, federation.GetStateIDs, federation.GetState)
		},
	},
}

// carries tells by which kind of event a false event can be told along the way, and whether it can at all.
func (w Path) carries(event Forgery) (Kind, bool) {
	if w.Enters && event.Prepare != nil || event.Paths != nil && !slices.Contains(event.Paths, w.Name) {
		return 0, false
	}
	for _, kind := range w.kinds {
		if slices.Contains(event.Kinds, kind) {
			return kind, true
		}
	}
	return 0, false
}

// tell tells an event of a kind along the way, for a false event or what that is when it is right.
func (w Path) tell(p Scene, of Forgery, kind Kind, made Builder) Delivered {
	switch {
	case w.Enters:
		p.Room = p.MakesRoom()
	case w.gap:
		p.opensRoom(of)
	}
	told := Delivered{kind: kind, Room: p.Room, newcomer: p.Mallory.User(fmt.Sprintf("newcomer-%d", len(p.Room.Events())))}
	template := made(p, func(by *federation.User) federation.Template { return p.honestly(kind, by, told.newcomer) })
	event, err := template.Build()
	if err != nil {
		p.C.SuiteError(err)
	}
	told.Event = event
	told.answer, told.Outside = w.Deliver(p, event)
	return told
}

// honestly makes a right event of a kind, at the room's end.
func (p Scene) honestly(kind Kind, by, newcomer *federation.User) federation.Template {
	proto := federation.Proto{Sender: by, Type: "m.room.message", Content: Text("said by a member")}
	switch kind {
	case Join:
		return p.Room.MemberTemplate(newcomer, "join")
	case MemberState, PrivilegedState:
		proto.Type = map[Kind]string{MemberState: MemberStateType, PrivilegedState: PrivilegedStateType}[kind]
		proto.StateKey = federation.StateKey(newcomer.ID()[1:])
		proto.Content = map[string]string{"note": "written by a member"}
	}
	template, err := p.Room.Template(proto)
	if err != nil {
		p.C.SuiteError(err)
	}
	return template
}

func Text(body string) map[string]string { return map[string]string{"msgtype": "m.text", "body": body} }

// MessageBy is a text message.
func MessageBy(user *federation.User, body string) federation.Proto {
	return federation.Proto{Type: "m.room.message", Sender: user, Content: Text(body)}
}

// Enters lets alice enter mallory's room, and waits until her client sees what is said there.
func (p Scene) Enters() (answer string, outside bool) {
	if _, err := p.Alice.JoinRoom(p.C.Context(), p.Room.ID(), p.Mallory.Name()); err != nil {
		return "a refusal to enter the room: " + err.Error(), true
	}
	p.Barrier()
	return "entering the room", false
}

// AfterGap sends the server an event that stands two events after the one to be told, and waits until it has dealt with
// it. The barrier stands beside the gap, not behind it: it arrives whatever the server makes of that. asked are the
// requests by which the server may have come by the event.
func (p Scene) AfterGap(event federation.Event, asked ...federation.Endpoint) (answer string, outside bool) {
	c, before := p.C, len(p.Mallory.Requests())
	says := func(body string) federation.Event { return p.Room.Builds(MessageBy(p.Carol, body)) }
	barrier := says("said beside the gap")
	p.Room.Apply(event)
	p.Room.Apply(says("said in the gap"))
	after := says("said after the gap")
	p.Room.Apply(after)
	response, err := p.Room.Pushes(after)
	c.Need("resilience/stays-up", err)
	p.Room.Delivers(barrier)
	p.Alice.Blaming(p.demand()).AwaitsEvent(p.Room.ID(), barrier.ID())
	p.Asked(before, asked...)
	return response.Answer.String(), false
}

// MembershipPaths are ways that only member events other than joins take.
var MembershipPaths = []Path{
	{Name: "send_leave", Deliver: func(p Scene, event federation.Event) (string, bool) { return p.puts("v2/send_leave", event) }},
	{Name: "send_knock", Deliver: func(p Scene, event federation.Event) (string, bool) { return p.puts("v1/send_knock", event) }},
}

// puts sends a member event at an endpoint of its own.
func (p Scene) puts(endpoint string, event federation.Event) (string, bool) {
	ctx, cancel := p.Mallory.Within()
	defer cancel()
	uri := "/_matrix/federation/" + endpoint + "/" + url.PathEscape(p.Room.ID()) + "/" + url.PathEscape(event.ID())
	answer, err := p.Mallory.Do(ctx, p.ServerName(1), http.MethodPut, uri, event.JSON())
	p.C.Need("resilience/stays-up", err)
	if answer.Status == http.StatusNotFound && answer.ErrCode() == "M_UNRECOGNIZED" || answer.Status == http.StatusNotImplemented {
		p.C.Unsupported("the server does not know %s: %s", endpoint, answer)
	}
	p.Barrier()
	return answer.String(), false
}

// WithAnswer adds what the server answered to an error.
func WithAnswer(err error, answer string) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, errors.New("the server answered "+answer))
}

// Short is an answer in few words: that of an accepted join holds the whole state of the room.
func Short(answer federation.Answer) string {
	if answer.OK() && answer.Get("state").Exists() {
		return "200 and the room's state"
	}
	return answer.String()
}
