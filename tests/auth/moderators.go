package auth

// What a moderator, who has some power, may do with it.

import (
	"msc4014/blueprints"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
)

// powerOfDan is the power of Dan, the moderator, and of whom equalsName names; powerOfLesser that of whom lesserName names.
const (
	powerOfDan, powerOfLesser = 55, 25
	equalsName, lesserName    = "equal", "lesser"
)

// The event types whose power level a moderator changes; the second one takes more power than it has.
const (
	grantableType   = "org.example.grantable"
	ungrantableType = "org.example.ungrantable"
)

// Authorisation rules 4.5, 4.6 and 9 compare the power of a moderator with that of others, and with the levels that it sets. Sender keys
// hold the power (MSC1228, Proposal). The controls are the same events within the moderator's power.
func init() {
	for _, each := range []struct {
		name           string
		within, beyond func(l moderatedLevels)
	}{
		{
			"power levels by a moderator that give another key more power than it has",
			func(l moderatedLevels) { l.gives(lesserName, powerOfLesser+5) },
			func(l moderatedLevels) { l.gives(lesserName, powerOfDan+5) },
		},
		{
			"power levels by a moderator that give itself more power",
			func(l moderatedLevels) { l.users()[l.scene.Dan.SenderIn(l.scene.Room.Room)] = powerOfDan - 2 },
			func(l moderatedLevels) { l.users()[l.scene.Dan.SenderIn(l.scene.Room.Room)] = powerOfDan + 5 },
		},
		{
			"power levels by a moderator that take power from a key that has as much",
			func(l moderatedLevels) { l.gives(lesserName, 0) },
			func(l moderatedLevels) { l.gives(equalsName, 0) },
		},
		{
			"power levels by a moderator that let kicks take more power than it has",
			func(l moderatedLevels) { l.content["kick"] = powerOfDan },
			func(l moderatedLevels) { l.content["kick"] = powerOfDan + 5 },
		},
		{
			"power levels by a moderator that let redactions no longer take more power than it has",
			func(l moderatedLevels) { l.content["kick"] = 0 },
			func(l moderatedLevels) { l.content["redact"] = 0 },
		},
		{
			"power levels by a moderator that let an event take more power than it has",
			func(l moderatedLevels) { l.events()[grantableType] = powerOfDan },
			func(l moderatedLevels) { l.events()[grantableType] = powerOfDan + 5 },
		},
		{
			"power levels by a moderator that let an event no longer take more power than it has",
			func(l moderatedLevels) { l.events()[grantableType] = 0 },
			func(l moderatedLevels) { l.events()[ungrantableType] = 0 },
		},
	} {
		registerModerated(each.name, func(s delivery.Scene, beyond bool) federation.Template {
			levels := levelsWithModerator(s)
			each.within(levels)
			if beyond {
				each.beyond(levels)
			}
			return s.Template(levels.by(s.Dan))
		})
	}
	for _, each := range []struct{ name, membership string }{
		{"a kick by a moderator of a key that has as much power", "leave"},
		{"a ban by a moderator of a key that has as much power", "ban"},
	} {
		registerModerated(each.name, func(s delivery.Scene, beyond bool) federation.Template {
			target := lesserName
			if beyond {
				target = equalsName
			}
			return s.Template(membershipOf(s, s.Dan, s.Origin.User(target), each.membership))
		})
	}
}

// registerModerated registers a check of an event of Dan's. How it arrives is judged with events of members without power.
func registerModerated(name string, makes func(s delivery.Scene, beyond bool) federation.Template) {
	delivery.Register(blueprints.OneServer, []delivery.Forgery{{
		Requires: "auth/power-by-key", Name: name, Kinds: []delivery.Kind{delivery.PrivilegedState}, Paths: []string{"send"},
		Before: func(s delivery.Scene, add func(federation.Event)) {
			for _, name := range []string{equalsName, lesserName} {
				add(s.Room.BuildsMember(s.Origin.User(name), "join"))
			}
			add(s.Room.Builds(levelsWithModerator(s).by(s.Carol)))
		},
		Honest: func(s delivery.Scene, _ delivery.Honestly) federation.Template { return makes(s, false) },
		Alter:  func(s delivery.Scene, _ delivery.Honestly) federation.Template { return makes(s, true) },
	}})
}

// moderatedLevels are power levels of the scene's room.
type moderatedLevels struct {
	scene   delivery.Scene
	content map[string]any
}

// levelsWithModerator are the power levels before Dan changes them.
func levelsWithModerator(s delivery.Scene) moderatedLevels {
	levels := moderatedLevels{s, map[string]any{
		"users":  map[string]int{s.Carol.SenderIn(s.Room.Room): 100, s.Dan.SenderIn(s.Room.Room): powerOfDan},
		"events": map[string]int{delivery.MemberStateType: 0, grantableType: 50, ungrantableType: powerOfDan + 5},
		"kick":   50, "ban": 50, "redact": powerOfDan + 5,
	}}
	levels.gives(equalsName, powerOfDan)
	levels.gives(lesserName, powerOfLesser)
	return levels
}

func (l moderatedLevels) users() map[string]int  { return l.content["users"].(map[string]int) }
func (l moderatedLevels) events() map[string]int { return l.content["events"].(map[string]int) }

// gives gives the key of a user of Origin power.
func (l moderatedLevels) gives(name string, power int) {
	l.users()[l.scene.Origin.User(name).SenderIn(l.scene.Room.Room)] = power
}

// by is the event that sets the levels.
func (l moderatedLevels) by(sender *federation.User) federation.Proto {
	return federation.Proto{Type: "m.room.power_levels", StateKey: federation.StateKey(""), Sender: sender, Content: l.content}
}
