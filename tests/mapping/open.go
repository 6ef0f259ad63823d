package mapping

// What the texts leave open about mappings: which reading the server takes.

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// The fates of a member event whose mapping may or may not be honoured.
const (
	honoured    = "honoured"
	placeholder = "placeholder"
	hidden      = "accepted-hidden" // into the state that peers are served, and no client is shown it
	refused     = "refused"
)

// fateOf tells what became of a join that claims a user ID: one of the fates, or under which other name it is shown. Needs
// a barrier before it.
func (p scene) fateOf(join federation.Event, claimed string) string {
	members, err := p.Alice.Members(p.C.Context(), p.Room.ID(), nil)
	p.C.Need("client-view/unmodified-client", err)
	for _, event := range members.Get("chunk").Array() {
		if event.Get("event_id").String() != join.ID() {
			continue
		}
		switch shown := event.Get("state_key").String(); {
		case shown == claimed:
			return honoured
		case strings.HasPrefix(shown, "@_unverified_"):
			return placeholder
		default:
			return "shown as " + shown
		}
	}
	later := p.Peer()
	if _, served := later.Joins(p.Room.ID(), later.User("witness")).Event(join.ID()); served {
		return hidden
	}
	return refused
}

// reads is what became of a join that a user of Origin sends in a transaction, and whether the server told that it was
// refused.
func (p scene) reads(user *federation.User, join federation.Event) (fate string, told bool) {
	answer, err := p.Room.Pushes(join)
	p.C.Need("resilience/stays-up", err)
	p.Barrier()
	return p.fateOf(join, user.ID()), !answer.OK() || answer.PDUErrors[join.ID()] != ""
}

// What becomes of the event whose mapping is not honoured: MSC4014 (Changes 6) accepts an event whose sender cannot be
// verified, MSC1228 (Implementation) rejects one whose mapping is wrong, and neither speaks of a mapping that is missing or
// that proves nothing.
var _ = check.Register(check.Check{
	Name:     "what becomes of an unproven mapping",
	Requires: []string{"mapping/unproven-handling"},
	Path:     "send",
	Body: func(c *check.C) {
		p := openScene(c, bob, true)
		forms := map[string]string{}
		for _, told := range joinLies {
			switch told.requirement {
			case "mapping/missing-not-honoured", "mapping/unsigned-not-honoured", "mapping/foreign-signature-not-honoured",
				"mapping/unknown-key-id-not-honoured":
				forms[told.name] = p.handles(len(forms), told.tell, told.claimed)
			}
		}
		forms["a mapping without a user ID"] = p.handles(len(forms), func(honest federation.Template, _ scene) federation.Template {
			return honest.AlterMapping(federation.DeleteField("user_id"))
		}, nil)
		if reading := p.handlesOtherKey(); reading != "" {
			forms["a mapping that names the key of another member, by send_join"] = reading
		}
		observeForms(c, "mapping/unproven-handling", forms)
	},
})

// handles tells the reading that the server takes of one form of an unproven mapping.
func (p scene) handles(number int, tell func(federation.Template, scene) federation.Template, claimed func(scene) string) string {
	liar := p.Origin.User(fmt.Sprintf("liar-%d", number))
	join := p.Room.Made(tell(p.Room.MemberTemplate(liar, "join"), p))
	fate, told := p.reads(liar, join)
	switch {
	case fate == honoured, claimed != nil && fate == "shown as "+claimed(p):
		return "other" // it is honoured: another check fails for it
	case fate == refused && !told:
		return "dropped"
	case fate == refused, fate == placeholder, fate == hidden:
		return fate
	}
	return "other"
}

// handlesOtherKey tells the reading of a mapping that names another member's key. It comes by send_join: deployed servers die
// of it in a transaction (mapping/other-key-not-honoured). A refusal is "" there: that it is told says nothing.
func (p scene) handlesOtherKey() string {
	liar := p.Origin.User("liar")
	ctx, cancel := p.Origin.Within()
	defer cancel()
	join := p.Room.Made(p.Room.MemberTemplate(liar, "join").NamingKey(p.Carol.KeyIn(p.Room.ID()).Public))
	answer, err := p.Origin.SendJoin(ctx, p.ServerName(1), p.Room.ID(), join)
	p.C.Need("resilience/stays-up", err)
	p.Barrier()
	p.C.Notef("the server answered the mapping of another member's key with %s", delivery.Short(answer.Answer))
	switch fate := p.fateOf(join, liar.ID()); fate {
	case refused:
		return ""
	case placeholder, hidden:
		return fate
	}
	return "other"
}

