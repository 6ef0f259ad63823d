package roomversion

// Upgrades of rooms into the room version and out of it.

import (
	"cmp"
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

// An ordinary room can be upgraded into the version (client-server API, upgrade; hard requirement 1: clients need no
// change for it).
var _ = check.Register(check.Check{
	Name:     "a room of version 10 is upgraded into the version",
	Requires: []string{"room-version/upgrade-into"},
	Body:     func(c *check.C) { upgrade(c, pseudoid.FormatV10.RoomVersion, theVersion) },
})

// And back, into an ordinary version.
var _ = check.Register(check.Check{
	Name:     "a room of the version is upgraded to version 10",
	Requires: []string{"room-version/upgrade-out-of"},
	Body:     func(c *check.C) { upgrade(c, theVersion, pseudoid.FormatV10.RoomVersion) },
})

// theVersion stands for the room version that the run judges.
const theVersion = ""

// upgrade upgrades a room from one version to another, and judges the old room, the new one and who can join that.
func upgrade(c *check.C, from, to string) {
	s := stage.Open(c, blueprints.OneServer)
	from, to = cmp.Or(from, s.Format().RoomVersion), cmp.Or(to, s.Format().RoomVersion)
	alice, bob := s.User("alice"), s.User("bob")
	old, err := alice.TryRoom(from, stage.Public)
	c.Need("room-version/created", err)
	bob.Joins(old)

	replacement, err := alice.Upgrade(c.Context(), old, to)
	c.Must(answered("who asked for an upgrade", err))
	create, err := alice.StateEvent(c.Context(), replacement, "m.room.create", "")
	c.Must(answered("asked for the new room's create event, the upgrader", err))
	assert.Equal(c, to, create.Get("room_version").String(), "room_version of the new room")
	assert.Equal(c, old, create.Get("predecessor.room_id").String(), "predecessor of the new room")

	tombstone, err := bob.StateEvent(c.Context(), old, "m.room.tombstone", "")
	c.Must(answered("asked for the old room's tombstone, a member", err))
	assert.Equal(c, replacement, tombstone.Get("replacement_room").String(), "replacement_room of the tombstone")

	power, err := alice.PowerLevels(c.Context(), replacement)
	c.Must(answered("asked for the new room's power levels, the upgrader", err))
	assert.EqualValues(c, 100, powerOf(power, alice.UserID), "the upgrader's power in the new room")
	_, err = bob.JoinRoom(c.Context(), replacement)
	c.Must(answered("joining the new room, another member of the old one", err))
	usesPower(c, replacement, alice, bob)
}

// usesPower ensures that the upgrader has its power in the new room: power levels that name it by another key would show that alone.
// It sets the topic, and another member sees that.
func usesPower(c *check.C, roomID string, upgrader, member *stage.User) {
	topic, err := upgrader.SendState(c.Context(), roomID, "m.room.topic", "", map[string]any{"topic": "set after the upgrade"})
	c.Must(answered("setting the topic of the new room, the upgrader", err))
	member.AwaitsEvent(roomID, topic)
}

// answered describes the error that somebody got, without what differs from run to run: that is in the transcript.
func answered(who string, err error) error {
	if refusal, refused := csapi.Refused(err); refused && !csapi.Unusable(err) {
		return fmt.Errorf("%s was answered %d %s", who, refusal.Status, refusal.ErrCode)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", who, err)
	}
	return nil
}

// powerOf returns the power of a user by the content of power levels.
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

		replacement, err := bob.Upgrade(c.Context(), old, s.Format().RoomVersion)
		c.Need("room-version/upgrade-into", answered("who asked for an upgrade", err))
		_, err = bob.StateEvent(c.Context(), replacement, "m.room.create", "")
		c.Need("room-version/upgrade-into", answered("asked for the new room's create event, the upgrader", err))
		power, err := bob.PowerLevels(c.Context(), replacement)
		c.Need("client-view/power-levels-read", err)
		assert.EqualValues(c, 90, powerOf(power, bob.UserID), "the upgrader's power in the new room")
		_, err = alice.JoinRoom(c.Context(), replacement)
		c.Need("room-version/upgrade-into", answered("joining the new room, another member of the old one", err))
		usesPower(c, replacement, bob, alice)
	},
})
