package routing

// When a server's last member is gone, by leaving or by being removed, no event of the room goes there any more; the one that
// ended it still does (MSC1228, Handling the mxid mapping: events go to the servers behind the mappings of the members).

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// parting is a way in which a member of a peer ceases to be one.
type parting struct {
	requirement, name, path string
	// parts ends the membership of a user and returns the event that did, as the user's server knows it.
	parts func(scene *partings, user *federation.User) federation.Event
}

// partings is a room of alice's with two members of one peer, who will be gone one after the other, and a moderator of another
// peer.
type partings struct {
	alice            *stage.User
	room, moderators *stage.Room
	moderator        *federation.User
}

var waysToPart = []parting{
	{"routing/stops-on-leave", "left", "send", func(scene *partings, user *federation.User) federation.Event {
		return scene.room.Leaves(user)
	}},
	{"routing/stops-on-kick", "was kicked by a local user", "client", func(scene *partings, user *federation.User) federation.Event {
		scene.alice.Kicks(scene.room.ID(), user.ID())
		return scene.room.Blaming("routing/stops-on-kick").Awaits(scenes.MemberByKey(user.SenderIn(scene.room.Room), "leave"))
	}},
	{"routing/stops-on-kick", "was kicked by a user of another peer", "send", func(scene *partings, user *federation.User) federation.Event {
		return scene.removes(user, "leave")
	}},
	{"routing/stops-on-ban", "was banned by a local user", "client", func(scene *partings, user *federation.User) federation.Event {
		scene.alice.Bans(scene.room.ID(), user.ID())
		return scene.room.Blaming("routing/stops-on-ban").Awaits(scenes.MemberByKey(user.SenderIn(scene.room.Room), "ban"))
	}},
	{"routing/stops-on-ban", "was banned by a user of another peer", "send", func(scene *partings, user *federation.User) federation.Event {
		return scene.removes(user, "ban")
	}},
}

// removes lets the moderator kick or ban a user, and its server tell all others.
func (p *partings) removes(user *federation.User, membership string) federation.Event {
	removal := p.moderators.Builds(federation.Proto{
		Type: "m.room.member", StateKey: federation.StateKey(user.SenderIn(p.room.Room)), Sender: p.moderator,
		Content: map[string]string{"membership": membership},
	})
	p.moderators.Tells(removal)
	return removal
}

func init() {
	for _, each := range waysToPart {
		check.Register(check.Check{
			Name:     "nothing is sent to a server whose last member " + each.name,
			Requires: []string{each.requirement},
			Path:     each.path,
			Body:     func(c *check.C) { partOneByOne(c, each) },
		})
	}
}

// partOneByOne lets the one member of a server go, with which its server is still in the room, and then the other.
func partOneByOne(c *check.C, way parting) {
	s := stage.Open(c, blueprints.OneServer)
	scene := &partings{alice: s.User("alice")}
	alice, peer, others := scene.alice, s.Peer(), s.Peer()
	carol, dan := peer.User("carol"), peer.User("dan")
	scene.room = peer.Joins(alice.Makes(stage.Public), carol)
	roomID := scene.room.ID()
	peer.Joins(roomID, dan)
	scene.moderator = others.User("moderator")
	scene.moderators = others.Joins(roomID, scene.moderator)
	alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, scene.moderator.ID(), "join")
	power := alice.Blaming("client-view/power-levels-write").GivesPower(roomID, map[string]int{scene.moderator.ID(): 50})
	scene.moderators.Blaming("routing/reaches-members").AwaitsEvent(power)
	scene.room.Blaming("routing/reaches-members").AwaitsEvent(power)
	// What is queued for the peer arrives in order: what is said elsewhere later comes after it.
	elsewhere := peer.Joins(alice.Makes(stage.Public), carol)

	gone := func(user *federation.User) federation.Event {
		ended := way.parts(scene, user)
		alice.Blaming("membership/leave-remote").AwaitsEvent(roomID, ended.ID())
		return ended
	}
	gone(dan)
	c.Control(scene.room.Receives(alice.Says(roomID, "said while one member is left")))

	last := gone(carol)
	scene.moderators.Blaming(way.requirement).AwaitsEvent(alice.Says(roomID, "said when no member is left"))
	alice.Sets(roomID, "m.room.topic", "", map[string]any{"topic": "set when no member is left"})
	elsewhere.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(elsewhere.ID(), "said elsewhere after that"))
	scene.room.ReceivedNothingAfter(last)
}
