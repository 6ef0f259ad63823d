package redaction

// The redaction algorithm, by the event IDs and signatures of the server's own events.

import (
	"errors"
	"slices"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/sjson"

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

		// Redacted and fetched again, an event still has its ID and a valid signature.
		bob := s.User("bob")
		bob.SetsDisplayName(maliciousName)
		bob.Joins(room.ID())
		ofBob := room.Blaming("routing/reaches-members").Awaits(scenes.NewMember(room, join.Sender(), "join"))
		if room.Fetches(ofBob.ID()).Get("content.displayname").String() != maliciousName {
			c.Need("membership/profile-propagates", errors.New("peers are served the join of a user with a display name without that"))
		}
		bob.Blaming("redaction/displayname-goes").Redacts(room.ID(), ofBob.ID())
		c.UnderTest()
		room.Awaits(redactionOf(ofBob.ID()))
		served := room.Fetches(ofBob.ID())
		if name := served.Get("content.displayname"); name.Exists() {
			c.Errorf("the redacted join as peers are served it is not redacted: it has the display name %s", name.Raw)
		}
		assert.Equal(c, ofBob.ID(), served.ID(), "the ID of the redacted join as peers are served it")
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
		keeping := s.Format() // as learnt, which may be the other reading already
		keeping.RedactionKeepsSenderKey = keeping.Dialect == pseudoid.DialectMSC4014
		shortID, err := pseudoid.EventID(without, keeping)
		require.NoError(c, err)
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
