package clientview

// The visibility of a room's history for users who join later (client-server API, Room history visibility): it depends on their
// membership, which the room knows by key.

import (
	"errors"
	"fmt"

	"msc4014/helpers/check"
)

// historyVisibility is what a user who was invited and then joined is shown of what was said before it joined.
type historyVisibility struct {
	name                 string
	beforeInvite         bool // what was said before the invite
	betweenInviteAndJoin bool
}

var historyVisibilities = []historyVisibility{
	{"world_readable", true, true},
	{"shared", true, true},
	{"invited", false, true},
	{"joined", false, false},
}

var _ = check.Register(check.Check{
	Name:     "the history of a room is visible to users who join as in an ordinary room",
	Requires: []string{likeOrdinaryRooms},
	Path:     "client",
	Slow:     inVain,
	Body: func(c *check.C) {
		var features []feature
		for _, each := range historyVisibilities {
			features = append(features, feature{"the history visibility " + each.name, each.holds})
		}
		works(c, local, nil, features)
	},
})

// holds lets Alice invite a user under the visibility, who joins, and compares what that user is shown.
func (v historyVisibility) holds(m company) error {
	ctx := m.C.Context()
	_, err := m.alice.SendState(ctx, m.roomID, "m.room.history_visibility", "", map[string]any{"history_visibility": v.name})
	if err != nil {
		return err
	}
	beforeInvite := m.alice.Says(m.roomID, "said before the invite")
	guest := m.User("guest")
	if err := m.alice.Invite(ctx, m.roomID, guest.UserID); err != nil {
		return err
	}
	between := m.alice.Says(m.roomID, "said between invite and join")
	if _, err := guest.JoinRoom(ctx, m.roomID); err != nil {
		return err
	}
	if err := guest.SeesEvent(m.roomID, m.alice.Says(m.roomID, "said after the join")); err != nil {
		return err
	}
	shown, err := guest.Messages(ctx, m.roomID, "", "b", 100)
	if err != nil {
		return err
	}
	ids := map[string]bool{}
	for _, event := range shown.Get("chunk").Array() {
		ids[event.Get("event_id").String()] = true
	}
	return errors.Join(
		v.differs("before the invite", ids[beforeInvite], v.beforeInvite),
		v.differs("between invite and join", ids[between], v.betweenInviteAndJoin),
	)
}

func (v historyVisibility) differs(when string, shown, wanted bool) error {
	if shown == wanted {
		return nil
	}
	if wanted {
		return fmt.Errorf("/messages does not show a user what was said %s", when)
	}
	return fmt.Errorf("/messages shows a user what was said %s", when)
}
