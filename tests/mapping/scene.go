package mapping

// How a lie about who a member is is judged: the same join, right, is believed; the lie is delivered; then Alice's client, the
// victim, a server that joins later and the claimed domain must not see it come true.

import (
	"errors"
	"fmt"
	"slices"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// scene adds those whom a lie is about, if the lie names them: zoe, another user of the server under test, who is not in the
// room, and bob, a user of an honest third server, the victim.
type scene struct {
	delivery.Scene
	zoe    *stage.User
	victim *stage.Peer
	bob    *federation.User
	// victimRoom is the room as the victim knows it; nil: bob is not in it.
	victimRoom *stage.Room
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

// openScene opens the scene; withRoom: with a room that Alice is in.
func openScene(c *check.C, about person, withRoom bool) scene {
	p := scene{Scene: delivery.Open(stage.Open(c, blueprints.OneServer))}
	switch about {
	case zoe:
		p.zoe = p.User("zoe")
	case bob:
		p.victim = p.Peer()
		p.bob = p.victim.User("bob")
		p.elsewhere = p.victim.Makes(federation.RoomOptions{Creator: p.bob})
		p.Alice.Joins(p.elsewhere.ID(), p.victim.Name())
	case memberBob:
		p.victim = p.Peer()
		p.bob = p.victim.User("bob")
	}
	if withRoom {
		p.newRoom(about)
		p.Alice.Joins(p.Room.ID(), p.Origin.Name())
		p.Barrier()
	}
	return p
}

// newRoom makes a room of Origin, with bob in it if the lie is about him as a member.
func (p *scene) newRoom(about person) {
	p.Room = p.MakesRoom()
	if about == memberBob {
		p.victimRoom = p.victim.JoinsVia(p.Origin.Name(), p.Room.ID(), p.bob)
	}
}

// delivered is a join that was delivered, and what became of it.
type delivered struct {
	delivery.Delivery
	user *federation.User
	join federation.Event
	room *stage.Room
}

// deliver delivers a join of a user of Origin, which alter makes of an honest one, in a room of its own where the path needs one.
func (p scene) deliver(along delivery.Path, name string, alter func(federation.Template, scene) federation.Template) delivered {
	switch {
	case along.Enters:
		p.Room = p.MakesRoom()
	case along.Gap:
		p.OpensRoom()
	}
	told := delivered{user: p.Origin.User(name), room: p.Room}
	told.join = p.Room.Made(alter(p.Room.MemberTemplate(told.user, "join"), p))
	told.Delivery = along.Deliver(p.Scene, told.join, told.user)
	return told
}

func honestly(honest federation.Template, _ scene) federation.Template { return honest }

// judgeLie delivers one lie along one path.
func judgeLie(c *check.C, told lie, along delivery.Path) {
	p := openScene(c, told.about, !along.Enters && !along.Gap)

	right := p.deliver(along, "honest", honestly)
	c.Control(delivery.WithAnswer(right.isBelieved(p.Alice), right.Answer))
	claimed := p.Origin.User("liar").ID()
	if told.claimed != nil {
		claimed = told.claimed(p)
	}
	var before stage.Standing
	if told.member {
		before = p.Alice.Standing(p.Room.ID(), claimed)
	}

	p.Breaks = told.requirement
	lie := p.deliver(along, "liar", told.tell)
	c.Notef("the server answered the lie with %s", lie.Answer)
	if lie.Outside {
		c.Notef("alice could not enter the room with the lie in it, and so saw nothing of it")
		return
	}
	p.Room = lie.room
	switch {
	case along.Known && told.claimed == nil: // the liar is known as itself otherwise
		p.SendersStand(p.Alice.Views(lie.room.ID()), lie.room, p.honestKeys())
	case told.member:
		views := p.Alice.Views(lie.room.ID())
		p.SendersStand(views, lie.room, p.honestKeys())
		p.Alice.Stands(lie.room.ID(), before)
		lie.isNotShownAs(c, views, claimed)
	case told.refused && slices.Contains(pushed, along.Name):
		p.Alice.Refused(lie.room.ID(), lie.join)
		later := p.Peer()
		later.Joins(lie.room.ID(), later.User("witness")).NotServed(lie.join)
	default:
		views := p.Alice.NotHonoured(lie.room.ID(), lie.join, claimed)
		if told.claimed == nil && told.namesKey() {
			p.SendersStand(views, lie.room, p.honestKeys())
		}
	}
	p.gainsNothing(lie.room.ID())
}

// gainsNothing sees to it that the lie moved nothing in routing: neither zoe nor bob's server gets to know of the room, unless
// bob is a member, who then still hears what is said.
func (p scene) gainsNothing(roomID string) {
	switch {
	case p.zoe != nil:
		p.zoe.SeesNothingOf(roomID)
	case p.victimRoom != nil:
		p.victimRoom.Blaming("routing/reaches-members").AwaitsEvent(p.Alice.Says(roomID, "said to the room"))
	case p.elsewhere != nil:
		p.Alice.Says(roomID, "said to the room")
		p.elsewhere.Blaming("routing/reaches-members").AwaitsEvent(p.Alice.Says(p.elsewhere.ID(), "said to the claimed domain"))
		p.victim.OnlyLookedUp(roomID)
	}
}

// honestKeys are the sender keys of the honest, and whose they are.
func (p scene) honestKeys() map[string]string {
	keys := map[string]string{p.Room.SenderOf(p.Alice.UserID): p.Alice.UserID}
	users := []*federation.User{p.Carol, p.Dan, p.Origin.User(eve), p.Origin.User(frank)}
	if p.bob != nil {
		users = append(users, p.bob)
	}
	for _, user := range users {
		keys[user.SenderIn(p.Room.Room)] = user.ID()
	}
	return keys
}

// isBelieved tells why a client is not shown the user whose join was told, or nil.
func (t delivered) isBelieved(client *stage.User) error {
	if t.Outside {
		return errors.New("the room with the join in it could not be entered")
	}
	if !client.SomeView(t.room.ID(), func(view stage.View) bool { return view.Shows(t.user.ID()) != "" }) {
		return fmt.Errorf("no view shows %s", t.user.ID())
	}
	named := func(view stage.View) bool { return view.ShownAs(t.Shows.ID()) == t.user.ID() }
	if !t.Shows.IsZero() && !client.SomeView(t.room.ID(), named) {
		return fmt.Errorf("no view shows %s by its sender %s", t.Shows, t.user.ID())
	}
	return nil
}

// isNotShownAs sees to it that neither the join nor what its user wrote is shown under the user ID of another member.
func (t delivered) isNotShownAs(c *check.C, views []stage.View, userID string) {
	for _, view := range views {
		for _, event := range []federation.Event{t.join, t.Shows} {
			if !event.IsZero() && view.ShownAs(event.ID()) == userID {
				c.Errorf("%s shows an event of the liar's key as one of %s, who is another member", view.Name, userID)
			}
		}
	}
}
