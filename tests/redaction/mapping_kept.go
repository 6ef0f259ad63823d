package redaction

// Chapter redaction: what redacting a member event takes away, and what it must leave.

import (
	"errors"
	"slices"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// Event IDs and signatures are computed over the redacted form, which has no mxid_mapping; content hashes, as always, over
// the whole event (MSC4014, Addressing the problems 3: the algorithm remains the same for signatures and hashes).
var _ = check.Register(check.Check{
	Name:     "the redaction algorithm knows no mapping",
	Requires: []string{"redaction/algorithm-unchanged"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		room := s.Room
		join := scenes.CreatorsJoin(c, room)
		scenes.MappingIn(c, join)

		power, known := room.StateEvent("m.room.power_levels", "")
		require.True(c, known, "the send_join answer has the power levels")
		assert.Contains(c, power.AuthEvents(), join.ID(),
			"the auth events of the power levels, against the ID of the creator's join computed without mxid_mapping")
		_, err := pseudoid.VerifySenderSignature(join.JSON(), join.Format())
		assert.NoError(c, err, "the sender key's signature of the join, over the redacted form without mxid_mapping")
		assert.NoError(c, pseudoid.CheckContentHash(join.JSON()), "the content hash of the join, over the whole event")

		// Redacted and fetched again, an event is still the one that its ID and its signature are of.
		bob := s.User("bob")
		bob.Joins(room.ID())
		bobs := room.Blaming("routing/reaches-members").Awaits(scenes.NewMember(room, join.Sender(), "join"))
		_, err = bob.Redact(c.Context(), room.ID(), bobs.ID(), "")
		c.Need("redaction/own-by-key", err)
		room.Blaming("routing/reaches-members").Awaits(redactionOf(bobs.ID()))
		served := room.Fetches(bobs.ID())
		assert.Equal(c, bobs.ID(), served.ID(), "the ID of the redacted join as peers are served it")
		_, err = pseudoid.VerifySenderSignature(served.JSON(), served.Format())
		assert.NoError(c, err, "the sender key's signature of the redacted join as peers are served it")
	},
})

// redactionOf matches the redaction of an event.
func redactionOf(eventID string) func(federation.Event) error {
	return func(event federation.Event) error {
		if event.Type() == "m.room.redaction" && (event.Get("redacts").String() == eventID || event.Get("content.redacts").String() == eventID) {
			return nil
		}
		return errors.New("another event")
	}
}

// redactedMember is a room in which a moderator redacted the member event of another user of the server.
type redactedMember struct {
	alice, bob *stage.User
	roomID     string
	join       string // the ID of bob's redacted join
	earlier    string // the ID of a message that bob sent before
}

// redactMember lets alice redact the join of bob, who has a display name and an avatar, and waits until the server's
// clients have seen it happen.
func redactMember(c *check.C, s *stage.Stage) redactedMember {
	scene := redactedMember{alice: s.User("alice"), bob: s.User("bob")}
	c.Need("membership/profile-propagates", scene.bob.SetDisplayName(c.Context(), "a malicious name"))
	c.Need("membership/profile-propagates", scene.bob.SetAvatar(c.Context(), "mxc://example.org/malicious"))
	scene.roomID = scene.alice.Makes(stage.Public)
	scene.bob.Joins(scene.roomID)
	joined := scene.alice.Blaming("membership/join-local").AwaitsMembership(scene.roomID, scene.bob.UserID, "join")
	scene.join = joined.Get("event_id").String()
	if joined.Get("content.displayname").String() != "a malicious name" {
		c.Need("membership/profile-propagates", errors.New("the join shows no display name: "+joined.Get("content").Raw))
	}
	scene.earlier = scene.bob.Says(scene.roomID, "said before the redaction")
	_, err := scene.alice.Redact(c.Context(), scene.roomID, scene.join, "a malicious name")
	c.Need("redaction/others-by-power", err)
	// The barrier: what was sent after the redaction is shown after it took effect.
	after := scene.alice.Says(scene.roomID, "said after the redaction")
	scene.alice.Blaming("client-view/unmodified-client").AwaitsEvent(scene.roomID, after)
	return scene
}

// Redacting a member event takes a malicious display name and avatar away (MSC4014, Addressing the problems 3).
var _ = check.Register(check.Check{
	Name:     "a redacted member event shows no display name",
	Requires: []string{"redaction/displayname-goes"},
	Body: func(c *check.C) {
		scene := redactMember(c, stage.Open(c, blueprints.OneServer))
		event := scene.alice.Reads(scene.roomID, scene.join)
		assertNoProfile(c, event.Get("content"), "GET /event of the redacted join")
		assertNoProfileInState(c, scene.alice, "client-view/state-by-user-id", scene.roomID, scene.bob.UserID)
		for _, view := range scene.alice.Views(scene.roomID) {
			for _, event := range view.Events {
				if event.Get("event_id").String() == scene.join {
					assertNoProfile(c, event.Get("content"), view.Name)
				}
			}
		}
	},
})

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
		s := stage.Open(c, blueprints.OneServer)
		scene := redactMember(c, s)
		later, err := scene.bob.SendMessage(c.Context(), scene.roomID, "said by a member whose join was redacted")
		require.NoError(c, err, "the member whose join was redacted sends a message")
		shown := scene.alice.AwaitsEvent(scene.roomID, later)
		assert.Equal(c, scene.bob.UserID, shown.Get("sender").String(), "the sender of a message sent after the redaction")
		earlier := scene.alice.Reads(scene.roomID, scene.earlier)
		assert.Equal(c, scene.bob.UserID, earlier.Get("sender").String(), "the sender of a message sent before the redaction")
		for _, view := range scene.alice.Views(scene.roomID) {
			if view.Shows(scene.bob.UserID) == "" {
				c.Errorf("%s does not show %s any more", view.Name, scene.bob.UserID)
			}
		}
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

		before := alice.Says(roomID, "said before the redaction")
		room.Blaming("routing/reaches-members").AwaitsEvent(before)
		_, err := alice.Redact(c.Context(), roomID, join.ID(), "")
		c.Need("redaction/others-by-power", err)
		room.Blaming("routing/reaches-members").Awaits(redactionOf(join.ID()))
		after := alice.Says(roomID, "said after the redaction")
		room.AwaitsEvent(after)
	},
})

