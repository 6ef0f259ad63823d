package mapping

// How a false mapping is judged: the same join with its true mapping is honoured; the false one is delivered; then Alice's
// client, the victim, a server that joins later and the claimed domain must not see it honoured.

import (
	"fmt"
	"maps"
	"slices"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// scene adds the users whom a false mapping claims: zoe, another user of the server under test, who is not in the room, and
// bob, a user of an honest third server, the victim.
type scene struct {
	delivery.Scene
	zoe    *stage.User
	victim *stage.Peer
	bob    *federation.User
	// victimRoom is the room as the victim knows it; nil: bob is not in it.
	victimRoom *stage.Room
	// elsewhere is a room of the victim that Alice is in, and Bob is not: events queued for the victim arrive before her messages there.
	elsewhere *stage.Room
}

// person is who is claimed, besides members of Origin's room.
type person int

const (
	nobody person = iota
	zoe
	bob
	memberBob // bob, as a member of the room
)

// openScene opens the scene; withRoom: with a room that Alice is in.
func openScene(c *check.C, about person, withRoom bool) scene {
	s := scene{Scene: delivery.Open(stage.Open(c, blueprints.OneServer))}
	switch about {
	case zoe:
		s.zoe = s.User("zoe")
	case bob:
		s.victim = s.Peer()
		s.bob = s.victim.User("bob")
		s.elsewhere = s.victim.Makes(federation.RoomOptions{Creator: s.victim.User("host")})
		s.Alice.Joins(s.elsewhere.ID(), s.victim.Name())
	case memberBob:
		s.victim = s.Peer()
		s.bob = s.victim.User("bob")
	}
	if withRoom {
		s.newRoom(about)
		s.AliceJoins()
		s.Barrier()
		s.settles()
	}
	return s
}

// settles waits until Alice is shown the honest members of a room that she has entered.
func (s scene) settles() {
	var honest []string
	for key, userID := range s.honestKeys() {
		if s.Room.Membership(key) == "join" {
			honest = append(honest, userID)
		}
	}
	s.Alice.LetsVerify(s.Room.ID(), honest...)
}

// newRoom makes a room of Origin, with Bob in it if he is claimed as a member.
func (s *scene) newRoom(about person) {
	s.Room = s.MakesRoom()
	if about == memberBob {
		s.victimRoom = s.victim.JoinsVia(s.Origin.Name(), s.Room.ID(), s.bob)
	}
}

// delivered is a join that was delivered, and what became of it.
type delivered struct {
	delivery.Delivery
	user *federation.User
	join federation.Event
	room *stage.Room
}

// alteration makes a false mapping from the member event of an honest join.
type alteration func(honest federation.Template, s scene) federation.Template

// deliver delivers a join of a user of Origin, altered, in a room of its own where the path needs one. If the user is to be verified
// before, it is a later join, and the first is honest.
func (s scene) deliver(along delivery.Path, name string, verified bool, alter alteration) delivered {
	switch {
	case along.Enters:
		s.Room = s.MakesRoom()
	case along.Gap:
		s.OpensRoom()
		s.settles()
	}
	d := delivered{user: s.Origin.User(name), room: s.Room}
	template := s.Room.MemberTemplate(d.user, "join")
	if verified {
		s.Room.JoinsByEvent(d.user)
		s.Alice.Blaming("membership/remote-joins-us").AwaitsMembership(s.Room.ID(), d.user.ID(), "join")
		template = s.Room.MemberTemplate(d.user, "join").WithContent("displayname", "another name")
	}
	d.join = s.Room.Made(alter(template, s))
	if d.Delivery = along.Deliver(s.Scene, d.join, d.user); verified {
		d.Shows = d.join
	}
	if along.Enters && d.KeptOut == nil {
		s.settles()
	}
	return d
}

// controls delivers an honest join, which must be honoured.
func (s scene) controls(along delivery.Path, verified bool) {
	control := func() error {
		honest := s.deliver(along, "honest", verified, func(honest federation.Template, _ scene) federation.Template { return honest })
		return delivery.WithAnswer(honest.isHonoured(s.Alice), honest.Answer)
	}
	switch {
	case !along.HasRoomOfItsOwn():
		s.C.Controlling()
		s.C.Control(control())
	case verified:
		s.SharesControl("a mapping in a later join, by "+along.Name, "", control)
	default:
		s.SharesControl("a mapping, by "+along.Name, "", control)
	}
}

// judge delivers the lie along one path.
func (l lie) judge(c *check.C, along delivery.Path) {
	s := openScene(c, l.about, !along.Enters && !along.Gap)
	s.controls(along, l.verified)
	claimed := s.Origin.User("liar").ID()
	if l.claimed != nil {
		claimed = l.claimed(s)
	}
	var before stage.Standing
	if l.member {
		before = s.Alice.Standing(s.Room.ID(), claimed)
	}

	join := s.deliver(along, "liar", l.verified, func(honest federation.Template, s scene) federation.Template {
		lie := l.alter(honest, s)
		c.UnderTest()
		return lie
	})
	c.Notef("the server answered the lie with %s", join.Answer)
	if join.KeptOut != nil {
		s.KeepsOut("the lie", join.KeptOut)
		return
	}
	s.Room = join.room
	l.isNotHonoured(s, along, join, claimed, before)
	var sent []federation.Event
	if !along.Known {
		c.Notef("the liar's key says more")
		sent = s.Speaks(join.Barrier, delivery.Speaker{User: join.user, Event: join.join})
		l.isNotHonoured(s, along, join, claimed, before, sent...)
	}
	if l.mustBeRefused(along) {
		later := delivery.LaterJoiner(s.Stage, join.room.ID())
		later.NotServed(join.join)
		for _, event := range append(sent, join.join) { // what stands on what must be refused is refused, too
			later.NotReferredTo(event, s.Alice)
		}
	}
	s.gainsNothing(join.room.ID())
}

// mustBeRefused reports whether the text demands that the lie itself is refused where it is pushed.
func (l lie) mustBeRefused(along delivery.Path) bool {
	return l.refused && slices.Contains(pushed, along.Name)
}

// isNotHonoured ensures that the views of Alice's client do not show a delivered lie as true, nor what the liar's key sent later on.
func (l lie) isNotHonoured(s scene, along delivery.Path, join delivered, claimed string, before stage.Standing, later ...federation.Event) {
	roomID := join.room.ID()
	forged, honest := append([]federation.Event{join.join}, later...), s.honestUsers()
	if along.Known || l.verified { // the liar is known as itself by another event
		honest = append(honest, join.user.ID())
	}
	var views []stage.View
	switch {
	case along.Known && l.claimed == nil:
		views = s.Alice.Views(roomID)
		s.SendersStand(views, join.room, s.honestKeys())
		s.OnlyPlaceholders(views, join.room, forged, honest)
	case l.member:
		views = s.Alice.Views(roomID)
		s.SendersStand(views, join.room, s.honestKeys())
		s.Alice.Stands(roomID, before)
		join.isNotShownAs(s.C, views, claimed, later...)
		s.OnlyPlaceholders(views, join.room, forged, honest)
	case l.mustBeRefused(along) && later == nil:
		views = s.Alice.Refused(roomID, join.join)
	default:
		views = s.Alice.NotHonoured(roomID, join.join, claimed)
		if l.claimed == nil && l.namesKey() {
			s.SendersStand(views, join.room, s.honestKeys())
		}
		s.OnlyPlaceholders(views, join.room, forged, honest, claimed, join.join.Sender())
	}
	s.membersStand(views, s.Dan.ID())
}

// membersStand ensures that views of the room still show Alice and Carol, and further users, as members.
func (s scene) membersStand(views []stage.View, further ...string) {
	s.MembersStand(views, append([]string{s.Alice.UserID, s.Carol.ID()}, further...)...)
}

// gainsNothing ensures that the lie changes nothing of routing: neither Zoe nor Bob's server is sent anything of the room,
// unless Bob is a member, whose server is still sent its messages.
func (s scene) gainsNothing(roomID string) {
	switch {
	case s.zoe != nil:
		s.zoe.SeesNothingOf(roomID)
	case s.victimRoom != nil:
		s.victimRoom.Blaming("routing/reaches-members").AwaitsEvent(s.Alice.Says(roomID, "said to the room"))
	case s.elsewhere != nil:
		s.Alice.Says(roomID, "said to the room")
		s.elsewhere.Blaming("routing/reaches-members").AwaitsEvent(s.Alice.Says(s.elsewhere.ID(), "said to the claimed domain"))
		s.victim.OnlyLookedUp(roomID, s.bob.ID())
	}
}

// honestKeys are the user IDs of the honest members by their sender keys.
func (s scene) honestKeys() map[string]string {
	keys := map[string]string{s.Room.SenderOf(s.Alice.UserID): s.Alice.UserID}
	users := []*federation.User{s.Carol, s.Dan, s.Origin.User(eve), s.Origin.User(frank)}
	if s.bob != nil {
		users = append(users, s.bob)
	}
	for _, user := range users {
		keys[user.SenderIn(s.Room.Room)] = user.ID()
	}
	return keys
}

// honestUsers are the user IDs that clients may be shown in the room: the honest members, and those who left, were invited or knocked.
func (s scene) honestUsers() []string {
	users := []string{s.Origin.User("honest").ID(), s.Origin.User("guest").ID(), s.Origin.User("knocker").ID()}
	return slices.AppendSeq(users, maps.Values(s.honestKeys()))
}

// isHonoured returns an error if a client is not shown the user of a join, whom the server may verify in the background.
func (d delivered) isHonoured(client *stage.User) error {
	if d.KeptOut != nil {
		return fmt.Errorf("the room with the join in it could not be entered: %w", d.KeptOut)
	}
	return client.SeesInTime(func() error { return d.isShown(client) })
}

// isShown returns an error if none of a client's views shows the user of a join now.
func (d delivered) isShown(client *stage.User) error {
	views := client.LooksBefore(d.room.ID())
	if !slices.ContainsFunc(views, func(view stage.View) bool { return view.Shows(d.user.ID()) != "" }) {
		return fmt.Errorf("no view shows %s", d.user.ID())
	}
	named := func(view stage.View) bool { return view.ShownAs(d.Shows.ID()) == d.user.ID() }
	if !d.Shows.IsZero() && !slices.ContainsFunc(views, named) {
		return fmt.Errorf("no view shows %s by its sender %s", d.Shows, d.user.ID())
	}
	return nil
}

// isNotShownAs ensures that neither the join nor what its user wrote is shown under the user ID of another member.
func (d delivered) isNotShownAs(c *check.C, views []stage.View, userID string, later ...federation.Event) {
	for _, view := range views {
		for _, event := range append([]federation.Event{d.join, d.Shows}, later...) {
			if !event.IsZero() && view.ShownAs(event.ID()) == userID {
				c.Errorf("%s shows an event of the liar's key as one of %s, who is another member", view.Name, userID)
			}
		}
	}
}
