package main

// Lies about who a member is, told by member events that are no joins. MSC1228 (Implementation) takes mappings from invite
// and join events; MSC4014 (Proposal 4) has the field in member events of all kinds, and its sub-item says that the link
// of key and user ID cannot be spoofed: what another kind of event claims without proof changes nothing.

import (
	"net/http"
	"net/url"
	"slices"

	"msc4014/helpers/check"
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
	right func(cast cast) federation.Template
	tell  func(cast cast) federation.Template
	// claimed is the user ID that nobody may be shown as.
	claimed func(cast cast) string
}

// The users of mallory in these lies, beside carol and dan.
const (
	eve   = "eve"   // a member, or who wants to be one
	frank = "frank" // another
	ghost = "ghost" // not in the room
)

// another is the event by which carol changes the membership of a key's user, with a mapping of that key to a user.
func (p cast) another(membership string, of *federation.User, to *federation.User) federation.Template {
	key := of.KeyIn(p.room.ID()).Public
	return p.template(federation.Proto{
		Type: "m.room.member", Sender: p.carol, StateKey: federation.StateKey(string(key)),
		Content: map[string]string{"membership": membership},
	}).WithMappingOf(to).NamingKey(key)
}

// own is a member event of a user of mallory about itself, with its mapping.
func (p cast) own(membership, name string) federation.Template {
	user := p.mallory.User(name)
	return p.room.MemberTemplate(user, membership).WithMappingOf(user)
}

// invited is an invite of a user of mallory by carol, signed by both.
func (p cast) invited(name string) federation.Template {
	user := p.mallory.User(name)
	return p.another("invite", user, user).AlsoSignedBy(federation.SenderKeySigner(user.KeyIn(p.room.ID())))
}

func bobsID(p cast) string  { return p.bob.ID() }
func zoesID(p cast) string  { return p.zoe.UserID }
func ghostID(p cast) string { return p.mallory.User(ghost).ID() }

var kindLies = []kindLie{
	{
		requirement: "mapping/unverified-on-leave", name: "a leave that claims another server's user",
		ways:  []string{"send", "send_leave", "the state of send_join"},
		right: func(p cast) federation.Template { return p.own("leave", frank) },
		tell:  func(p cast) federation.Template { return p.own("leave", eve).Claiming(p.bob.ID()) },
		about: bob, claimed: bobsID,
	},
	{
		requirement: "mapping/unverified-on-leave", name: "a leave that claims a user of the server", ways: []string{"send"},
		right: func(p cast) federation.Template { return p.own("leave", frank) },
		tell:  func(p cast) federation.Template { return p.own("leave", eve).Claiming(p.zoe.UserID) },
		about: zoe, claimed: zoesID,
	},
	{
		requirement: "mapping/unverified-on-leave", name: "a kick that gives the kicked key to another user",
		ways: []string{"send", "the state of send_join"}, about: memberBob,
		right:   func(p cast) federation.Template { return p.another("leave", p.dan, p.dan) },
		tell:    func(p cast) federation.Template { return p.another("leave", p.bob, p.mallory.User(ghost)) },
		claimed: ghostID,
	},
	{
		requirement: "mapping/unverified-on-ban", name: "a ban that gives the banned key to another user",
		ways: []string{"send", "the state of send_join"}, about: memberBob,
		right:   func(p cast) federation.Template { return p.another("ban", p.dan, p.dan) },
		tell:    func(p cast) federation.Template { return p.another("ban", p.bob, p.mallory.User(ghost)) },
		claimed: ghostID,
	},
	{
		requirement: "mapping/unverified-on-ban", name: "a ban that makes the banned key a user of the server", ways: []string{"send"},
		right: func(p cast) federation.Template { return p.another("ban", p.dan, p.dan) },
		tell: func(p cast) federation.Template {
			return p.another("ban", p.mallory.User(eve), p.mallory.User(ghost)).Claiming(p.zoe.UserID)
		},
		about: zoe, claimed: zoesID,
	},
	{
		requirement: "mapping/unverified-on-knock", name: "a knock that claims another server's user", joinRule: "knock",
		ways:  []string{"send", "send_knock"},
		right: func(p cast) federation.Template { return p.own("knock", "knocker") },
		tell:  func(p cast) federation.Template { return p.own("knock", "liar").Claiming(p.bob.ID()) },
		about: bob, claimed: bobsID,
	},
	{
		requirement: "mapping/unverified-on-knock", name: "a knock that claims a user of the server", joinRule: "knock",
		ways:  []string{"send"},
		right: func(p cast) federation.Template { return p.own("knock", "knocker") },
		tell:  func(p cast) federation.Template { return p.own("knock", "liar").Claiming(p.zoe.UserID) },
		about: zoe, claimed: zoesID,
	},
	{
		requirement: "mapping/unverified-on-invite", name: "an invite that claims another server's user",
		ways:  []string{"send", "the state of send_join"},
		right: func(p cast) federation.Template { return p.invited("guest") },
		tell:  func(p cast) federation.Template { return p.invited("liar").Claiming(p.bob.ID()) },
		about: bob, claimed: bobsID,
	},
	{
		requirement: "mapping/unverified-on-invite", name: "an invite that claims a user of the server", ways: []string{"send"},
		right: func(p cast) federation.Template { return p.invited("guest") },
		tell:  func(p cast) federation.Template { return p.invited("liar").Claiming(p.zoe.UserID) },
		about: zoe, claimed: zoesID,
	},
	{
		// Who invites cannot sign by the key of a user who has left, whose own server would have to.
		requirement: "mapping/unverified-on-invite", name: "an invite that gives the key of a former member to another user",
		ways: []string{"send"}, about: memberBob,
		right: func(p cast) federation.Template { return p.invited("guest") },
		tell: func(p cast) federation.Template {
			p.room.Delivers(p.room.Made(p.another("leave", p.bob, p.bob).WithoutMapping()))
			return p.another("invite", p.bob, p.mallory.User(ghost))
		},
		claimed: ghostID,
	},
}