// observeForms observes one reading if all forms came to it, else that it differs.
func observeForms(c *check.C, requirement string, forms map[string]string) {
	var details, readings []string
	for form, reading := range forms {
		details, readings = append(details, form+": "+reading), append(readings, reading)
	}
	slices.Sort(details)
	slices.Sort(readings)
	readings = slices.Compact(readings)
	if len(readings) == 1 {
		c.Observe(readings[0], "%s", strings.Join(details, "; "))
		return
	}
	c.Observe("differs-by-form", "%s", strings.Join(details, "; "))
}

// The TODO of the text: nothing in the signature ties a mapping to a room (MSC4014, Proposal 4.3). Its key must sign the
// event that brings it along, so that only who holds the key can take it to another room.
var _ = check.Register(check.Check{
	Name:     "a mapping of another room",
	Requires: []string{"mapping/replayed-into-another-room"},
	Path:     "send",
	Body: func(c *check.C) {
		p := openScene(c, nobody, true)
		traveller := p.Origin.User("traveller")
		first := p.Room.Made(p.Room.MemberTemplate(traveller, "join"))
		before, _ := p.reads(traveller, first)
		if before != honoured {
			c.Blocked("membership/remote-joins-us", "the first join of the user came to: %s", before)
		}
		mapping, _ := pseudoid.MappingOf(first.JSON())
		key := traveller.KeyIn(p.Room.ID())

		p.Room = p.MakesRoom()
		p.Alice.Joins(p.Room.ID(), p.Origin.Name())
		traveller.UseKey(p.Room.ID(), key)
		fate, told := p.reads(traveller, p.Room.Made(p.Room.MemberTemplate(traveller, "join").WithMapping(mapping)))
		reading := map[string]string{honoured: honoured, refused: refused, placeholder: "not-honoured", hidden: "not-honoured"}[fate]
		if reading == "" {
			reading = "other"
		}
		c.Observe(reading, "the join that brought it along: %s; the sender was told of a refusal: %t", fate, told)
	},
})

// Whether the key that signs a mapping must be valid still is not said. Here it is one that its server lists among its old
// keys (server-server API, publishing keys).
var _ = check.Register(check.Check{
	Name:     "a mapping signed by an expired key",
	Requires: []string{"mapping/expired-server-key"},
	Path:     "send",
	Body: func(c *check.C) {
		p := openScene(c, nobody, false)
		expired := retire(p.Origin)
		p.Room = p.MakesRoom()
		p.Alice.Joins(p.Room.ID(), p.Origin.Name())
		user := p.Origin.User("olga")
		fate, told := p.reads(user, p.Room.Made(p.Room.MemberTemplate(user, "join").MappingSignedBy(expired)))
		reading := fate
		if fate != honoured && fate != refused && fate != placeholder {
			reading = "other"
		}
		c.Observe(reading, "the join: %s; the sender was told of a refusal: %t", fate, told)
	},
})

// retire makes a peer list a key that expired an hour ago, and returns it.
func retire(peer *stage.Peer) federation.Signer {
	pair := pseudoid.GenerateKeyPair()
	expired := federation.Signer{Entity: peer.Name(), KeyID: "ed25519:retired", Key: pair.Private}
	peer.Handle(federation.ServerKeys, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
		answer := honest().Delete("signatures").Set("old_verify_keys", map[string]any{
			expired.KeyID: map[string]any{"key": pair.Public, "expired_ts": time.Now().Add(-time.Hour).UnixMilli()},
		})
		signer := peer.Signer()
		signed, err := pseudoid.SignJSON(answer.Body, signer.Entity, signer.KeyID, signer.Key)
		if err != nil {
			return federation.Refusal(500, "M_UNKNOWN", err.Error())
		}
		answer.Body = signed
		return answer
	})
	return expired
}

// A mapping needs the signature of the user ID's domain (MSC4014, Proposal 4). Of others beside it nothing is said.
var _ = check.Register(check.Check{
	Name:     "a mapping with further signatures",
	Requires: []string{"mapping/extra-signatures"},
	Path:     "send",
	Body: func(c *check.C) {
		p := openScene(c, bob, true)
		friend := p.Origin.User("befriended")
		good, _ := p.reads(friend, p.Room.Made(p.Room.MemberTemplate(friend, "join").MappingAlsoSignedBy(p.victim.Signer())))
		other := p.Origin.User("slandered")
		bad, _ := p.reads(other, p.Room.Made(p.Room.MemberTemplate(other, "join").MappingAlsoSignedBy(forged(p.victim.Signer()))))
		reading := "other"
		switch {
		case good == honoured && bad == honoured:
			reading = "ignored"
		case good == honoured:
			reading = "verifiable-only"
		case bad != honoured:
			reading = refused
		}
		c.Observe(reading, "with one that verifies: %s; with one that does not: %s", good, bad)
	},
})

