package main

// How a lie about who a member is is played: the same join, right, is believed; the lie is told; then alice's client, the
// victim, a server that joins later and the claimed domain must not see it come true.

import (
	"errors"
	"fmt"
	"slices"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// cast is who plays in a check of a lie: alice is a user of the server under test, carol and dan are honest users of mallory,
// the liar's server, and all three are in mallory's room. Who a lie is about is called when it is told: zoe, another user of
// the server under test, and bob, a user of the victim, an honest third server. Zoe is not in the room, bob if the lie says so.
type cast struct {
	players
	zoe    *stage.User
	victim *stage.Peer
	bob    *federation.User
	// bobs is the room as the victim knows it, nil if bob is not in it.
	bobs *stage.Room
	// elsewhere is a room of the victim that alice is in: what is queued for the victim arrives before what she says there.
	elsewhere *stage.Room
}

// person is who a lie is about, besides its liar.
type person int

const (
	nobody person = iota
	zoe
	bob
	memberBob // bob, who is a member of the room
)

// openCast puts the cast on the stage. Ways that end with alice's entering make their own rooms.
func openCast(c *check.C, about person, enters bool) cast {
	p := cast{players: players{Stage: stage.Open(c, blueprints.OneServer)}}
	p.alice, p.mallory = p.User("alice"), p.Peer()
	p.carol, p.dan = p.mallory.User("carol"), p.mallory.User("dan")
	switch about {
	case zoe:
		p.zoe = p.User("zoe")
	case bob:
		p.victim = p.Peer()
		p.bob = p.victim.User("bob")
		p.elsewhere = p.victim.Makes(federation.RoomOptions{Creator: p.bob})
		p.alice.Joins(p.elsewhere.ID(), p.victim.Name())
	case memberBob:
		p.victim = p.Peer()
		p.bob = p.victim.User("bob")
	}
	if !enters {
		p.newRoom(about)
		p.alice.Joins(p.room.ID(), p.mallory.Name())
		p.barrier()
	}
	return p
}

// newRoom makes mallory's room, with bob in it if the lie is about him as a member.
func (p *cast) newRoom(about person) {
	p.room = p.makesRoom()
	if about == memberBob {
		p.bobs = p.victim.JoinsVia(p.mallory.Name(), p.room.ID(), p.bob)
	}
}

// telling is a join that was told, and what became of it.
type telling struct {
	reception
	user *federation.User
	join federation.Event
	room *stage.Room
}

// tells lets a user of mallory's join by a join that alter makes of an honest one.
func (w passage) tells(p cast, name string, alter func(federation.Template, cast) federation.Template) telling {
	if w.enters || w.gap {
		p.room = p.makesRoom()
	}
	if w.gap {
		p.alice.Joins(p.room.ID(), p.mallory.Name())
		p.barrier()
	}
	told := telling{user: p.mallory.User(name), room: p.room}
	template := alter(p.room.MemberTemplate(told.user, "join"), p)
	told.join = p.room.Made(template)
	told.reception = w.deliver(p.players, told.user, told.join)
	return told
}

// tellLie plays one lie along one way.
func tellLie(c *check.C, told lie, along passage) {
	p := openCast(c, told.about, along.enters || along.gap)

	right := along.tells(p, "honest", func(honest federation.Template, _ cast) federation.Template { return honest })
	c.Control(withAnswer(right.isBelieved(p.alice), right.answer))
	claimed := p.mallory.User("liar").ID()
	if told.claimed != nil {
		claimed = told.claimed(p)
	}
	var before stage.Standing
	if told.member {
		before = p.alice.Standing(p.room.ID(), claimed)
	}

	p.breaks = told.requirement
	lie := along.tells(p, "liar", told.tell)
	c.Notef("the server answered the lie with %s", lie.answer)
	if lie.outside {
		c.Notef("alice could not enter the room with the lie in it, and so saw nothing of it")
		return
	}
	p.room = lie.room
	switch {
	case along.others && told.claimed == nil: // the liar is known as itself otherwise
		p.SendersStand(p.alice.Views(lie.room.ID()), lie.room, p.honestKeys())
	case told.member:
		views := p.alice.Views(lie.room.ID())
		p.SendersStand(views, lie.room, p.honestKeys())
		p.alice.Stands(lie.room.ID(), before)
		lie.isNotShownAs(c, views, claimed)
	case told.refused && slices.Contains(pushed, along.name):
		p.alice.Refused(lie.room.ID(), lie.join)
		later := p.Peer()
		later.Joins(lie.room.ID(), later.User("witness")).NotServed(lie.join)
	default:
		views := p.alice.NotHonoured(lie.room.ID(), lie.join, claimed)
		if told.claimed == nil && told.namesKey() {
			p.SendersStand(views, lie.room, p.honestKeys())
		}
	}
	p.gainsNothing(lie.room.ID())
}

// gainsNothing sees to it that the lie moved nothing in routing: neither zoe nor bob's server gets to know of the room, unless
// bob is a member, who then still hears what is said.
func (p cast) gainsNothing(roomID string) {
	switch {
	case p.zoe != nil:
		p.zoe.SeesNothingOf(roomID)
	case p.bobs != nil:
		p.bobs.Blaming("routing/reaches-members").AwaitsEvent(p.alice.Says(roomID, "said to the room"))
	case p.elsewhere != nil:
		p.alice.Says(roomID, "said to the room")
		p.elsewhere.Blaming("routing/reaches-members").AwaitsEvent(p.alice.Says(p.elsewhere.ID(), "said to the claimed domain"))
		p.victim.OnlyLookedUp(roomID)
	}
}

// honestKeys are the sender keys of the honest, and whose they are.
func (p cast) honestKeys() map[string]string {
	keys := map[string]string{p.room.SenderOf(p.alice.UserID): p.alice.UserID}
	users := []*federation.User{p.carol, p.dan, p.mallory.User(eve), p.mallory.User(frank)}
	if p.bob != nil {
		users = append(users, p.bob)
	}
	for _, user := range users {
		keys[user.SenderIn(p.room.Room)] = user.ID()
	}
	return keys
}

// isBelieved tells why a client is not shown the user whose join was told, or nil.
func (t telling) isBelieved(client *stage.User) error {
	if t.outside {
		return errors.New("the room with the join in it could not be entered")
	}
	if !client.SomeView(t.room.ID(), func(view stage.View) bool { return view.Shows(t.user.ID()) != "" }) {
		return fmt.Errorf("no view shows %s", t.user.ID())
	}
	named := func(view stage.View) bool { return view.ShownAs(t.shows.ID()) == t.user.ID() }
	if !t.shows.IsZero() && !client.SomeView(t.room.ID(), named) {
		return fmt.Errorf("no view shows %s by its sender %s", t.shows, t.user.ID())
	}
	return nil
}

// isNotShownAs sees to it that neither the join nor what its user wrote is shown under the user ID of another member.
func (t telling) isNotShownAs(c *check.C, views []stage.View, userID string) {
	for _, view := range views {
		for _, event := range []federation.Event{t.join, t.shows} {
			if !event.IsZero() && view.ShownAs(event.ID()) == userID {
				c.Errorf("%s shows an event of the liar's key as one of %s, who is another member", view.Name, userID)
			}
		}
	}
}

// withAnswer adds what the server answered to an error.
func withAnswer(err error, answer string) error {
	if err == nil {
		return nil
	}
	return errors.Join(err, errors.New("the server answered "+answer))
}