// memberWays are ways that only member events other than joins take.
var memberWays = []eventWay{
	{name: "send_leave", deliver: func(p players, event federation.Event) (string, bool) { return p.puts("v2/send_leave", event) }},
	{name: "send_knock", deliver: func(p players, event federation.Event) (string, bool) { return p.puts("v1/send_knock", event) }},
}

// puts sends a member event at an endpoint of its own.
func (p players) puts(endpoint string, event federation.Event) (string, bool) {
	ctx, cancel := p.mallory.Within()
	defer cancel()
	uri := "/_matrix/federation/" + endpoint + "/" + url.PathEscape(p.room.ID()) + "/" + url.PathEscape(event.ID())
	answer, err := p.mallory.Do(ctx, p.ServerName(1), http.MethodPut, uri, event.JSON())
	p.C.Need("resilience/stays-up", err)
	if answer.Status == http.StatusNotFound && answer.ErrCode() == "M_UNRECOGNIZED" || answer.Status == http.StatusNotImplemented {
		p.C.Unsupported("the server does not know %s: %s", endpoint, answer)
	}
	p.barrier()
	return answer.String(), false
}

func init() {
	for _, told := range kindLies {
		for _, along := range slices.Concat(eventWays, memberWays) {
			if !slices.Contains(told.ways, along.name) {
				continue
			}
			check.Register(check.Check{
				Name:     told.name + ", by " + along.name,
				Requires: []string{told.requirement},
				Path:     along.name,
				Body:     func(c *check.C) { tellKind(c, told, along) },
			})
		}
	}
}

// tellKind plays one lie by another member event than a join along one way.
func tellKind(c *check.C, told kindLie, along eventWay) {
	p := openCast(c, told.about, along.enters)
	p.peoples(told, along.enters)
	right := p.room.Made(told.right(p))
	answer, outside := along.deliver(p.players, right)
	believed := withAnswer(delivery{room: p.room, event: right, outside: outside}.isShown(p.alice), answer)
	if along.name == "send_leave" {
		c.Need("membership/leave-remote", believed)
	}
	c.Control(believed)

	p.peoples(told, along.enters)
	p.breaks = told.requirement
	lie := p.room.Made(told.tell(p))
	answer, outside = along.deliver(p.players, lie)
	c.Notef("the server answered the lie with %s", answer)
	if outside {
		c.Notef("alice could not enter the room with the lie in it, and so saw nothing of it")
		return
	}
	views := p.alice.NotHonoured(p.room.ID(), lie, told.claimed(p))
	p.SendersStand(views, p.room, p.honestKeys())
	if told.about != memberBob { // who is out of the room now
		p.gainsNothing(p.room.ID())
	}
}

// peoples makes the room ready: its rule, and who is in it besides. Eve and frank are members unless somebody is to knock.
// A room that alice is to enter is a new one each time.
func (p *cast) peoples(told kindLie, enters bool) {
	if enters {
		p.newRoom(told.about)
	}
	tells := p.room.Delivers
	if enters {
		tells = p.room.Apply
	}
	if told.joinRule != "" {
		tells(p.room.Made(p.template(federation.Proto{
			Type: "m.room.join_rules", Sender: p.carol, StateKey: federation.StateKey(""),
			Content: map[string]string{"join_rule": told.joinRule},
		})))
		return
	}
	for _, name := range []string{eve, frank} {
		if user := p.mallory.User(name); p.room.Membership(user.SenderIn(p.room.Room)) == "" {
			tells(p.room.Made(p.room.MemberTemplate(user, "join")))
			tells(p.room.Made(p.message(user, "said by a member")))
		}
	}
}