// Whether a server may bring the join of another server's user is not said: it is signed by the user's key, and its mapping
// by the user's server.
var _ = check.Register(check.Check{
	Name:     "a join that another server brings",
	Requires: []string{"mapping/delivered-by-third-server"},
	Path:     "send_join",
	Body: func(c *check.C) {
		p := openScene(c, bob, true)
		ctx, cancel := p.Origin.Within()
		defer cancel()
		join := p.Room.Made(p.Room.MemberTemplate(p.bob, "join"))
		answer, err := p.Origin.SendJoin(ctx, p.ServerName(1), p.Room.ID(), join)
		c.Need("resilience/stays-up", err)
		p.Barrier()
		sent := p.fateOf(join, p.bob.ID())
		bea := p.victim.User("bea")
		pushed, _ := p.reads(bea, p.Room.Made(p.Room.MemberTemplate(bea, "join")))
		reading := "other"
		switch {
		case sent == honoured && pushed == honoured:
			reading = "accepted"
		case sent == refused && pushed == refused:
			reading = refused
		case sent == refused && pushed == honoured:
			reading = "transaction-only"
		case sent == honoured && pushed == refused:
			reading = "send-join-only"
		}
		c.Observe(reading, "by send_join: %s (answered %s); in a transaction: %s",
			sent, delivery.Short(answer.Answer), pushed)
	},
})

// MSC4014 (Proposal 4) has the mapping in member events, MSC1228 (Proposal) in invite and join events: whether a server's own
// leaves, kicks, bans and knocks have it.
var _ = check.Register(check.Check{
	Name:     "the mapping in leaves, kicks, bans and knocks",
	Requires: []string{"mapping/in-leave-ban-knock"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		room := s.Room
		bob, kicked, banned := s.User("bob"), s.User("kicked"), s.User("banned")
		for _, user := range []*stage.User{bob, kicked, banned} {
			user.Joins(room.ID())
			room.Blaming("mapping/in-local-join").AwaitsMember(user.UserID, "join")
		}
		carries := map[string]bool{}
		see := func(what, requirement, membership string, key string) {
			event := room.Blaming(requirement).Awaits(func(event federation.Event) error {
				if event.IsState("m.room.member", key) && event.Membership() == membership {
					return nil
				}
				return errors.New("another event")
			})
			_, carries[what] = pseudoid.MappingOf(event.JSON())
		}
		bob.Leaves(room.ID())
		see("leave", "membership/leave", "leave", room.SenderOf(bob.UserID))
		s.Alice.Kicks(room.ID(), kicked.UserID)
		see("kick", "membership/kick", "leave", room.SenderOf(kicked.UserID))
		s.Alice.Bans(room.ID(), banned.UserID)
		see("ban", "membership/ban", "ban", room.SenderOf(banned.UserID))
		s.Alice.Sets(room.ID(), "m.room.join_rules", "", map[string]any{"join_rule": "knock"})
		if _, err := s.User("knocker").Knock(c.Context(), room.ID(), ""); err != nil {
			c.Notef("nobody could knock: %v", err)
		} else {
			creator := scenes.CreatorsJoin(c, room).Sender()
			knock := room.Blaming("membership/knock").Awaits(scenes.NewMember(room, creator, "knock"))
			_, carries["knock"] = pseudoid.MappingOf(knock.JSON())
		}
		observeCarried(c, carries)
	},
})

// observeCarried observes which member events carry the mapping; a knock that could not be made is left out.
func observeCarried(c *check.C, carries map[string]bool) {
	var with, without []string
	for what, carried := range carries {
		if carried {
			with = append(with, what)
		} else {
			without = append(without, what)
		}
	}
	slices.Sort(with)
	slices.Sort(without)
	own := func(what string) bool { return what == "leave" || what == "knock" }
	reading := "some"
	switch {
	case len(with) == 0:
		reading = "none"
	case len(without) == 0:
		reading = "all"
	case !slices.ContainsFunc(with, func(what string) bool { return !own(what) }) && !slices.ContainsFunc(without, own):
		reading = "own-only"
	}
	c.Observe(reading, "with it: %s; without it: %s",
		strings.Join(with, ", "), strings.Join(without, ", "))
}
