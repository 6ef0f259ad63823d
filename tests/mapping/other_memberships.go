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
	right func(cast scene) federation.Template
	tell  func(cast scene) federation.Template
	// claimed is the user ID that nobody may be shown as.
	claimed func(cast scene) string
}

// The users of mallory in these lies, beside carol and dan.
const (
	eve    = "eve"   // a member, or who wants to be one
	frank  = "frank" // another
	absent = "ghost" // not in the room
)

// another is the event by which carol changes the membership of a key's user, with a mapping of that key to a user.
func (p scene) another(membership string, of *federation.User, to *federation.User) federation.Template {
	key := of.KeyIn(p.Room.ID()).Public
	return p.Template(federation.Proto{
		Type: "m.room.member", Sender: p.Carol, StateKey: federation.StateKey(string(key)),
		Content: map[string]string{"membership": membership},
	}).WithMappingOf(to).NamingKey(key)
}

// own is a member event of a user of mallory about itself, with its mapping.
func (p scene) own(membership, name string) federation.Template {
	user := p.Mallory.User(name)
	return p.Room.MemberTemplate(user, membership).WithMappingOf(user)
}

// invited is an invite of a user of mallory by carol, signed by both.
func (p scene) invited(name string) federation.Template {
	user := p.Mallory.User(name)
	return p.another("invite", user, user).AlsoSignedBy(federation.SenderKeySigner(user.KeyIn(p.Room.ID())))
}

func bobsID(p scene) string { return p.bob.ID() }

func zoesID(p scene) string { return p.zoe.UserID }

func absentID(p scene) string { return p.Mallory.User(absent).ID() }

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
		tell:    func(p scene) federation.Template { return p.another("leave", p.bob, p.Mallory.User(absent)) },
		claimed: absentID,
	},
	{
		requirement: "mapping/unverified-on-ban", name: "a ban that gives the banned key to another user",
		ways: []string{"send", "the state of send_join"}, about: memberBob,
		right:   func(p scene) federation.Template { return p.another("ban", p.Dan, p.Dan) },
		tell:    func(p scene) federation.Template { return p.another("ban", p.bob, p.Mallory.User(absent)) },
		claimed: absentID,
	},
	{
		requirement: "mapping/unverified-on-ban", name: "a ban that makes the banned key a user of the server", ways: []string{"send"},
		right: func(p scene) federation.Template { return p.another("ban", p.Dan, p.Dan) },
		tell: func(p scene) federation.Template {
			return p.another("ban", p.Mallory.User(eve), p.Mallory.User(absent)).Claiming(p.zoe.UserID)
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
			return p.another("invite", p.bob, p.Mallory.User(absent))
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
				Body:     func(c *check.C) { tellKind(c, told, along) },
			})
		}
	}
}

// tellKind plays one lie by another member event than a join along one way.
func tellKind(c *check.C, told kindLie, along delivery.Path) {
	p := openScene(c, told.about, along.Enters)
	p.peoples(told, along.Enters)
	right := p.Room.Made(told.right(p))
	answer, outside := along.Deliver(p.Scene, right)
	believed := delivery.WithAnswer(delivery.Delivered{Room: p.Room, Event: right, Outside: outside}.IsShown(p.Alice), answer)
	if along.Name == "send_leave" {
		c.Need("membership/leave-remote", believed)
	}
	c.Control(believed)

	p.peoples(told, along.Enters)
	p.Breaks = told.requirement
	lie := p.Room.Made(told.tell(p))
	answer, outside = along.Deliver(p.Scene, lie)
	c.Notef("the server answered the lie with %s", answer)
	if outside {
		c.Notef("alice could not enter the room with the lie in it, and so saw nothing of it")
		return
	}
	views := p.Alice.NotHonoured(p.Room.ID(), lie, told.claimed(p))
	p.SendersStand(views, p.Room, p.honestKeys())
	if told.about != memberBob { // who is out of the room now
		p.gainsNothing(p.Room.ID())
	}
}

// peoples makes the room ready: its rule, and who is in it besides. Eve and frank are members unless somebody is to knock.
// A room that alice is to enter is a new one each time.
func (p *scene) peoples(told kindLie, enters bool) {
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
		if user := p.Mallory.User(name); p.Room.Membership(user.SenderIn(p.Room.Room)) == "" {
			tells(p.Room.Made(p.Room.MemberTemplate(user, "join")))
			tells(p.Room.Made(p.Message(user, "said by a member")))
		}
	}
}
