package mapping

// Lies about who a member is, told by member events that are no joins. MSC1228 (Implementation) takes mappings from invite
// and join events; MSC4014 (Proposal 4) has the field in member events of all kinds, and its sub-item says that the link
// of key and user ID cannot be spoofed: what another kind of event claims without proof changes nothing.

import (
	"slices"

	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
)

// kindLie is a member event of another kind than join with a mapping that is not so.
type kindLie struct {
	requirement string
	name        string
	ways        []string
	about       person // who is claimed, or whose key the lie is about
	// joinRule is that of the room; "" is public.
	joinRule string
	// right is the same event with the mapping that is right. It is about another user than the lie.
	right func(p scene) federation.Template
	tell  func(p scene) federation.Template
	// claimed is the user ID that nobody may be shown as.
	claimed func(p scene) string
}

// The users of Origin in these lies, beside carol and dan.
const (
	eve    = "eve"    // a member, or who wants to be one
	frank  = "frank"  // another
	absent = "absent" // not in the room
)

// another is the event by which carol changes the membership of a key's user, with a mapping of that key to a user.
func (p scene) another(membership string, of *federation.User, to *federation.User) federation.Template {
	key := of.KeyIn(p.Room.ID()).Public
	return p.Template(federation.Proto{
		Type: "m.room.member", Sender: p.Carol, StateKey: federation.StateKey(string(key)),
		Content: map[string]string{"membership": membership},
	}).WithMappingOf(to).NamingKey(key)
}

// own is a member event of a user of Origin about itself, with its mapping.
func (p scene) own(membership, name string) federation.Template {
	user := p.Origin.User(name)
	return p.Room.MemberTemplate(user, membership).WithMappingOf(user)
}

// invited is an invite of a user of Origin by carol, signed by both.
func (p scene) invited(name string) federation.Template {
	user := p.Origin.User(name)
	return p.another("invite", user, user).AlsoSignedBy(federation.SenderKeySigner(user.KeyIn(p.Room.ID())))
}

func bobsID(p scene) string { return p.bob.ID() }

func zoesID(p scene) string { return p.zoe.UserID }

func absentID(p scene) string { return p.Origin.User(absent).ID() }

var kindLies = []kindLie{
	{
		requirement: "mapping/unverified-on-leave", name: "a leave that claims another server's user",
		ways:  []string{"send", "send_leave", "the state of send_join"},
		right: func(p scene) federation.Template { return p.own("leave", frank) },
		tell:  func(p scene) federation.Template { return p.own("leave", eve).Claiming(p.bob.ID()) },
		about: bob, claimed: bobsID,
	},
	{
		requirement: "mapping/unverified-on-leave", name: "a leave that claims a user of the server", ways: []string{"send"},
		right: func(p scene) federation.Template { return p.own("leave", frank) },
		tell:  func(p scene) federation.Template { return p.own("leave", eve).Claiming(p.zoe.UserID) },
		about: zoe, claimed: zoesID,
	},
	{
		requirement: "mapping/unverified-on-leave", name: "a kick that gives the kicked key to another user",
		ways: []string{"send", "the state of send_join"}, about: memberBob,
		right:   func(p scene) federation.Template { return p.another("leave", p.Dan, p.Dan) },
		tell:    func(p scene) federation.Template { return p.another("leave", p.bob, p.Origin.User(absent)) },
		claimed: absentID,
	},
	{
		requirement: "mapping/unverified-on-ban", name: "a ban that gives the banned key to another user",
		ways: []string{"send", "the state of send_join"}, about: memberBob,
		right:   func(p scene) federation.Template { return p.another("ban", p.Dan, p.Dan) },
		tell:    func(p scene) federation.Template { return p.another("ban", p.bob, p.Origin.User(absent)) },
		claimed: absentID,
	},
	{
		requirement: "mapping/unverified-on-ban", name: "a ban that makes the banned key a user of the server", ways: []string{"send"},
		right: func(p scene) federation.Template { return p.another("ban", p.Dan, p.Dan) },
		tell: func(p scene) federation.Template {
			return p.another("ban", p.Origin.User(eve), p.Origin.User(absent)).Claiming(p.zoe.UserID)
		},
		about: zoe, claimed: zoesID,
	},
	{
		requirement: "mapping/unverified-on-knock", name: "a knock that claims another server's user", joinRule: "knock",
		ways:  []string{"send", "send_knock"},
		right: func(p scene) federation.Template { return p.own("knock", "knocker") },
		tell:  func(p scene) federation.Template { return p.own("knock", "liar").Claiming(p.bob.ID()) },
		about: bob, claimed: bobsID,
	},
	{
		requirement: "mapping/unverified-on-knock", name: "a knock that claims a user of the server", joinRule: "knock",
		ways:  []string{"send"},
		right: func(p scene) federation.Template { return p.own("knock", "knocker") },
		tell:  func(p scene) federation.Template { return p.own("knock", "liar").Claiming(p.zoe.UserID) },
		about: zoe, claimed: zoesID,
	},
	{
		requirement: "mapping/unverified-on-invite", name: "an invite that claims another server's user",
		ways:  []string{"send", "the state of send_join"},
		right: func(p scene) federation.Template { return p.invited("guest") },
		tell:  func(p scene) federation.Template { return p.invited("liar").Claiming(p.bob.ID()) },
		about: bob, claimed: bobsID,
	},
	{
		requirement: "mapping/unverified-on-invite", name: "an invite that claims a user of the server", ways: []string{"send"},
		right: func(p scene) federation.Template { return p.invited("guest") },
		tell:  func(p scene) federation.Template { return p.invited("liar").Claiming(p.zoe.UserID) },
		about: zoe, claimed: zoesID,
	},
	{
		// Who invites cannot sign by the key of a user who has left, whose own server would have to.
		requirement: "mapping/unverified-on-invite", name: "an invite that gives the key of a former member to another user",
		ways: []string{"send"}, about: memberBob,
		right: func(p scene) federation.Template { return p.invited("guest") },
		tell: func(p scene) federation.Template {
			p.Room.Delivers(p.Room.Made(p.another("leave", p.bob, p.bob).WithoutMapping()))
			return p.another("invite", p.bob, p.Origin.User(absent))
		},
		claimed: absentID,
	},
}

