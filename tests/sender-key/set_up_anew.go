package senderkey

// A server that lost its data returns under its name, and its user comes back.

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// What clients see when a server that lost its data, its own key among them, returns under its name and its user joins again under a
// new key, while the old key is still joined. The texts say only that there are legitimate reasons for another key (MSC4014, Proposal
// 3.2). Clients of the room must go on.
var _ = check.Register(check.Check{
	Name:     "a user of a server that was set up anew joins again",
	Requires: []string{"mapping/user-of-server-set-up-anew", "resilience/stays-up"},
	Path:     "send_join",
	Deadly:   true,
	Body: func(c *check.C) {
		scene := scenes.OpenBanOfMember(stage.Open(c, blueprints.OneServer), delivery.SendJoin)
		scene.Peer.ReplaceKey("ed25519:anew")
		observe := func(reading, format string, arguments ...any) {
			c.ObserveOn("mapping/user-of-server-set-up-anew", reading, format, arguments...)
		}
		refusal := scenes.AwaitsNewKey(scene.Stage, scene.Peer, scene.Room.ID(), scene.Dan, func() {
			scene.Room.Blaming("routing/reaches-members").AwaitsEvent(scene.Alice.Says(scene.Room.ID(), "said while the key is unknown"))
		})
		if refusal != "" {
			observe("refused", "make_join, signed with the server's new key, was answered %s until the end", refusal)
			return
		}
		observeSecondJoin(scene, "when a user of a server that was set up anew had joined again", observe)
	},
})
