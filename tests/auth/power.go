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
