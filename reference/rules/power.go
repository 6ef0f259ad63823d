// This file knows power levels: who has which, and how they may be changed (rule 9). In pseudonymous rooms sender keys
// hold them.

package rules

import (
	"math"

	"github.com/tidwall/gjson"

	"msc4014/reference/pdu"
)

// levelNames are the power levels that are top-level integers.
var levelNames = []string{"users_default", "events_default", "state_default", "ban", "redact", "kick", "invite"}

// creatorLevel is the creator's power level in a room without power levels (client-server API, m.room.power_levels).
const creatorLevel = 100

// PowerLevels are the power levels of a room: m.room.power_levels, or the defaults if the room has none. Power is held by
// sender keys in pseudonymous rooms (MSC1228, Proposal), by user IDs in others.
type PowerLevels struct {
	set     *pdu.Event // nil if the room has none
	creator string
}

// PowerLevels returns the power levels in a state.
func (s State) PowerLevels() PowerLevels {
	levels := PowerLevels{set: s.Get(powerLevelsType, "")}
	if create := s.Create(); create != nil {
		levels.creator = creator(create)
	}
	return levels
}

// Of returns the power level of a sender key or user ID. Without an event, the creator has creatorLevel.
func (p PowerLevels) Of(key string) int64 {
	if p.set == nil {
		if key == p.creator {
			return creatorLevel
		}
		return 0
	}
	if level, ok := p.in("users", key); ok {
		return level
	}
	return p.For("users_default")
}

// For returns the power level that an action needs, by its name: "invite", "kick", "ban", "redact" and so on.
func (p PowerLevels) For(action string) int64 {
	if p.set != nil {
		if level := p.set.Content(action); level.Type == gjson.Number {
			return level.Int()
		}
	}
	switch action {
	case "users_default", "events_default", "invite":
		return 0
	}
	return 50
}

// ForEvent returns the power level needed to send an event of a type.
func (p PowerLevels) ForEvent(eventType string, isState bool) int64 {
	if level, ok := p.in("events", eventType); ok {
		return level
	}
	if isState {
		return p.For("state_default")
	}
	return p.For("events_default")
}

// ForNotification returns the power level needed to notify everybody in the room in some way, such as "room".
func (p PowerLevels) ForNotification(key string) int64 {
	if level, ok := p.in("notifications", key); ok {
		return level
	}
	return 50
}

// in returns a level in one of the lists of levels.
func (p PowerLevels) in(list, name string) (level int64, ok bool) {
	if p.set == nil {
		return 0, false
	}
	found := p.set.Content(list).Map()[name]
	return found.Int(), found.Type == gjson.Number
}

// powerLevelsAllowed is rule 9.
func (r Rules) powerLevelsAllowed(e *pdu.Event, state State) error {
	if err := r.checkPowerLevels(e); err != nil {
		return err
	}
	levels := state.PowerLevels()
	if levels.set == nil {
		return nil // 9.4
	}
	sender := levels.Of(e.Sender())
	for _, name := range levelNames { // 9.5
		change := alteration{levels.set.Content(name), e.Content(name)}
		if change.happens() && (change.oldLevel() > sender || change.newLevel() > sender) {
			return reject("9.5", "the sender's power level is %d and %s goes from %s to %s", sender, name, change.old.Raw, change.new.Raw)
		}
	}
	for _, list := range []string{"events", "notifications"} {
		for name, change := range alterations(levels.set.Content(list), e.Content(list)) {
			if change.oldLevel() > sender {
				return reject("9.6.1", "the sender's power level is %d and %s.%s is %s", sender, list, name, change.old.Raw)
			}
			if change.newLevel() > sender {
				return reject("9.7.1", "the sender's power level is %d and %s.%s becomes %s", sender, list, name, change.new.Raw)
			}
		}
	}
	for user, change := range alterations(levels.set.Content("users"), e.Content("users")) {
		if user != e.Sender() && change.oldLevel() >= sender {
			return reject("9.8.1", "the sender's power level is %d and that of %s is %s", sender, user, change.old.Raw)
		}
		if change.newLevel() > sender {
			return reject("9.9.1", "the sender's power level is %d and that of %s becomes %s", sender, user, change.new.Raw)
		}
	}
	return nil
}

// checkPowerLevels is rules 9.1 to 9.3: power levels are integers, and users are valid identities.
func (r Rules) checkPowerLevels(e *pdu.Event) error {
	for _, name := range levelNames {
		if level := e.Content(name); level.Exists() && level.Type != gjson.Number {
			return reject("9.1", "%s is not an integer", name)
		}
	}
	for _, list := range []string{"events", "notifications"} {
		if !areLevels(e.Content(list)) {
			return reject("9.2", "%s is not an object of integers", list)
		}
	}
	users := e.Content("users")
	if !areLevels(users) {
		return reject("9.3", "users is not an object of integers")
	}
	for user := range users.Map() {
		if err := r.mayHoldPower(e.Format(), user); err != nil {
			return reject("9.3", "users: %v", err)
		}
	}
	return nil
}

// areLevels reports whether a list of levels is absent or an object of integers.
func areLevels(list gjson.Result) bool {
	if !list.Exists() {
		return true
	}
	for _, level := range list.Map() {
		if level.Type != gjson.Number {
			return false
		}
	}
	return list.IsObject()
}

// alteration is a level before and after a change.
type alteration struct{ old, new gjson.Result }

func (a alteration) happens() bool {
	return a.old.Exists() != a.new.Exists() || a.old.Raw != a.new.Raw
}

// oldLevel returns the level before. An absent level is below all others, since the rules only compare levels that are
// present.
func (a alteration) oldLevel() int64 { return levelOf(a.old) }

// newLevel returns the level after, like oldLevel.
func (a alteration) newLevel() int64 { return levelOf(a.new) }

func levelOf(level gjson.Result) int64 {
	if !level.Exists() {
		return math.MinInt64
	}
	return level.Int()
}

// alterations returns the entries of a list that are added, changed or removed.
func alterations(before, after gjson.Result) map[string]alteration {
	all := map[string]alteration{}
	for name, level := range before.Map() {
		all[name] = alteration{old: level}
	}
	for name, level := range after.Map() {
		all[name] = alteration{old: all[name].old, new: level}
	}
	for name, change := range all {
		if !change.happens() {
			delete(all, name)
		}
	}
	return all
}
