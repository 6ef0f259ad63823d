package clientview

// What must be so in each view: the columns of the table.

import (
	"fmt"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/helpers/federation"
)

// fact is one demand on the events of a view.
type fact struct {
	requirement string
	name        string // with a verb for the name of the endpoint
	// judge returns what is wrong with an event; original is what it is on the wire.
	judge func(v viewed, shown gjson.Result, original federation.Event) error
	// of reports whether the fact is about an event.
	of func(original federation.Event) bool
	// stripped is the field that must be somebody's user ID in stripped member events, whose originals are found by their state key.
	stripped string
	// whole, if not nil, judges an answer besides its events.
	whole func(v viewed, body []byte) []string
}

var (
	// The sender field is always a user ID (MSC4014, Proposal 1.1, Changes from MSC1228 5).
	bySender = fact{requirement: "client-view/sender-is-user-id", name: "%s shows senders by user ID", of: anyEvent, judge: judgeSender, stripped: "sender"}
	// The sender key is sent to clients, too (MSC4014, hard requirement 2, Changes from MSC1228 5).
	withKey = fact{requirement: "client-view/sender-key-present", name: "%s shows sender keys", of: anyEvent, judge: judgeSenderKey}
	// Clients know members by user ID (MSC4014, hard requirement 1).
	byStateKey = fact{
		requirement: "client-view/member-state-key-is-user-id", name: "%s keys member events by user ID",
		of: func(event federation.Event) bool { return event.Type() == memberType }, judge: judgeStateKey, stripped: "state_key",
	}
	powerLevels = fact{
		requirement: "client-view/power-levels-read", name: "%s shows power levels by user ID",
		of: func(event federation.Event) bool { return event.Type() == powerType },
		judge: func(v viewed, shown gjson.Result, original federation.Event) error {
			return v.judgePower(shown.Get("content.users"), original)
		},
	}
	creator = fact{
		requirement: "client-view/create-creator", name: "%s shows the creator by user ID",
		of: func(event federation.Event) bool { return event.Type() == "m.room.create" }, judge: judgeCreator,
	}
	// What servers add to events, and where clients expect user IDs in that (client-server API, unsigned data).
	unsigned = fact{requirement: "client-view/unsigned", name: "%s shows user IDs in unsigned", of: anyEvent, judge: judgeUnsigned}
	// Also where clients wrote user IDs that servers replaced by keys: the state keys of what members own, creatorUserId of widgets.
	noKeys = fact{
		requirement: "client-view/no-key-elsewhere", name: "%s has sender keys nowhere else", whole: findKeys,
		of: func(event federation.Event) bool { return event.Type() != memberType }, judge: judgeOwner,
	}
)

const powerType = "m.room.power_levels"

func anyEvent(federation.Event) bool { return true }

func judgeSender(v viewed, shown gjson.Result, original federation.Event) error {
	return v.isBy(original.Sender(), shown.Get("sender"), "sender")
}

// isBy returns an error if a field is not the user ID of the member with a key.
func (v viewed) isBy(key string, field gjson.Result, name string) error {
	wanted, known := v.by(key)
	switch {
	case !known:
		return fmt.Errorf("is of the key %s, which nobody in the room has", key)
	case !field.Exists():
		return fmt.Errorf("has no %s, wanted %s", name, wanted.userID)
	case !wanted.isShownAs(field.String()):
		return fmt.Errorf("has the %s %q, wanted %q", name, field.String(), wanted.userID)
	}
	return nil
}

func judgeSenderKey(_ viewed, shown gjson.Result, original federation.Event) error {
	switch key := shown.Get("sender_key"); {
	case !key.Exists():
		return fmt.Errorf("has no sender_key")
	case key.String() != original.Sender():
		return fmt.Errorf("has the sender_key %q, wanted %q", key.String(), original.Sender())
	}
	return nil
}

func judgeStateKey(v viewed, shown gjson.Result, original federation.Event) error {
	key, _ := original.StateKey()
	return v.isBy(key, shown.Get("state_key"), "state_key")
}

// judgeOwner judges the state key of state that is not a member's event.
func judgeOwner(v viewed, shown gjson.Result, _ federation.Event) error {
	if of, is := v.keyWithin(shown.Get("state_key").String()); is {
		return fmt.Errorf("has the key of %s as its state_key", of.kind)
	}
	return nil
}

// judgePower returns an error unless power levels give each user ID the power that its key has.
func (v viewed) judgePower(users gjson.Result, original federation.Event) (err error) {
	shown := users.Map()
	wire := original.Get("content.users").Map()
	for key, power := range wire {
		of, known := v.by(key)
		if !known {
			continue
		}
		given, found := shown[of.userID]
		switch {
		case !found:
			return fmt.Errorf("has no power for %s (%s), who has %s: %s", of.userID, of.kind, power.Raw, users.Raw)
		case given.Int() != power.Int():
			return fmt.Errorf("has the power %s for %s (%s), wanted %s", given.Raw, of.userID, of.kind, power.Raw)
		}
	}
	for userID := range shown {
		if !v.known(userID) {
			return fmt.Errorf("gives power to %q, who is nobody in the room", userID)
		}
	}
	if len(shown) != len(wire) {
		return fmt.Errorf("gives power to %d users, wanted %d: %s", len(shown), len(wire), users.Raw)
	}
	return nil
}

// judgeCreator: later base versions have no creator field.
func judgeCreator(v viewed, shown gjson.Result, original federation.Event) error {
	field := shown.Get("content.creator")
	if !field.Exists() && !original.Get("content.creator").Exists() {
		return nil
	}
	return v.isBy(original.Sender(), field, "creator")
}

func isStrippedMember(shown gjson.Result) bool {
	return shown.Get("type").String() == memberType && !shown.Get("event_id").Exists()
}

// problems returns what is wrong with the answers of an endpoint. demanded are the IDs of events that it must show.
func (f fact) problems(v viewed, given answers, demanded []string) (found []string) {
	add := func(problem string) {
		if !slices.Contains(found, problem) {
			found = append(found, problem)
		}
	}
	if f.whole != nil {
		for _, body := range given.bodies {
			for _, problem := range f.whole(v, body) {
				add(problem)
			}
		}
		demanded = nil
	}
	seen := map[string]bool{}
	for _, shown := range given.shown {
		original, known := v.original(shown)
		if !known && f.stripped != "" && isStrippedMember(shown) && !v.known(shown.Get(f.stripped).String()) {
			add(fmt.Sprintf("a stripped member event has the %s %q, which is nobody's user ID", f.stripped, shown.Get(f.stripped)))
		}
		if !known || !f.of(original) {
			continue
		}
		seen[original.ID()] = true
		if err := f.judge(v, shown, original); err != nil {
			add(fmt.Sprintf("%s %v", v.describe(original), err))
		}
	}
	for _, id := range demanded {
		if original, _ := v.event(id); f.of(original) && !seen[id] {
			add(v.describe(original) + " is not shown")
		}
	}
	return found
}
