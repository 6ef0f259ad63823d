package mapping

// False mappings in member events that are not joins. MSC1228 (Implementation) takes mappings from invite and join events;
// MSC4014 (Proposal 4) has the field in member events of all kinds, and its sub-item says that the link of key and user ID
// cannot be spoofed: what another kind of event claims without proof changes nothing.

import (
	"maps"
	"slices"

	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// membershipLie is a member event, other than a join, with a false mapping.
type membershipLie struct {
	requirement string
	name        string
	paths       []string
	about       person // who is claimed, or whose key the mapping names
	joinRule    string // of the room; "" is public
	// honest is the same event with a true mapping, of another user than the lie.
	honest func(s scene) federation.Template
	lie    func(s scene) federation.Template
	// claimed is the user ID that nobody may be shown as.
	claimed func(s scene) string
	// liar is the user of Origin whose mapping is false, who goes on afterwards; "": it is banned, or may not join.
	liar string
}

// The users of Origin in these events, besides Carol and Dan.
const (
	eve    = "eve"    // a member, or who wants to be one
	frank  = "frank"  // another
	absent = "absent" // not in the room
)

// another is a member event by which Carol changes the membership of a user, with a mapping of that user's key to another user.
func (s scene) another(membership string, of *federation.User, to *federation.User) federation.Template {
	key := of.KeyIn(s.Room.ID()).Public
	return s.Template(federation.Proto{
		Type: "m.room.member", Sender: s.Carol, StateKey: federation.StateKey(string(key)),
		Content: map[string]string{"membership": membership},
	}).WithMappingOf(to).NamingKey(key)
}

// own is a member event of a user of Origin about itself, with its mapping.
func (s scene) own(membership, name string) federation.Template {
	user := s.Origin.User(name)
	return s.Room.MemberTemplate(user, membership).WithMappingOf(user)
}

// invited is an invite of a user of Origin by Carol, signed by both.
func (s scene) invited(name string) federation.Template {
	user := s.Origin.User(name)
	return s.another("invite", user, user).AlsoSignedBy(s.Room.SignerOf(user.KeyIn(s.Room.ID())))
}

func idOfBob(s scene) string { return s.bob.ID() }

func idOfZoe(s scene) string { return s.zoe.UserID }

func idOfAbsent(s scene) string { return s.Origin.User(absent).ID() }

var membershipLies = []membershipLie{
	{
		requirement: "mapping/unverified-on-leave", name: "a leave that claims another server's user",
		paths:  []string{"send", "send_leave", "the state of send_join"},
		honest: func(s scene) federation.Template { return s.own("leave", frank) },
		lie:    func(s scene) federation.Template { return s.own("leave", eve).Claiming(s.bob.ID()) },
		about:  bob, claimed: idOfBob, liar: eve,
	},
	{
		requirement: "mapping/unverified-on-leave", name: "a leave that claims a user of the server", paths: []string{"send"},
		honest: func(s scene) federation.Template { return s.own("leave", frank) },
		lie:    func(s scene) federation.Template { return s.own("leave", eve).Claiming(s.zoe.UserID) },
		about:  zoe, claimed: idOfZoe, liar: eve,
	},
	{
		requirement: "mapping/unverified-on-leave", name: "a kick that gives the kicked key to another user",
		paths: []string{"send", "the state of send_join"}, about: memberBob,
		honest:  func(s scene) federation.Template { return s.another("leave", s.Dan, s.Dan) },
		lie:     func(s scene) federation.Template { return s.another("leave", s.bob, s.Origin.User(absent)) },
		claimed: idOfAbsent,
	},
	{
		requirement: "mapping/unverified-on-ban", name: "a ban that gives the banned key to another user",
		paths: []string{"send", "the state of send_join"}, about: memberBob,
		honest:  func(s scene) federation.Template { return s.another("ban", s.Dan, s.Dan) },
		lie:     func(s scene) federation.Template { return s.another("ban", s.bob, s.Origin.User(absent)) },
		claimed: idOfAbsent,
	},
	{
		requirement: "mapping/unverified-on-ban", name: "a ban that makes the banned key a user of the server", paths: []string{"send"},
		honest: func(s scene) federation.Template { return s.another("ban", s.Dan, s.Dan) },
		lie: func(s scene) federation.Template {
			return s.another("ban", s.Origin.User(eve), s.Origin.User(absent)).Claiming(s.zoe.UserID)
		},
		about: zoe, claimed: idOfZoe,
	},
	{
		requirement: "mapping/unverified-on-knock", name: "a knock that claims another server's user", joinRule: "knock",
		paths:  []string{"send", "send_knock"},
		honest: func(s scene) federation.Template { return s.own("knock", "knocker") },
		lie:    func(s scene) federation.Template { return s.own("knock", "liar").Claiming(s.bob.ID()) },
		about:  bob, claimed: idOfBob,
	},
	{
		requirement: "mapping/unverified-on-knock", name: "a knock that claims a user of the server", joinRule: "knock",
		paths:  []string{"send"},
		honest: func(s scene) federation.Template { return s.own("knock", "knocker") },
		lie:    func(s scene) federation.Template { return s.own("knock", "liar").Claiming(s.zoe.UserID) },
		about:  zoe, claimed: idOfZoe,
	},
	{
		requirement: "mapping/unverified-on-invite", name: "an invite that claims another server's user",
		paths:  []string{"send", "the state of send_join"},
		honest: func(s scene) federation.Template { return s.invited("guest") },
		lie:    func(s scene) federation.Template { return s.invited("liar").Claiming(s.bob.ID()) },
		about:  bob, claimed: idOfBob, liar: "liar",
	},
	{
		requirement: "mapping/unverified-on-invite", name: "an invite that claims a user of the server", paths: []string{"send"},
		honest: func(s scene) federation.Template { return s.invited("guest") },
		lie:    func(s scene) federation.Template { return s.invited("liar").Claiming(s.zoe.UserID) },
		about:  zoe, claimed: idOfZoe, liar: "liar",
	},
	{
		// The inviter cannot sign by the key of a user who has left: the server of that user would have to.
		requirement: "mapping/unverified-on-invite", name: "an invite that gives the key of a former member to another user",
		paths: []string{"send"}, about: memberBob,
		honest: func(s scene) federation.Template { return s.invited("guest") },
		lie: func(s scene) federation.Template {
			s.Room.Delivers(s.Room.Made(s.another("leave", s.bob, s.bob).WithoutMapping()))
			s.Barrier()
			return s.another("invite", s.bob, s.Origin.User(absent))
		},
		claimed: idOfAbsent,
	},
}

func init() {
	for _, each := range membershipLies {
		for _, along := range slices.Concat(delivery.Paths, delivery.MembershipPaths) {
			if !slices.Contains(each.paths, along.Name) {
				continue
			}
			check.Register(check.Check{
				Name:     each.name + ", by " + along.Name,
				Requires: []string{each.requirement},
				Path:     along.Name,
				Body:     func(c *check.C) { each.judge(c, along) },
			})
		}
	}
}

// judge delivers the honest event and then the lie along one path.
func (l membershipLie) judge(c *check.C, along delivery.Path) {
	s := openScene(c, l.about, !along.Enters)
	s.prepares(l, along.Enters)
	honest := delivery.Delivered{Room: s.Room, Event: s.Room.Made(l.honest(s))}
	honest.Delivery = along.Deliver(s.Scene, honest.Event, nil)
	accepted := delivery.WithAnswer(honest.IsShown(s.Alice), honest.Answer)
	if along.Name == delivery.SendLeave.Name {
		c.Need("membership/leave-remote", accepted)
	}
	c.Control(accepted)

	s.prepares(l, along.Enters)
	lie := s.Room.Made(l.lie(s))
	keys := s.namedKeys(honest.Event, lie, along.Enters)
	c.UnderTest()
	delivered := along.Deliver(s.Scene, lie, nil)
	c.Notef("the server answered the lie with %s", delivered.Answer)
	if delivered.KeptOut != nil {
		s.KeepsOut("the lie", delivered.KeptOut)
		return
	}
	if along.Enters {
		s.settles()
	}
	views := l.isNotHonoured(s, lie, keys)
	s.OnlyPlaceholders(views, s.Room, []federation.Event{lie}, s.honestUsers(), l.claimed(s), lie.Sender())
	if l.liar != "" {
		c.Notef("the liar goes on")
		s.Speaks(delivered.Barrier, delivery.Speaker{User: s.Origin.User(l.liar), Event: lie})
		l.isNotHonoured(s, lie, keys)
	}
	if l.about != memberBob { // who is out of the room now
		s.gainsNothing(s.Room.ID())
	}
}

// namedKeys are the honest members that clients must be shown by their user IDs after the lie, by their sender keys. By which name they
// are shown members that have left or are banned is open (redaction/leave-and-mapping): by their user IDs if those that are out of the
// room by an honest event are, and by either on a server that enters the room later.
func (s scene) namedKeys(honest, lie federation.Event, enters bool) map[string]string {
	keys, out := s.honestKeys(), map[string]string{}
	for _, event := range append(s.Room.State(), honest, lie) {
		key, _ := event.StateKey()
		membership := event.Get("content.membership").String()
		if event.Type() == "m.room.member" && keys[key] != "" && (membership == "leave" || membership == "ban") {
			out[key] = keys[key]
		}
	}
	if enters || len(stage.Misnamed(s.Alice.LooksBefore(s.Room.ID()), s.Room, out)) > 0 {
		maps.DeleteFunc(keys, func(key, _ string) bool { return out[key] != "" })
	}
	return keys
}

// isNotHonoured ensures that Alice's client is not shown the lie as true, and is shown the members of keys by their user IDs. It returns her
// views.
func (l membershipLie) isNotHonoured(s scene, lie federation.Event, keys map[string]string) []stage.View {
	views := s.Alice.NotHonoured(s.Room.ID(), lie, l.claimed(s))
	s.SendersStand(views, s.Room, keys)
	s.membersStand(views)
	return views
}

// prepares sets the join rule of the room, or if nobody is to knock lets Eve and Frank join. A room that Alice is to enter is a
// new one each time.
func (s *scene) prepares(l membershipLie, enters bool) {
	if enters {
		s.newRoom(l.about)
	}
	sends := s.Room.Delivers
	if enters {
		sends = s.Room.Apply
	}
	if l.joinRule != "" {
		sends(s.Room.Builds(federation.Proto{
			Type: "m.room.join_rules", Sender: s.Carol, StateKey: federation.StateKey(""),
			Content: map[string]string{"join_rule": l.joinRule},
		}))
		return
	}
	for _, name := range []string{eve, frank} {
		if user := s.Origin.User(name); s.Room.Membership(user.SenderIn(s.Room.Room)) == "" {
			sends(s.Room.BuildsMember(user, "join"))
			sends(s.Room.Builds(federation.TextMessage(user, "said by a member")))
		}
	}
}
