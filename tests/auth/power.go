package auth

// Power is held by sender keys, not by the users behind them.

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// Power levels are held by keys (MSC1228, Proposal): what a key without power does is refused, whomever it claims to be.
func init() {
	privileged := []delivery.Kind{delivery.PrivilegedState}
	byCarol := func(s delivery.Scene, honest delivery.Honestly) federation.Template { return honest(s.Carol) }
	delivery.Register(blueprints.OneServer, []delivery.Forgery{
		{
			Requires: "auth/power-by-key", Name: "state by a key without power", Kinds: privileged, Honest: byCarol,
			Alter: func(s delivery.Scene, honest delivery.Honestly) federation.Template { return honest(s.Dan) },
		},
		{
			Requires: "auth/power-by-key", Name: "state by a key without power, mapped to a powerful user in the event",
			Kinds: privileged, Honest: byCarol,
			Alter: func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				return honest(s.Dan).WithMappingOf(s.Carol)
			},
		},
		{
			Requires: "auth/power-by-key", Name: "state by a key without power that names a powerful user as its sender",
			Kinds: privileged, Honest: byCarol,
			Paths: []string{"send", "get_missing_events", "state"}, // a server that enters a room knows none of its users before
			Alter: func(s delivery.Scene, honest delivery.Honestly) federation.Template {
				template := honest(s.Dan).Alter(federation.SetField("verified_sender_mxid", s.Carol.ID()))
				if template.Format().SenderField() != "sender" {
					template = template.Alter(federation.SetField("sender", s.Carol.ID()))
				}
				return template
			},
		},
	})
}

// So is what a key without power does to the membership of others, and to power itself (authorisation rules, m.room.member and
// m.room.power_levels). The controls are the same events by a key with power.
func init() {
	for _, each := range []struct {
		name  string
		paths []string // nil: all
		// makes makes the event; name is another one for each event of a room.
		makes func(s delivery.Scene, by *federation.User, name string) federation.Template
	}{
		{"a kick by a key without power", nil, func(s delivery.Scene, by *federation.User, name string) federation.Template {
			return s.Template(membershipOf(s, by, s.Origin.User(name), "leave"))
		}},
		{"a ban by a key without power", nil, func(s delivery.Scene, by *federation.User, name string) federation.Template {
			return s.Template(membershipOf(s, by, s.Origin.User(name), "ban"))
		}},
		{"an invite by a key without power", nil, func(s delivery.Scene, by *federation.User, name string) federation.Template {
			// Of another server: where signatures stand under servers' names, that of an invited key would replace the inviter's.
			invited := s.Peer().User("invited-" + name)
			return s.Invite(by, invited).AlsoSignedBy(invited.SignerIn(s.Room.Room))
		}},
		// Not in the state of a room that Alice enters: peers name those power levels in the auth events of all that follows, so that a
		// server which rejects them rejects the barrier, too.
		{"power levels by a key without power that give it power", []string{"send", "get_missing_events", "state"},
			func(s delivery.Scene, by *federation.User, _ string) federation.Template {
				levels := membershipLevels(s)
				levels.Sender = by
				levels.Content.(map[string]any)["users"].(map[string]int)[s.Dan.SenderIn(s.Room.Room)] = 100
				return s.Template(levels)
			}},
	} {
		delivery.Register(blueprints.OneServer, []delivery.Forgery{{
			Requires: "auth/power-by-key", Name: each.name, Kinds: []delivery.Kind{delivery.PrivilegedState}, Paths: each.paths,
			Before: func(s delivery.Scene, add func(federation.Event)) {
				add(s.Room.Builds(membershipLevels(s)))
				for _, name := range []string{"first", "second"} {
					add(s.Room.BuildsMember(s.Origin.User(name), "join"))
				}
			},
			Honest: func(s delivery.Scene, _ delivery.Honestly) federation.Template {
				return each.makes(s, s.Carol, "first")
			},
			Alter: func(s delivery.Scene, _ delivery.Honestly) federation.Template { return each.makes(s, s.Dan, "second") },
		}})
	}
}

// membershipLevels are power levels under which it takes power to kick, ban and invite.
func membershipLevels(s delivery.Scene) federation.Proto {
	return federation.Proto{
		Type: "m.room.power_levels", StateKey: federation.StateKey(""), Sender: s.Carol,
		Content: map[string]any{
			"users": map[string]int{s.Carol.SenderIn(s.Room.Room): 100}, "events": map[string]any{delivery.MemberStateType: 0},
			"kick": 50, "ban": 50, "invite": 50,
		},
	}
}

// membershipOf is a member event of one user of a peer about another.
func membershipOf(s delivery.Scene, by, of *federation.User, membership string) federation.Proto {
	return federation.Proto{
		Type: "m.room.member", StateKey: federation.StateKey(of.SenderIn(s.Room.Room)), Sender: by,
		Content: map[string]string{"membership": membership},
	}
}

// Power is held by the key (MSC1228, Proposal), and a second key of the same user, mapped as it should be, is another key:
// whatever a server makes of it (sender-key/rotation), it has no power. Deployed servers break when a user has two keys.
var _ = check.Register(check.Check{
	Name:     "state by a second key of a powerful user",
	Requires: []string{"auth/power-by-key"},
	Path:     "send",
	Deadly:   true,
	Body: func(c *check.C) {
		s := delivery.Open(stage.Open(c, blueprints.OneServer))
		s.Room = s.MakesRoom()
		s.AliceJoins()
		first := s.Room.Builds(privilegedState(s.Carol))
		s.Room.Delivers(first)
		c.Control(s.Alice.SeesEvent(s.Room.ID(), first.ID()))

		between := s.Room.Builds(federation.TextMessage(s.Dan, "said beside the join of the second key"))
		barrier := s.Room.Builds(federation.TextMessage(s.Dan, "said beside it"))
		s.Carol.NewKey(s.Room.ID())
		s.Room.Delivers(s.Room.Applies(s.Room.MemberTemplate(s.Carol, "join")))
		s.Room.Delivers(between)
		s.Alice.Blaming("client-view/unmodified-client").AwaitsEvent(s.Room.ID(), between.ID())
		second := s.Room.Builds(privilegedState(s.Carol))
		c.UnderTest()
		_, err := s.Room.Pushes(second)
		c.Need("resilience/stays-up", err)
		s.Room.Delivers(barrier)
		s.Alice.AwaitsEvent(s.Room.ID(), barrier.ID())
		s.Alice.Refused(s.Room.ID(), second)
		s.Room.NotServed(second)
	},
})

// privilegedState is a state event that takes power to send.
func privilegedState(sender *federation.User) federation.Proto {
	content := map[string]string{"note": "written with power"}
	return federation.Proto{Type: delivery.PrivilegedStateType, StateKey: federation.StateKey(""), Sender: sender, Content: content}
}
