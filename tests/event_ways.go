package main

// The ways by which events that other servers wrote reach the server under test. All of them are in rooms of a peer,
// mallory, which either alice of the server under test is in already, or which she enters with the event in it.

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"

	"msc4014/helpers/federation"
)

// making makes an event of what would be an honest one.
type making func(p players, honest honest) federation.Template

// eventWay is one way by which an event reaches the server. When deliver returns, the server has dealt with it.
type eventWay struct {
	name   string
	kinds  []eventKind // that it carries, the usual one first
	enters bool        // alice enters the room with the event in it
	// gap: the server misses something before it. Of several gaps in one room, deployed servers fill the first alone, so that
	// each event has a room of its own.
	gap bool
	// deliver brings the event to the server and returns what it answered; outside says that it did not enter the room.
	deliver func(p players, event federation.Event) (answer string, outside bool)
}

var eventWays = []eventWay{
	{
		name: "send", kinds: []eventKind{aMessage, aNote, aLaw, aJoin},
		deliver: func(p players, event federation.Event) (string, bool) {
			answer, err := p.room.Pushes(event)
			p.C.Need("resilience/stays-up", err)
			p.barrier()
			return answer.Answer.String(), false
		},
	},
	{
		name: "send_join", kinds: []eventKind{aJoin},
		deliver: func(p players, event federation.Event) (string, bool) {
			ctx, cancel := p.mallory.Within()
			defer cancel()
			answer, err := p.mallory.SendJoin(ctx, p.ServerName(1), p.room.ID(), event)
			p.C.Need("resilience/stays-up", err)
			p.barrier()
			return told(answer.Answer), false
		},
	},
	{
		name: "the state of send_join", kinds: []eventKind{aJoin, aLaw}, enters: true,
		deliver: func(p players, event federation.Event) (string, bool) {
			p.room.Apply(event)
			// What clients look back to would be another way.
			p.mallory.Handle(federation.Backfill, func(*federation.Request, func() federation.Answer) federation.Answer {
				return federation.JSON(http.StatusOK, map[string]any{"origin": p.mallory.Name(), "origin_server_ts": 0, "pdus": []any{}})
			})
			return p.enters()
		},
	},
	{
		// The event is neither in the room's state nor among what authorises that: it comes when a client looks back.
		name: "backfill", kinds: []eventKind{aMessage}, enters: true,
		deliver: func(p players, event federation.Event) (string, bool) {
			p.room.Apply(event)
			p.room.Apply(p.room.Builds(messageBy(p.carol, "said before alice came")))
			answer, outside := p.enters()
			if !outside {
				p.alice.Views(p.room.ID())
			}
			return answer, outside
		},
	},
	{
		name: "get_missing_events", kinds: []eventKind{aMessage, aNote, aLaw, aJoin}, gap: true,
		deliver: func(p players, event federation.Event) (string, bool) {
			return p.afterGap(event, federation.GetMissingEvents)
		},
	},
	{
		// The server is given the gap without the event, and so asks for the state there.
		name: "state", kinds: []eventKind{aNote, aLaw, aJoin}, gap: true,
		deliver: func(p players, event federation.Event) (string, bool) {
			remove := p.mallory.Handle(federation.GetMissingEvents, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
				answer, kept := honest(), []json.RawMessage{}
				for _, missing := range answer.Get("events").Array() {
					if federation.NewEvent([]byte(missing.Raw), event.Format()).ID() != event.ID() {
						kept = append(kept, json.RawMessage(missing.Raw))
					}
				}
				return answer.Set("events", kept)
			})
			defer remove()
			return p.afterGap(event, federation.GetStateIDs, federation.GetState)
		},
	},
}

// carries tells by which kind of event a false event can be told along the way, and whether it can at all.
func (w eventWay) carries(event falseEvent) (eventKind, bool) {
	if w.enters && event.prepare != nil || event.ways != nil && !slices.Contains(event.ways, w.name) {
		return 0, false
	}
	for _, kind := range w.kinds {
		if slices.Contains(event.kinds, kind) {
			return kind, true
		}
	}
	return 0, false
}

// tell tells an event of a kind along the way, for a false event or what that is when it is right.
func (w eventWay) tell(p players, of falseEvent, kind eventKind, made making) delivery {
	switch {
	case w.enters:
		p.room = p.makesRoom()
	case w.gap:
		p.opensRoom(of)
	}
	told := delivery{kind: kind, room: p.room, newcomer: p.mallory.User(fmt.Sprintf("newcomer-%d", len(p.room.Events())))}
	template := made(p, func(by *federation.User) federation.Template { return p.honestly(kind, by, told.newcomer) })
	event, err := template.Build()
	if err != nil {
		p.C.SuiteError(err)
	}
	told.event = event
	told.answer, told.outside = w.deliver(p, event)
	return told
}

// honestly makes a right event of a kind, at the room's end.
func (p players) honestly(kind eventKind, by, newcomer *federation.User) federation.Template {
	proto := federation.Proto{Sender: by, Type: "m.room.message", Content: text("said by a member")}
	switch kind {
	case aJoin:
		return p.room.MemberTemplate(newcomer, "join")
	case aNote, aLaw:
		proto.Type = map[eventKind]string{aNote: noteType, aLaw: lawType}[kind]
		proto.StateKey = federation.StateKey(newcomer.ID()[1:])
		proto.Content = map[string]string{"note": "written by a member"}
	}
	template, err := p.room.Template(proto)
	if err != nil {
		p.C.SuiteError(err)
	}
	return template
}

func text(body string) map[string]string { return map[string]string{"msgtype": "m.text", "body": body} }

// messageBy is a text message.
func messageBy(user *federation.User, body string) federation.Proto {
	return federation.Proto{Type: "m.room.message", Sender: user, Content: text(body)}
}

// enters lets alice enter mallory's room, and waits until her client sees what is said there.
func (p players) enters() (answer string, outside bool) {
	if _, err := p.alice.JoinRoom(p.C.Context(), p.room.ID(), p.mallory.Name()); err != nil {
		return "a refusal to enter the room: " + err.Error(), true
	}
	p.barrier()
	return "entering the room", false
}

// afterGap sends the server an event that stands two events after the one to be told, and waits until it has dealt with
// it. The barrier stands beside the gap, not behind it: it arrives whatever the server makes of that. asked are the
// requests by which the server may have come by the event.
func (p players) afterGap(event federation.Event, asked ...federation.Endpoint) (answer string, outside bool) {
	c, before := p.C, len(p.mallory.Requests())
	says := func(body string) federation.Event { return p.room.Builds(messageBy(p.carol, body)) }
	barrier := says("said beside the gap")
	p.room.Apply(event)
	p.room.Apply(says("said in the gap"))
	after := says("said after the gap")
	p.room.Apply(after)
	response, err := p.room.Pushes(after)
	c.Need("resilience/stays-up", err)
	p.room.Delivers(barrier)
	p.alice.Blaming(p.demand()).AwaitsEvent(p.room.ID(), barrier.ID())
	p.asked(before, asked...)
	return response.Answer.String(), false
}
