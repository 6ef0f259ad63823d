package roomversion

// Upgrades of a room of the version into another one of it.

import (
	"strings"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/stage"
)

// Rooms are upgraded into their own version, too, for example to leave a long history behind (client-server API, upgrade).
var _ = check.Register(check.Check{
	Name:     "a room of the version is upgraded into another one of it",
	Requires: []string{"room-version/upgrade-into-itself"},
	Body:     func(c *check.C) { upgrade(c, theVersion, theVersion) },
})

// Its local aliases move to the new room (client-server API, upgrade).
var _ = check.Register(check.Check{
	Name:     "the aliases of a room of the version move with its upgrade",
	Requires: []string{"room-version/upgrade-into-itself"},
	Path:     "aliases",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice := s.User("alice")
		old := alice.Makes(stage.Public)
		alias := "#moves-with-" + strings.TrimPrefix(alice.UserID, "@")
		c.Need("client-view/unmodified-client", alice.CreateAlias(c.Context(), alias, old))
		replacement, err := alice.Upgrade(c.Context(), old, s.Format().RoomVersion)
		c.Must(answered("who asked for an upgrade", err))
		named, err := alice.ResolveAlias(c.Context(), alias)
		c.Must(answered("who asked for the alias", err))
		assert.Equal(c, replacement, named.Get("room_id").String(), "the room of the alias after the upgrade")
	},
})

// A key is of one user in one room (MSC4014, Proposal 3): nobody has the same in the new room as in the old one.
var _ = check.Register(check.Check{
	Name:     "users have other keys after an upgrade",
	Requires: []string{"room-version/upgrade-into-itself"},
	Path:     "keys",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, witness := s.User("alice"), s.User("bob"), s.Peer()
		before := alice.Makes(stage.Public)
		bob.Joins(before)
		old := witness.Joins(before, witness.User("witness"))
		after, err := alice.Upgrade(c.Context(), before, s.Format().RoomVersion)
		c.Must(answered("who asked for an upgrade", err))
		_, err = bob.JoinRoom(c.Context(), after)
		c.Must(answered("joining the new room, another member of the old one", err))
		replacement, err := witness.TryJoin(s.ServerName(1), after, witness.User("witness"))
		if err != nil {
			c.Failf("a member of another server cannot join the new room: %v", err)
		}
		for _, each := range []struct{ userID, join string }{
			{alice.UserID, "mapping/in-creator-join"}, // of both rooms
			{bob.UserID, "mapping/in-local-join"},
		} {
			first := old.Blaming(each.join).MemberOf(each.userID).Sender()
			second := replacement.Blaming(each.join).MemberOf(each.userID).Sender()
			if first == second {
				c.Errorf("%s has the same key in the new room as in the old one", each.userID)
			}
		}
	},
})
