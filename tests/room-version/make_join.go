package roomversion

// make_join, for servers that support the room version and for those that do not.

import (
	"fmt"
	"net/http"
	"slices"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// The answer to make_join names the room's version, by which the joining server knows how to write its join
// (server-server API, make_join).
var _ = check.Register(check.Check{
	Name:     "make_join names the room version",
	Requires: []string{"room-version/make-join-names-it"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		peer := s.Peer()
		answer := peer.AsksToJoin(s.User("alice").Makes(stage.Public))
		if !answer.OK() {
			c.Blocked("membership/remote-joins-us", "make_join was answered %s", answer)
		}
		assert.Equal(c, s.Format().RoomVersion, answer.Get("room_version").String(), "room_version in the answer to make_join")
	},
})

// A server that does not list the version cannot join: it is answered M_INCOMPATIBLE_ROOM_VERSION, and the version that it
// would need (server-server API, make_join).
var _ = check.Register(check.Check{
	Name:     "make_join refuses servers without the room version",
	Requires: []string{"room-version/make-join-refuses-others"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		peer := s.Peer()
		room := s.User("alice").Makes(stage.Public)
		others := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}
		c.Control(accepted(peer.AsksToJoin(room, append(slices.Clone(others), s.Format().RoomVersion)...)))

		refusal := peer.AsksToJoin(room, others...)
		if refusal.OK() {
			c.Failf("make_join of a server that lists versions 1 to 11 alone was accepted: %s", refusal)
		}
		assert.Equal(c, http.StatusBadRequest, refusal.Status, "status of the refusal")
		assert.Equal(c, "M_INCOMPATIBLE_ROOM_VERSION", refusal.Get("errcode").String(), "errcode of the refusal")
		assert.Equal(c, s.Format().RoomVersion, refusal.Get("room_version").String(), "room_version of the refusal")
	},
})

// accepted returns an error if an answer is none of success.
func accepted(answer federation.Answer) error {
	if answer.OK() {
		return nil
	}
	return fmt.Errorf("answered %s", answer)
}
