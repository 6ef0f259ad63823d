package senderkey

// A banned user cannot come back under the same key.

import (
	"errors"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// A banned user cannot come back through its client (client-server API, room membership; MSC4014, Proposal 3.2: keys
// change as little as possible so that bans hold).
var _ = check.Register(check.Check{
	Name:     "a banned user's client cannot join",
	Requires: []string{"sender-key/ban-not-evaded"},
	Path:     "client",
	Body: func(c *check.C) {
		scene := joinWitnessed(stage.Open(c, blueprints.OneServer))
		alice, bob, room := scene.alice, scene.bob, scene.room
		_, err := alice.SeesMembership(room.ID(), bob.UserID, "join")
		c.Control(err)
		alice.Bans(room.ID(), bob.UserID)
		alice.Blaming("membership/ban").AwaitsMembership(room.ID(), bob.UserID, "ban")
		room.Blaming("membership/ban").Awaits(scenes.MemberByKey(scene.join.Sender(), "ban"))

		c.UnderTest()
		_, err = bob.JoinRoom(c.Context(), room.ID())
		c.Notef("the server answered the banned user's join with %v", err)
		c.Notef("the server answered the banned user's leave with %v", bob.LeaveRoom(c.Context(), room.ID()))
		_, err = bob.JoinRoom(c.Context(), room.ID())
		c.Notef("the server answered the join after the leave with %v", err)
		barrier := alice.Says(room.ID(), "said after the ban")
		alice.Blaming("client-view/unmodified-client").AwaitsEvent(room.ID(), barrier)
		room.Blaming("routing/reaches-members").AwaitsEvent(barrier)
		for _, arrival := range scene.witness.Received() {
			if scenes.AnotherMember(bob.UserID, "join", scene.join)(arrival.Event) == nil {
				c.Errorf("a peer was sent a join of the banned user, %s", arrival.Event)
			}
		}
		scenes.StaysBanned(c, alice.Views(room.ID()), bob.UserID)
		if _, err := bob.SendMessage(c.Context(), room.ID(), "said in spite of the ban"); err == nil {
			c.Errorf("a banned user can send messages to the room")
		}
	},
})

// Nor can its server bring it back under the same key (MSC4014, Proposal 3.2; authorisation rules, m.room.member: a
// banned user cannot join).
func init() {
	for _, path := range []delivery.Path{delivery.SendJoin, delivery.Send} {
		check.Register(check.Check{
			Name:     "a banned key cannot join, by " + path.Name,
			Requires: []string{"sender-key/ban-not-evaded"},
			Path:     path.Name,
			Body: func(c *check.C) {
				scene := scenes.OpenBanOfMember(stage.Open(c, blueprints.OneServer), path)
				scene.Bans()
				scene.IsRefused(path, scene.DansJoin())
			},
		})
	}
}

// Nor by way of a leave: a banned user cannot leave, which would end the ban (authorisation rules, m.room.member, 4.5.1). The control is
// the same leave and join before the ban.
func init() {
	for _, path := range []delivery.Path{delivery.SendJoin, delivery.Send} {
		check.Register(check.Check{
			Name:     "a banned key cannot leave and join again, by " + path.Name,
			Requires: []string{"sender-key/ban-not-evaded"},
			Path:     path.Name,
			Body: func(c *check.C) {
				scene := scenes.OpenBanOfMember(stage.Open(c, blueprints.OneServer), path)
				leavesAndJoins := func() (leave, join federation.Event) {
					leave = scene.Room.BuildsMember(scene.Dan, "leave")
					join = joinsAfter(scene, leave)
					answer, err := sendsLeave(scene, path, leave)
					c.Need("resilience/stays-up", err)
					c.Notef("the server answered the leave with %s", answer)
					return leave, join
				}
				leave, join := leavesAndJoins()
				_, err := path.Push(scene.Room, join)
				c.Control(errors.Join(err, scene.Alice.SeesEvent(scene.Room.ID(), join.ID())))
				scene.Room.Apply(leave)
				scene.Room.Apply(join)
				scene.Bans()

				c.UnderTest()
				leave, join = leavesAndJoins()
				scene.IsRefused(path, join)
				scene.Alice.Refused(scene.Room.ID(), leave)
			},
		})
	}
}

// joinsAfter is a join of Dan that follows a leave, and is authorised by it in place of the member event of the present state.
func joinsAfter(scene scenes.Ban, leave federation.Event) federation.Event {
	now, _ := scene.Room.StateEvent("m.room.member", scene.Join.Sender())
	authEvents := []string{leave.ID()}
	for _, id := range scene.DansJoin().AuthEvents() {
		if id != now.ID() {
			authEvents = append(authEvents, id)
		}
	}
	return scene.Room.Made(scene.Room.MemberTemplate(scene.Dan, "join").
		Alter(federation.SetField("prev_events", []string{leave.ID()})).
		Alter(federation.SetField("auth_events", authEvents)).
		Alter(federation.SetField("depth", leave.Depth()+1)))
}

// sendsLeave sends a leave of Dan by send_leave where joins go by send_join, else in a transaction.
func sendsLeave(scene scenes.Ban, path delivery.Path, leave federation.Event) (federation.Answer, error) {
	if path.Name != delivery.SendJoin.Name {
		return path.Push(scene.Room, leave)
	}
	ctx, cancel := scene.Peer.Within()
	defer cancel()
	return scene.Peer.SendLeave(ctx, scene.ServerName(1), scene.Room.ID(), leave)
}

// Nor by an event that is concurrent with the ban, as if its server had not known of that yet: what the current state forbids
// is kept from clients and out of the state (server-server API, soft failure).
var _ = check.Register(check.Check{
	Name:     "a banned key cannot join beside the ban",
	Requires: []string{"sender-key/ban-not-evaded"},
	Path:     "send",
	Body: func(c *check.C) {
		scene := scenes.OpenBanOfMember(stage.Open(c, blueprints.OneServer), delivery.Send)
		evasion := scene.DansJoin()
		scene.Bans()
		c.UnderTest()
		answer, broken := scene.Delivers(delivery.Send, evasion)
		c.Need("resilience/stays-up", broken)
		c.Notef("the server answered the banned key's join with %s", answer)
		views := scene.Alice.Views(scene.Room.ID())
		for _, view := range views {
			if view.Has(evasion.ID()) {
				c.Errorf("%s shows a join that the ban forbids", view.Name)
			}
		}
		scenes.StaysBanned(c, views, scene.Dan.ID())
	},
})
