package clientview

// The events that endpoints must show.

import (
	"slices"
	"strings"
)

func everything(v viewed, _ answers) (ids []string) { return v.last(len(v.events)) }

// surelyShown is how many of the newest events a timeline has whatever limit the server sets.
const surelyShown = 5

// newest are all events, or the newest where the timeline is limited.
func newest(v viewed, given answers) []string {
	if given.limited {
		return v.last(surelyShown)
	}
	return v.last(len(v.events))
}

// newestSinceToken is newest without the events from before the token.
func newestSinceToken(v viewed, given answers) []string {
	if given.limited {
		return v.last(surelyShown)
	}
	return v.last(len(v.events) - v.since)
}

// changedState is the state that changed since the token.
func changedState(v viewed, _ answers) []string {
	recent := v.last(len(v.events) - v.since)
	return slices.DeleteFunc(slices.Clone(v.state), func(id string) bool { return !slices.Contains(recent, id) })
}

func memberEvents(v viewed, _ answers) []string {
	return slices.DeleteFunc(slices.Clone(v.state), func(id string) bool {
		event, _ := v.event(id)
		return event.Type() != memberType
	})
}

// departures are the events that made users of the server leave.
func departures(v viewed, _ answers) (ids []string) {
	for _, id := range v.state {
		event, _ := v.event(id)
		key, _ := event.StateKey()
		if of, _ := v.by(key); event.Type() == memberType && event.Membership() != "join" && slices.Contains(leavers, of.kind) {
			ids = append(ids, id)
		}
	}
	return ids
}

func greetings(v viewed, _ answers) (ids []string) {
	for _, event := range v.events {
		if strings.Contains(event.Get("content.body").String(), greeting) {
			ids = append(ids, event.ID())
		}
	}
	return ids
}

func ofRoot(v viewed, _ answers) (ids []string) {
	for _, event := range v.events {
		if event.Get(`content.m\.relates_to.rel_type`).String() == "m.thread" {
			ids = append(ids, event.ID())
		}
	}
	return ids
}

// nothing: which events knock_state has is not for this table.
func nothing(viewed, answers) []string { return nil }

// offer is the member event of a user who is invited.
func offer(kind string) func(viewed, answers) []string {
	return func(v viewed, _ answers) (ids []string) {
		for _, id := range v.state {
			event, _ := v.event(id)
			key, _ := event.StateKey()
			if of, _ := v.by(key); event.Type() == memberType && of.kind == kind {
				ids = append(ids, id)
			}
		}
		return ids
	}
}

// inContext are the events that /context is asked for: the last, and one of each who spoke. How much of the state it has beside them is
// not for this table.
func inContext(v viewed, _ answers) []string {
	ids := v.last(1)
	told := map[string]bool{}
	for _, event := range v.events {
		if event.Type() == "m.room.message" && !told[event.Sender()] {
			told[event.Sender()] = true
			ids = append(ids, event.ID())
		}
	}
	return ids
}
