package redaction

// What the redaction of a member event takes away, and what it must leave (MSC4014, Addressing the problems 3).

import (
	"errors"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// redactedMember is a room in which a moderator redacted the member event of another user of the server.
type redactedMember struct {
	alice, bob *stage.User
	roomID     string
	join       string // the ID of bob's redacted join
	earlier    string // the ID of a message that bob sent before
}

// redactMember lets Alice redact the join of Bob, and waits until clients are shown a later event.
func redactMember(c *check.C, s *stage.Stage) redactedMember {
	scene := openMember(c, s)
	scene.isRedacted(c)
	return scene
}

// openMember makes the room, with Bob in it, who has a display name and an avatar.
func openMember(c *check.C, s *stage.Stage) redactedMember {
	scene := redactedMember{alice: s.User("alice"), bob: s.User("bob")}
	scene.bob.SetsDisplayName(maliciousName)
	scene.bob.SetsAvatar(maliciousAvatar)
	scene.roomID = scene.alice.Makes(stage.Public)
	scene.bob.Joins(scene.roomID)
	joined := scene.alice.Blaming("membership/join-local").AwaitsMembership(scene.roomID, scene.bob.UserID, "join")
	scene.join = joined.Get("event_id").String()
	if joined.Get("content.displayname").String() != maliciousName {
		c.Need("membership/profile-propagates", errors.New("the join shows no display name: "+joined.Get("content").Raw))
	}
	scene.earlier = scene.bob.Says(scene.roomID, earlierText)
	return scene
}

// isRedacted lets Alice redact the join of Bob, and waits until clients are shown a later event.
func (scene redactedMember) isRedacted(c *check.C) {
	scene.alice.Blaming("redaction/displayname-goes").Redacts(scene.roomID, scene.join)
	c.UnderTest()
	// The barrier: an event sent after the redaction is shown after that took effect.
	after := scene.alice.Says(scene.roomID, "said after the redaction")
	scene.alice.Blaming("client-view/unmodified-client").AwaitsEvent(scene.roomID, after)
}

// Redacting a member event takes a malicious display name and avatar away (MSC4014, Addressing the problems 3).
var _ = check.Register(check.Check{
	Name:     "a redacted member event shows no display name",
	Requires: []string{"redaction/displayname-goes"},
	Body: func(c *check.C) {
		scene := redactMember(c, stage.Open(c, blueprints.OneServer))
		event := scene.alice.Reads(scene.roomID, scene.join)
		assertNoProfile(c, event.Get("content"), "GET /event of the redacted join")
		state, err := scene.alice.StateEvent(c.Context(), scene.roomID, "m.room.member", scene.bob.UserID)
		c.Need("client-view/state-by-user-id", err)
		assertNoProfile(c, state.JSON(), inState)
		for _, view := range scene.alice.Views(scene.roomID) {
			for _, event := range scenes.EventsOf(view, scene.join) {
				assertNoProfile(c, event.Get("content"), view.Name)
			}
		}
		areGone(c, scene.alice, scene.roomID, earlierText, []profileField{displayName, avatar}, scene.join)
	},
})

// inState is where the member event of a redacted member is read from the room's state.
const inState = "GET /state/m.room.member of a member whose event was redacted"

// assertNoProfile ensures that the content of a member event has no display name and no avatar.
func assertNoProfile(c *check.C, content gjson.Result, where string) {
	for _, field := range []string{"displayname", "avatar_url"} {
		if value := content.Get(field); value.String() != "" {
			c.Errorf("%s still has %s %q", where, field, value.String())
		}
	}
}

// It does not take the user ID away: the member still shows by user ID, in old and in new events (MSC4014, Addressing the
// problems 3; hard requirement 1).
var _ = check.Register(check.Check{
	Name:     "a member whose event was redacted still shows by user ID",
	Requires: []string{"redaction/mapping-stays"},
	Body: func(c *check.C) {
		scene := redactMember(c, stage.Open(c, blueprints.OneServer))
		later, err := scene.bob.SendMessage(c.Context(), scene.roomID, "said by a member whose join was redacted")
		require.NoError(c, err, "the member whose join was redacted sends a message")
		shown := scene.alice.AwaitsEvent(scene.roomID, later)
		assert.Equal(c, scene.bob.UserID, shown.Get("sender").String(), "the sender of a message sent after the redaction")
		earlier := scene.alice.Reads(scene.roomID, scene.earlier)
		assert.Equal(c, scene.bob.UserID, earlier.Get("sender").String(), "the sender of a message sent before the redaction")
		showsMember(c, scene.alice, scene.roomID, scene.bob.UserID, scene.join)
	},
})

// The server of the member still receives events, also when it has no other member in the room (MSC4014, Addressing the
// problems 3: a redaction must not alter routing).
var _ = check.Register(check.Check{
	Name:     "a server whose only member's event was redacted still receives events",
	Requires: []string{"redaction/routing-stays"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, remote := s.User("alice"), s.Peer()
		roomID := alice.Makes(stage.Public)
		carol := remote.User("carol")
		room := remote.Joins(roomID, carol)
		join, known := room.StateEvent("m.room.member", carol.SenderIn(room.Room))
		require.True(c, known, "the peer knows its own join")
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, carol.ID(), "join")

		before := alice.Says(roomID, "said before the redaction")
		room.Blaming("routing/reaches-members").AwaitsEvent(before)
		alice.Blaming("redaction/displayname-goes").Redacts(roomID, join.ID())
		c.UnderTest()
		room.Awaits(redactionOf(join.ID()))
		after := alice.Says(roomID, "said after the redaction")
		room.AwaitsEvent(after)
	},
})

// The member is still joined, can send, and keeps its power.
var _ = check.Register(check.Check{
	Name:     "a member whose event was redacted stays a member",
	Requires: []string{"redaction/membership-stays"},
	Body: func(c *check.C) {
		scene := openScene(c, false, false)
		scene.redacts(scene.joins[0])
		c.UnderTest()
		scene.settles()
		scene.keepsMembership()
	},
})
