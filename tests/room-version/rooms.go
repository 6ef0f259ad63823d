package roomversion

// Chapter room-version: the version is there, can be chosen, and leaves rooms of other versions alone.

import (
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// A server that implements the proposal's room version says so among its capabilities (client-server API,
// capabilities negotiation).
var _ = check.Register(check.Check{
	Name:     "capabilities list the room version",
	Requires: []string{"room-version/advertised"},
	Body: func(c *check.C) {
		alice := stage.Open(c, blueprints.OneServer).User("alice")
		answer, err := alice.Capabilities(c.Context())
		require.NoError(c, err)
		available := answer.Get(`capabilities.m\.room_versions.available`).Map()
		assert.Contains(c, available, pseudoid.RoomVersion, "capabilities.m.room_versions.available")
	},
})

// The proposal creates a new room version: createRoom takes it, and the create event names it.
var _ = check.Register(check.Check{
	Name:     "a room of the version is created",
	Requires: []string{"room-version/created"},
	Body: func(c *check.C) {
		alice := stage.Open(c, blueprints.OneServer).User("alice")
		room := alice.Makes(stage.Private)
		create, err := alice.StateEvent(c.Context(), room, "m.room.create", "")
		require.NoError(c, err)
		assert.Equal(c, pseudoid.RoomVersion, create.Get("room_version").String(), "room_version of the create event")
	},
})

// createRoom with a version that the server does not know is refused with M_UNSUPPORTED_ROOM_VERSION and makes nothing
// (client-server API, createRoom).
var _ = check.Register(check.Check{
	Name:     "an unknown room version is refused",
	Requires: []string{"room-version/unknown-refused"},
	Body: func(c *check.C) {
		alice := stage.OpenOrdinary(c, blueprints.OneServer).User("alice")
		_, err := alice.TryRoom(pseudoid.FormatV10.RoomVersion, stage.Private)
		c.Control(err)
		before, err := alice.JoinedRooms(c.Context())
		require.NoError(c, err)

		_, err = alice.TryRoom("org.matrix.msc4014.no-such-version", stage.Private)
		refusal, refused := csapi.Refused(err)
		require.True(c, refused, "createRoom with a room version that does not exist: %v", err)
		assert.Equal(c, "M_UNSUPPORTED_ROOM_VERSION", refusal.ErrCode)
		after, err := alice.JoinedRooms(c.Context())
		require.NoError(c, err)
		assert.Equal(c, before, after, "the rooms that the user is in")
	},
})

// An ordinary room can be upgraded into the version (client-server API, upgrade; hard requirement 1: clients need no
// change for it).
var _ = check.Register(check.Check{
	Name:     "a room of version 10 is upgraded into the version",
	Requires: []string{"room-version/upgrade-into"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		upgrade(c, s, "room-version/upgrade-into", pseudoid.FormatV10.RoomVersion, pseudoid.RoomVersion)
	},
})

// And back, into an ordinary version.
var _ = check.Register(check.Check{
	Name:     "a room of the version is upgraded to version 10",
	Requires: []string{"room-version/upgrade-out-of"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		upgrade(c, s, "room-version/upgrade-out-of", pseudoid.RoomVersion, pseudoid.FormatV10.RoomVersion)
	},
})

// upgrade upgrades a room from one version to another and looks at everything that an upgrade must bring.
func upgrade(c *check.C, s *stage.Stage, requirement, from, to string) {
	alice, bob := s.User("alice"), s.User("bob")
	old, err := alice.TryRoom(from, stage.Public)
	c.Need("room-version/created", err)
	bob.Joins(old)

	replacement, err := alice.Upgrade(c.Context(), old, to)
	c.Need(requirement, answered("who asked for an upgrade", err))
	create, err := alice.StateEvent(c.Context(), replacement, "m.room.create", "")
	c.Need(requirement, answered("asked for the new room's create event, the upgrader", err))
	assert.Equal(c, to, create.Get("room_version").String(), "room_version of the new room")
	assert.Equal(c, old, create.Get("predecessor.room_id").String(), "predecessor of the new room")

	tombstone, err := bob.StateEvent(c.Context(), old, "m.room.tombstone", "")
	c.Need(requirement, answered("asked for the old room's tombstone, a member", err))
	assert.Equal(c, replacement, tombstone.Get("replacement_room").String(), "replacement_room of the tombstone")

	power, err := alice.PowerLevels(c.Context(), replacement)
	c.Need(requirement, answered("asked for the new room's power levels, the upgrader", err))
	assert.EqualValues(c, 100, powerOf(power, alice.UserID), "the upgrader's power in the new room")
	_, err = bob.JoinRoom(c.Context(), replacement)
	c.Need(requirement, answered("joining the new room, another member of the old one", err))
}

// answered tells that somebody was refused, without what differs from run to run: that stands in the transcript.
func answered(who string, err error) error {
	if refusal, refused := csapi.Refused(err); refused && !csapi.Unusable(err) {
		return fmt.Errorf("%s was answered %d %s", who, refusal.Status, refusal.ErrCode)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", who, err)
	}
	return nil
}

// powerOf reads a user's power out of the content of power levels.
func powerOf(levels gjson.Result, userID string) int64 {
	if power := levels.Get("users." + gjson.Escape(userID)); power.Exists() {
		return power.Int()
	}
	return levels.Get("users_default").Int()
}

// Power follows an upgrade for who has a key in the new room: at that time the upgrader alone, here one who is not the
// old room's creator and has less power than one (client-server API, upgrade: power levels are transferred).
var _ = check.Register(check.Check{
	Name:     "the upgrader's power follows the upgrade",
	Requires: []string{"room-version/upgrade-keeps-power"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := s.User("alice"), s.User("bob")
		old := alice.MakesOrdinary(stage.Public)
		bob.Joins(old)
		levels, err := alice.PowerLevels(c.Context(), old)
		require.NoError(c, err)
		alice.Sets(old, "m.room.power_levels", "", scenes.WithPower(levels, bob.UserID, 90))

		replacement, err := bob.Upgrade(c.Context(), old, pseudoid.RoomVersion)
		c.Need("room-version/upgrade-into", answered("who asked for an upgrade", err))
		_, err = bob.StateEvent(c.Context(), replacement, "m.room.create", "")
		c.Need("room-version/upgrade-into", answered("asked for the new room's create event, the upgrader", err))
		power, err := bob.PowerLevels(c.Context(), replacement)
		c.Need("client-view/power-levels-read", err)
		assert.EqualValues(c, 90, powerOf(power, bob.UserID), "the upgrader's power in the new room")
	},
})
