package clientview

// The endpoints by which clients read rooms: the rows of the table.

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
)

// endpoint is one way for clients to read a room.
type endpoint struct {
	name  string
	needs string // what must be in the room for it
	// users are the kinds of users that the request is about, if they are not members any more.
	users []string
	// pushed says that it is what an application service is pushed, on a server of its own.
	pushed bool
	// stripped says that it shows stripped state.
	stripped bool
	// ask requests it, once or more often.
	ask func(p *preparing) ([]*csapi.Response, error)
	// at are the gjson paths of its events; {room} is the room's ID.
	at    []string
	facts []fact
	// wholeState says that it shows the whole state of the room.
	wholeState bool
	// demands returns the IDs of the events that it must show; nil stands for those of the whole state.
	demands func(v viewed, given answers) []string
}

var (
	inTimeline = []string{"rooms.join.{room}.timeline.events"}
	inSync     = []string{"rooms.join.{room}.timeline.events", "rooms.join.{room}.state.events"}
	whenLeft   = []string{"rooms.leave.{room}.timeline.events", "rooms.leave.{room}.state.events"}
	ofMessages = []fact{bySender, withKey, byStateKey, unsigned, noKeys}
	ofState    = []fact{bySender, withKey, byStateKey, powerLevels, creator, unsigned, noKeys}
	ofNews     = []fact{bySender, withKey, byStateKey, powerLevels, unsigned, noKeys}
	// Stripped state and what application services are pushed need not have sender keys (client-view/sender-key-elsewhere).
	ofStripped = []fact{bySender, byStateKey, noKeys}
	ofPushed   = []fact{bySender, byStateKey, powerLevels, creator, unsigned, noKeys}
)

var endpoints = []endpoint{
	{name: "the timeline of a first /sync", ask: first(`"timeline":{"limit":100}`), at: inTimeline, facts: ofState, demands: newest},
	{name: "the state of a first /sync", ask: first(`"timeline":{"limit":5}`), at: inSync, facts: ofState, wholeState: true},
	{name: "an incremental /sync", ask: later(`"timeline":{"limit":100}`, ""), at: inTimeline, facts: ofNews, demands: newestSinceToken},
	{name: "a limited /sync", ask: later(`"timeline":{"limit":3}`, ""), at: inSync, facts: ofNews, demands: changedState},
	{
		name: "a /sync with lazy-loaded members", ask: first(`"timeline":{"limit":30},"state":{"lazy_load_members":true}`),
		at: inSync, facts: ofState, demands: newest,
	},
	{name: "a /sync with full_state", ask: later(`"timeline":{"limit":3}`, "true"), at: inSync, facts: ofState, wholeState: true},
	{name: "the /sync of users who left", users: leavers, ask: ofLeavers, at: whenLeft, facts: ofMessages, demands: departures},
	{name: "/messages", ask: messages(""), at: []string{"chunk"}, facts: ofState, demands: everything},
	{
		name: "/messages with lazy-loaded members", ask: messages(`{"lazy_load_members":true}`),
		at: []string{"chunk", "state"}, facts: ofState, demands: everything,
	},
	{
		name: "/context", ask: contexts,
		at: []string{"event", "events_before", "events_after", "state"}, facts: ofState, demands: inContext,
	},
	{name: "/event", ask: single, at: []string{"@this"}, facts: ofState, wholeState: true},
	{name: "/state", ask: state, at: []string{"@this"}, facts: ofState, wholeState: true},
	{name: "/members", ask: members, at: []string{"chunk"}, facts: ofMessages, demands: memberEvents},
	{name: "/search", ask: search, at: []string{
		"search_categories.room_events.results.#.result",
		"search_categories.room_events.results.#.context.events_before|@flatten",
		"search_categories.room_events.results.#.context.events_after|@flatten",
		"search_categories.room_events.state.{room}",
	}, facts: ofMessages, demands: greetings},
	{name: "/relations", ask: relations, at: []string{"chunk"}, facts: []fact{bySender, withKey, noKeys}, demands: ofRoot},
	{
		name: "invite_state", needs: localInvited, ask: offered("invite", localInvited),
		at: []string{"rooms.invite.{room}.invite_state.events"}, stripped: true, facts: ofStripped, demands: offer(localInvited),
	},
	{
		name: "invite_state of a remote member's invite", needs: localByRemote, ask: offered("invite", localByRemote),
		at: []string{"rooms.invite.{room}.invite_state.events"}, stripped: true, facts: ofStripped, demands: offer(localByRemote),
	},
	{
		name: "knock_state", needs: localKnocking, ask: offered("knock", localKnocking),
		at: []string{"rooms.knock.{room}.knock_state.events"}, stripped: true, facts: ofStripped, demands: nothing,
	},
	{name: push, pushed: true, ask: pushes, at: []string{"events"}, facts: ofPushed, demands: whatIsPushed},
}

