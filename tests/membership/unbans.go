package membership

// Unbans: after them users can join again.

import (
	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// Clients lift bans by user ID, also of users of other servers, whom they let join again (client-server API, Room membership; hard
// requirement 1).
func init() {
	for _, each := range []struct {
		name, path string
		isRemote   bool
	}{
		{"the ban of a local user is lifted", "client", false},
		{"the ban of a user of a peer is lifted", "client, of a remote user", true},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"membership/unban"},
			Path:     each.path,
			Body: func(c *check.C) {
				m := openMeeting(c)
				target, key := m.joined("target", each.isRemote)
				m.alice.Bans(m.room.ID(), target.id)
				m.room.Blaming("membership/ban").Awaits(scenes.MemberByKey(key, "ban"))

				unbanning.does(c, m.alice, m.room.ID(), target.id)
				event := m.alice.AwaitsMembership(m.room.ID(), target.id, "leave")
				assert.Equal(c, m.alice.UserID, event.Get("sender").String(), "the sender of the unban, as a client in the room sees it")
				saysBefore(c, event, "ban")
				m.awaitsAct(key, "leave")
				c.Must(m.admitsAgain(target))
			},
		})
	}
}

// And so do moderators of other servers.
var _ = check.Register(check.Check{
	Name:     "a user of a peer lifts the ban of a local user",
	Requires: []string{"membership/unban"},
	Path:     "send",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		bob, dora, resident := s.User("bob"), s.User("dora"), s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol})
		for _, user := range []*stage.User{dora, bob} {
			user.Joins(room.ID(), resident.Name())
			room.Blaming("membership/join-remote").AwaitsMember(user.UserID, "join")
			user.LetsVerify(room.ID(), carol.ID())
		}
		key := room.SenderOf(bob.UserID)
		dora.Blaming("membership/join-remote").AwaitsMembership(room.ID(), bob.UserID, "join")
		room.Delivers(room.Builds(membershipBy(room, carol, key, "ban")))
		dora.Blaming("membership/ban").AwaitsMembership(room.ID(), bob.UserID, "ban")

		room.Delivers(room.Builds(membershipBy(room, carol, key, "leave")))
		event := dora.AwaitsMembership(room.ID(), bob.UserID, "leave")
		assert.Equal(c, carol.ID(), event.Get("sender").String(), "the sender of the unban, as a client in the room sees it")
		_, err := bob.JoinRoom(c.Context(), room.ID())
		c.Must(err)
		room.ExchangesMessages(bob, carol)
	},
})
