package roomversion

// The room version is advertised, rooms of it are created, and unknown versions are refused.

import (
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// A server that implements the proposal's room version says so among its capabilities (client-server API,
// capabilities negotiation).
var _ = check.Register(check.Check{
	Name:     "capabilities list the room version",
	Requires: []string{"room-version/advertised"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		answer, err := s.User("alice").Capabilities(c.Context())
		require.NoError(c, err)
		available := answer.Get(`capabilities.m\.room_versions.available`).Map()
		assert.Contains(c, available, s.Format().RoomVersion, "capabilities.m.room_versions.available")
	},
})

// The proposal creates a new room version: createRoom takes it, and the create event names it.
var _ = check.Register(check.Check{
	Name:     "a room of the version is created",
	Requires: []string{"room-version/created"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice := s.User("alice")
		room := alice.Makes(stage.Private)
		create, err := alice.StateEvent(c.Context(), room, "m.room.create", "")
		require.NoError(c, err)
		assert.Equal(c, s.Format().RoomVersion, create.Get("room_version").String(), "room_version of the create event")
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
