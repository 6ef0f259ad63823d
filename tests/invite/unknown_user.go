package invite

// Partial invites of users that the invited server does not have.

import (
	"fmt"
	"strings"

	"msc4014/helpers/check"
	"msc4014/helpers/pseudoid"
)

// A server that completes invites of users that do not exist gives them keys, and tells nobody who its users are; one that refuses
// tells the inviter that it was a mistake. The texts say neither (discussion of MSC4080).
var _ = check.Register(check.Check{
	Name:     "what becomes of an invite of a user who does not exist",
	Requires: []string{"invite/unknown-user"},
	Path:     "invite",
	Body: func(c *check.C) {
		h := openHost(c, true)
		alice := h.User("alice")
		_, err := h.invites(h.room, h.inviting, alice)
		c.Control(err)
		nobody := "@nobody-" + strings.TrimPrefix(alice.UserID, "@")
		ctx, cancel := h.inviting.Within()
		defer cancel()
		completed, answer, err := h.room.InviteFrom(ctx, h.inviting.Peer, h.ServerName(1), h.host, nobody)
		if err != nil && answer.Status == 0 {
			c.Need("resilience/stays-up", err)
		}
		key, _ := completed.StateKey()
		_, malformed := pseudoid.ParseSenderKey(key)
		detail := fmt.Sprintf("the invite was answered %s", answer)
		switch {
		case !answer.OK():
			c.Observe("refused", "%s", detail)
		case err != nil:
			c.Observe("not-completed", "%s", detail)
		case malformed != nil:
			c.Observe("other", "the state key is not a key: %v; %s", malformed, detail)
		case completed.MappedUserID() == nobody:
			c.Observe("completed", "with a mapping to %s", nobody)
		case completed.MappedUserID() == "":
			c.Observe("completed-without-mapping", "%s", detail)
		default:
			c.Observe("other", "with a mapping to %s; %s", completed.MappedUserID(), detail)
		}
	},
})
