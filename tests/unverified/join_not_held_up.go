package unverified

// Joins do not wait for servers that do not answer.

import (
	"errors"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// deadMembers is how many members have servers that swallow requests: a server must not wait for one after the other.
const deadMembers = 3

// Mappings of a room just joined are timed out quickly (MSC1228, Handling the mxid mapping, Implementation). Deployed servers
// crash of it.
var _ = check.Register(check.Check{
	Name:     "a join is not held up though members' servers swallow requests for keys",
	Requires: []string{"unverified/join-not-held-up"},
	Path:     "send_join answer",
	Slow:     80 * time.Second,
	Deadly:   true,
	Body: func(c *check.C) {
		s := openScene(stage.Open(c, blueprints.OneServer), swallowsRequests)
		honest := s.Origin.Makes(federation.RoomOptions{Creator: s.Carol})
		honest.Applies(honest.MemberTemplate(s.dave, "join"))
		c.Control(s.TryEnter(honest))

		room := s.Origin.Makes(federation.RoomOptions{Creator: s.Carol})
		room.Applies(room.MemberTemplate(s.unverified, "join"))
		for range deadMembers - 1 {
			dead := s.Peer()
			dead.PlayDead(swallowsRequests.as)
			room.Applies(room.MemberTemplate(dead.User("erin"), "join"))
		}
		began := time.Now()
		bound, cancel := c.Within(joinBound)
		defer cancel()
		answered := s.TryEnter(room)
		if answered != nil {
			c.Notef("the join was answered after %s: %v", time.Since(began).Round(time.Millisecond), answered)
		}
		_, err := s.Alice.WaitForEvent(bound, room.ID(), match.Membership(s.Alice.UserID, "join"))
		c.Notef("the join took %s; the suite allows %s", time.Since(began).Round(time.Millisecond), joinBound)
		if err != nil {
			c.Must(errors.Join(answered, err))
		}
	},
})