// Whether a redacted event keeps its sender key: read to the letter, the algorithm that remains the same keeps no such
// field (MSC4014, Addressing the problems 3). The server's own event IDs tell.
var _ = check.Register(check.Check{
	Name:     "what a redacted event keeps of its sender",
	Requires: []string{"redaction/sender-key-kept"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		room := s.Room
		create, known := room.StateEvent("m.room.create", "")
		require.True(c, known, "the send_join answer has the create event")
		join := scenes.CreatorsJoin(c, room)

		field := s.Format().SenderField()
		without, err := sjson.DeleteBytes(create.JSON(), field)
		require.NoError(c, err)
		shortID, err := pseudoid.EventID(without, pseudoid.FormatV10)
		require.NoError(c, err)
		keeping := s.Format() // as learnt, which may be the other reading already
		if keeping.Dialect == pseudoid.DialectMSC4014 {
			keeping = pseudoid.FormatMSC4014
		}
		fullID, err := pseudoid.EventID(create.JSON(), keeping)
		require.NoError(c, err)
		switch named := join.AuthEvents(); {
		case slices.Contains(named, fullID):
			c.Observe("kept", "event IDs are those of redacted events with %q", field)
		case slices.Contains(named, shortID):
			c.Observe("removed", "event IDs are those of redacted events without %q", field)
		default:
			c.Observe("none-seen", "the IDs that events refer to fit neither reading")
		}
	},
})
