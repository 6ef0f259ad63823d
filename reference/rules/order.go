// This file has the two orderings of state resolution (room version 2, "Definitions"). Both are total, so that every
// server arrives at the same one.

package rules

import (
	"cmp"
	"container/heap"
	"math"
	"slices"

	"msc4014/reference/pdu"
)

// ranked is an event with its rank in an ordering: lower ranks come first, then earlier events, then lower event IDs.
type ranked struct {
	event *pdu.Event
	rank  int64
	sent  int64
}

func compareRanked(a, b ranked) int {
	return cmp.Or(cmp.Compare(a.rank, b.rank), cmp.Compare(a.sent, b.sent), cmp.Compare(a.event.ID(), b.event.ID()))
}

// byReverseTopologicalPower sorts events so that each comes after its auth events, as far as they are among them, and
// otherwise by descending power level of the sender (Kahn's algorithm).
func (r *resolver) byReverseTopologicalPower(events map[string]*pdu.Event) ([]*pdu.Event, error) {
	waitsFor := map[string]int{}
	dependents := map[string][]ranked{}
	var ready rankedHeap
	for id, event := range events {
		authEvents, err := r.authEvents(event)
		if err != nil {
			return nil, err
		}
		entry := ranked{event, -senderPower(event, authEvents), event.OriginServerTS()}
		for _, authEvent := range authEvents {
			if events[authEvent.ID()] != nil {
				waitsFor[id]++
				dependents[authEvent.ID()] = append(dependents[authEvent.ID()], entry)
			}
		}
		if waitsFor[id] == 0 {
			ready = append(ready, entry)
		}
	}
	heap.Init(&ready)
	var ordered []*pdu.Event
	for len(ready) > 0 {
		next := heap.Pop(&ready).(ranked)
		ordered = append(ordered, next.event)
		for _, dependent := range dependents[next.event.ID()] {
			if waitsFor[dependent.event.ID()]--; waitsFor[dependent.event.ID()] == 0 {
				heap.Push(&ready, dependent)
			}
		}
	}
	return ordered, nil
}

// senderPower returns the power level of an event's sender according to the event's own auth events.
func senderPower(event *pdu.Event, authEvents []*pdu.Event) int64 {
	state := State{}
	for _, authEvent := range authEvents {
		if key, ok := authEvent.State(); ok {
			state[key] = authEvent
		}
	}
	return state.PowerLevels().Of(event.Sender())
}

// byMainline sorts events by mainline ordering: by their position on the mainline of the resolved power levels, oldest
// first.
func (r *resolver) byMainline(events map[string]*pdu.Event, resolved *pdu.Event) ([]*pdu.Event, error) {
	positions := map[string]int64{}
	for levels := resolved; levels != nil; {
		positions[levels.ID()] = int64(len(positions))
		var err error
		if levels, err = r.powerLevelsBefore(levels); err != nil {
			return nil, err
		}
	}
	var entries []ranked
	for _, event := range events {
		position, err := r.mainlinePosition(event, positions)
		if err != nil {
			return nil, err
		}
		entries = append(entries, ranked{event, -position, event.OriginServerTS()})
	}
	slices.SortFunc(entries, compareRanked)
	ordered := make([]*pdu.Event, len(entries))
	for i, entry := range entries {
		ordered[i] = entry.event
	}
	return ordered, nil
}

// mainlinePosition returns the mainline position of the closest power levels event in an event's auth history, or one
// beyond all others.
func (r *resolver) mainlinePosition(event *pdu.Event, positions map[string]int64) (int64, error) {
	for levels := event; ; {
		var err error
		if levels, err = r.powerLevelsBefore(levels); err != nil {
			return 0, err
		}
		if levels == nil {
			return math.MaxInt64, nil
		}
		if position, ok := positions[levels.ID()]; ok {
			return position, nil
		}
	}
}

// powerLevelsBefore returns the power levels event among an event's auth events, or nil.
func (r *resolver) powerLevelsBefore(event *pdu.Event) (*pdu.Event, error) {
	authEvents, err := r.authEvents(event)
	if err != nil {
		return nil, err
	}
	for _, authEvent := range authEvents {
		if authEvent.IsState(powerLevelsType, "") {
			return authEvent, nil
		}
	}
	return nil, nil
}

// rankedHeap is a heap with the lowest rank at the top.
type rankedHeap []ranked

func (h rankedHeap) Len() int           { return len(h) }
func (h rankedHeap) Less(i, j int) bool { return compareRanked(h[i], h[j]) < 0 }
func (h rankedHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *rankedHeap) Push(entry any)    { *h = append(*h, entry.(ranked)) }
func (h *rankedHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