// Each fact of each endpoint is a check: a bug of one must not hide another's.
func init() {
	for _, each := range endpoints {
		for _, fact := range each.facts {
			check.Register(check.Check{
				Name:     fmt.Sprintf(fact.name, each.name),
				Requires: []string{fact.requirement},
				Path:     each.name,
				Slow:     collecting,
				Body: func(c *check.C) {
					v := each.view(c)
					if absent, isAbsent := v.without[each.needs]; isAbsent {
						absent.blocks(c)
					}
					given := v.answers[each.name]
					if given.err != nil {
						each.needsOrdinary(c, given.err)
						c.Need(bySender.requirement, fmt.Errorf("clients are refused %s: %w", each.name, given.err))
					}
					for _, problem := range fact.problems(v, given, each.demanded(v, given)) {
						c.Errorf("%s: %s", each.name, problem)
					}
					if fact.requirement == creator.requirement && showsRemote(each) {
						judgeRemote(c, each)
					}
				},
			})
		}
	}
}

// view returns the room in which the endpoint is requested.
func (e endpoint) view(c *check.C) viewed {
	if e.pushed {
		return viewPushed(c)
	}
	return view(c)
}

// needsOrdinary ends the check as unsupported if the endpoint is refused of an ordinary room, too. What is pushed was compared before
// (isServed).
func (e endpoint) needsOrdinary(c *check.C, refusal error) {
	if e.pushed {
		return
	}
	users := e.users
	if e.needs != "" {
		users = []string{e.needs}
	}
	needOrdinary(c, e.name, refusal, users, func(p *preparing) error {
		_, err := e.ask(p)
		return err
	})
}

// demanded returns the IDs of the events that the endpoint must show.
func (e endpoint) demanded(v viewed, given answers) []string {
	if e.wholeState {
		return v.state
	}
	return e.demands(v, given)
}

// collect requests endpoints.
func (p *preparing) collect(wanted func(endpoint) bool) {
	for _, each := range endpoints {
		if _, isAbsent := p.without[each.needs]; isAbsent || !wanted(each) {
			continue
		}
		var given answers
		responses, err := each.ask(p)
		if csapi.NoAnswer(err) {
			p.C.Need("resilience/stays-up", err)
		}
		given.err = err
		for _, response := range responses {
			given.bodies = append(given.bodies, response.Body)
			given.limited = given.limited || response.Get(p.path("rooms.join.{room}.timeline.limited")).Bool()
			for _, path := range each.at {
				given.shown = append(given.shown, eventsAt(response.Get(p.path(path)))...)
			}
		}
		p.answers[each.name] = given
	}
}

func (p *preparing) path(path string) string { return pathIn(path, p.roomID) }

// pathIn is a gjson path with the ID of a room.
func pathIn(path, roomID string) string {
	return strings.ReplaceAll(path, "{room}", gjson.Escape(roomID))
}

// eventsAt returns the events of a value: one, or an array.
func eventsAt(value gjson.Result) []gjson.Result {
	if value.IsObject() {
		return []gjson.Result{value}
	}
	return value.Array()
}