func init() {
	for _, told := range kindLies {
		for _, along := range slices.Concat(delivery.Paths, delivery.MembershipPaths) {
			if !slices.Contains(told.ways, along.Name) {
				continue
			}
			check.Register(check.Check{
				Name:     told.name + ", by " + along.Name,
				Requires: []string{told.requirement},
				Path:     along.Name,
				Body:     func(c *check.C) { judgeKind(c, told, along) },
			})
		}
	}
}

// judgeKind delivers one lie by another member event than a join along one path.
func judgeKind(c *check.C, told kindLie, along delivery.Path) {
	p := openScene(c, told.about, !along.Enters)
	p.prepares(told, along.Enters)
	honest := delivery.Delivered{Room: p.Room, Event: p.Room.Made(told.right(p))}
	honest.Delivery = along.Deliver(p.Scene, honest.Event, nil)
	believed := delivery.WithAnswer(honest.IsShown(p.Alice), honest.Answer)
	if along.Name == delivery.SendLeave.Name {
		c.Need("membership/leave-remote", believed)
	}
	c.Control(believed)

	p.prepares(told, along.Enters)
	p.Breaks = told.requirement
	lie := p.Room.Made(told.tell(p))
	came := along.Deliver(p.Scene, lie, nil)
	c.Notef("the server answered the lie with %s", came.Answer)
	if came.Outside {
		c.Notef("alice could not enter the room with the lie in it, and so saw nothing of it")
		return
	}
	views := p.Alice.NotHonoured(p.Room.ID(), lie, told.claimed(p))
	p.SendersStand(views, p.Room, p.honestKeys())
	if told.about != memberBob { // who is out of the room now
		p.gainsNothing(p.Room.ID())
	}
}

// prepares makes the room ready: its join rule, and further members. Eve and frank are members unless somebody is to knock. A
// room that Alice is to enter is a new one each time.
func (p *scene) prepares(told kindLie, enters bool) {
	if enters {
		p.newRoom(told.about)
	}
	tells := p.Room.Delivers
	if enters {
		tells = p.Room.Apply
	}
	if told.joinRule != "" {
		tells(p.Room.Made(p.Template(federation.Proto{
			Type: "m.room.join_rules", Sender: p.Carol, StateKey: federation.StateKey(""),
			Content: map[string]string{"join_rule": told.joinRule},
		})))
		return
	}
	for _, name := range []string{eve, frank} {
		if user := p.Origin.User(name); p.Room.Membership(user.SenderIn(p.Room.Room)) == "" {
			tells(p.Room.Made(p.Room.MemberTemplate(user, "join")))
			tells(p.Room.Made(p.TextMessage(user, "said by a member")))
		}
	}
}
