package unverified

// How the members of a room are listed once one of them was verified later.

import (
	"slices"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// Once the server verifies the user ID, clients should be sent the member event with it (MSC4014, Changes from MSC1228 6.2): a client
// that asks who is in the room now is told the same, and no placeholder beside it.
func init() {
	for _, how := range recoveries {
		check.Register(check.Check{
			Name:     "the members are listed by their true user IDs when a member's server " + how.name,
			Requires: []string{"unverified/verified-later"},
			Path:     "send",
			Slow:     swallowingTime,
			Body: func(c *check.C) {
				seen := verifiedLater(c, how)
				for _, each := range seen.lost {
					c.Errorf("%s", each)
				}
				isPlaceholder := isPlaceholder(seen.claimed, stage.Open(c, blueprints.OneServer).ServerName(1))
				for _, view := range seen.after {
					switch view.Name {
					case "/joined_members":
						if !slices.Contains(view.Keys, seen.claimed) {
							c.Errorf("%s does not have %s, who was verified, but %v", view.Name, seen.claimed, view.Keys)
						}
						if slices.ContainsFunc(view.Keys, func(userID string) bool { return isPlaceholder(userID) == nil }) {
							c.Errorf("%s still has the placeholder of a member who was verified: %v", view.Name, view.Keys)
						}
					case "/members", "/state":
						joins := scenes.EventsOf(view, seen.join)
						if len(joins) == 0 {
							c.Errorf("%s does not have the join of a member who was verified", view.Name)
						}
						for _, join := range joins {
							if shown := join.Get("state_key").String(); shown != seen.claimed {
								c.Errorf("%s still shows a member who was verified as %s", view.Name, shown)
							}
						}
					}
				}
			},
		})
	}
}
