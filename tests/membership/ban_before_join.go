package membership

// Bans of users who were never in the room, and so have no key there.

import (
	"fmt"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
)

// Clients ban by user ID (hard requirement 1), and a ban is of a key, which a user that was never in the room has not. The proposal
// gives no mechanism. The controls are bans of members, and joins of other users.
var _ = check.Register(check.Check{
	Name:     "what becomes of the ban of a user who was never in the room",
	Requires: []string{"membership/ban-before-join"},
	Path:     "client",
	Body: func(c *check.C) {
		m := openMeeting(c)
		var readings []string
		detail := ""
		for _, each := range []struct {
			what     string
			isRemote bool
		}{{"a local user", false}, {"a user of a peer", true}} {
			member, _ := m.joined("member", each.isRemote)
			m.alice.Bans(m.room.ID(), member.id)
			reading, seen := m.bansStranger(m.party("stranger", each.isRemote))
			readings = append(readings, reading)
			detail += fmt.Sprintf("%s: %s; ", each.what, seen)
		}
		if readings[0] != readings[1] {
			c.Observe("differs-by-user", "%s%s, and %s", detail, readings[0], readings[1])
			return
		}
		c.Observe(readings[0], "%s", detail)
	},
})

// bansStranger lets Alice ban a user who then tries to join, and returns what that comes to.
func (m meeting) bansStranger(user party) (reading, detail string) {
	banned := m.alice.Ban(m.C.Context(), m.room.ID(), user.id, "")
	if csapi.NoAnswer(banned) {
		m.C.Need("resilience/stays-up", banned)
	}
	after := m.membership(user.id)
	joined := m.joins(user)
	m.barrier()
	in := m.membership(user.id) == "join"
	detail = fmt.Sprintf("the ban was answered with %v, the room had the membership %q of the user, its join was answered with %v", banned, after, joined)
	switch {
	case banned != nil && in:
		return "refused", detail
	case banned == nil && in:
		return "no-effect", detail
	case banned == nil:
		return "ban-holds", detail
	}
	return "other", detail
}
