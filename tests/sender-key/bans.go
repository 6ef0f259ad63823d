package senderkey

// A banned user cannot come back under the same key.

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
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
