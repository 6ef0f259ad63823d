package roomversion

// What follows an upgrade besides the room's own state: what is about other users.

import (
	"fmt"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
)

// carried is what became of one thing in the new room: named there, and with effect.
type carried struct{ named, effective bool }

// Which state is transferred besides what the specification recommends is an implementation detail (client-server API, upgrade), and
// here users have other keys in the new room (MSC4014, Proposal 3): bans, the power of others, and state that users keep under their own
// user ID.
var _ = check.Register(check.Check{
	Name:     "what follows an upgrade of a room of the version",
	Requires: []string{"room-version/upgrade-carries"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, dan := s.User("alice"), s.User("bob"), s.User("dan")
		old := alice.Makes(stage.Public)
		for _, user := range []*stage.User{bob, dan} {
			user.Joins(old)
			alice.Blaming("membership/join-local").AwaitsMembership(old, user.UserID, "join")
		}
		alice.Blaming("client-view/power-levels-write").GivesPower(old, map[string]int{bob.UserID: 50})
		alice.Bans(old, dan.UserID)
		_, kept := bob.SendState(c.Context(), old, ownType, bob.UserID, map[string]any{"note": "bob's"})
		after, err := alice.Upgrade(c.Context(), old, s.Format().RoomVersion)
		if err != nil {
			c.Observe(verdict.NoneSeen, "%v", answered("who asked for an upgrade", err))
			return
		}

		var bans, power, state carried
		bans.named = contentOf(c, alice, after, "m.room.member", dan.UserID, "membership") == "ban"
		_, err = dan.JoinRoom(c.Context(), after)
		bans.effective = err != nil
		power.named = contentOf(c, alice, after, "m.room.power_levels", "", match.Path("users", bob.UserID)) == "50"
		if _, err = bob.JoinRoom(c.Context(), after); err != nil {
			c.Observe(verdict.NoneSeen, "%v", answered("joining the new room, another member of the old one", err))
			return
		}
		_, err = bob.SendState(c.Context(), after, "m.room.topic", "", map[string]any{"topic": "set by bob"})
		power.effective = err == nil
		state.named = contentOf(c, alice, after, ownType, bob.UserID, "note") != ""
		state.effective = state.named

		detail := fmt.Sprintf("bans: %s; the power of others: %s; state keyed by users: %s", bans, power, state)
		if kept != nil {
			detail += fmt.Sprintf(" (in the old room the server refused it: %v)", kept)
		}
		c.Observe(readingOf(bans, power, state), "%s", detail)
	},
})

const ownType = "org.example.own"

// contentOf is a field of a state event as a client is given it, or "".
func contentOf(c *check.C, user *stage.User, roomID, eventType, stateKey, path string) string {
	event, err := user.StateEvent(c.Context(), roomID, eventType, stateKey)
	if err != nil {
		return ""
	}
	return event.Get(path).String()
}

func (c carried) String() string {
	switch {
	case c.effective:
		return "follow"
	case c.named:
		return "follow in name only"
	}
	return "do not follow"
}

// readingOf is what follows, by the three.
func readingOf(bans, power, state carried) string {
	if !bans.effective && !power.effective && !state.effective && (bans.named || power.named) {
		return "in-name-only"
	}
	for reading, follows := range map[string][3]bool{
		"nothing": {}, "bans-only": {true, false, false}, "power-only": {false, true, false}, "bans-and-power": {true, true, false},
		"everything": {true, true, true},
	} {
		if follows == [3]bool{bans.effective, power.effective, state.effective} {
			return reading
		}
	}
	return "differs"
}
