package clientview

// State keyed by user IDs.

import (
	"errors"
	"fmt"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// noteType is a type of state that every member may send, in rooms made with anybodysNotes.
const noteType = "org.example.note"

// anybodysNotes lets members without power send notes. It leaves the other types to state_default.
func anybodysNotes() stage.Option {
	events := map[string]any{noteType: 0}
	return stage.Option{Name: "power_level_content_override", Value: map[string]any{"events": events}}
}

// A member writes state whose key is its own user ID, and clients read it by that (Matrix specification, authorisation rules: state
// keyed by a user ID is for that user to write; MSC4014, hard requirement 1).
var _ = check.Register(check.Check{
	Name:     "a member writes and reads state keyed by its own user ID",
	Requires: []string{"client-view/own-state-by-user-id"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := s.User("alice"), s.User("bob")
		roomID := alice.Makes(stage.Public, anybodysNotes())
		bob.Joins(roomID)
		alice.Blaming("membership/join-local").AwaitsMembership(roomID, bob.UserID, "join")
		written, err := bob.SendState(c.Context(), roomID, noteType, bob.UserID, map[string]any{"by": "its owner"})
		c.Must(err)
		for _, reader := range []*stage.User{bob, alice} {
			shown := reader.AwaitsEvent(roomID, written)
			assert.Equal(c, bob.UserID, shown.Get("state_key").String(), "the state key of a member's own state, in /sync")
			c.Must(readsNote(c, reader, roomID, bob.UserID, "its owner"))
		}
	},
})

// Nobody writes state of a type that it has no power to send, and that another member keyed by its user ID. Whether somebody with that
// power may is auth/rules-by-sigil.
var _ = check.Register(check.Check{
	Name:     "state keyed by the user ID of another member is not written without power",
	Requires: []string{"client-view/own-state-by-user-id"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, carol := s.User("alice"), s.User("bob"), s.User("carol")
		roomID := alice.Makes(stage.Public)
		bob.Joins(roomID)
		carol.Joins(roomID)
		alice.Blaming("client-view/power-levels-write").GivesPower(roomID, map[string]int{bob.UserID: 50})
		_, err := bob.SendState(c.Context(), roomID, noteType, bob.UserID, map[string]any{"by": "its owner"})
		c.Control(err)
		c.Control(readsNote(c, alice, roomID, bob.UserID, "its owner"))

		c.UnderTest()
		_, err = carol.SendState(c.Context(), roomID, noteType, bob.UserID, map[string]any{"by": "another member"})
		c.Notef("the answer to a member without power that writes it: %v", err)
		alice.AwaitsEvent(roomID, carol.Says(roomID, "said after the attempt"))
		for _, reader := range []*stage.User{bob, alice} {
			if err := readsNote(c, reader, roomID, bob.UserID, "its owner"); err != nil {
				c.Errorf("after a member without power wrote: %v", err)
			}
		}
	},
})

// readsNote returns an error unless a client reads a note keyed by a user ID, by GET /state/{type}/{key} and in GET /state.
func readsNote(c *check.C, reader *stage.User, roomID, userID, by string) error {
	content, err := reader.StateEvent(c.Context(), roomID, noteType, userID)
	if err != nil {
		return err
	}
	if got := content.Get("by").String(); got != by {
		return fmt.Errorf("the state keyed by %s is of %q, wanted %q", userID, got, by)
	}
	state, err := reader.State(c.Context(), roomID)
	if err != nil {
		return err
	}
	if match.Contains("@this", match.All(match.State(noteType, userID), match.KeyEqual("content.by", by)))(state.JSON()) != nil {
		return errors.New("GET /state does not have the state keyed by " + userID + " that GET /state/{type}/{key} has")
	}
	return nil
}

// On the wire it is keyed by the sender key: a state key that begins with @ and is not the sender is refused (Matrix specification,
// authorisation rule 8), and no user ID is the sender of an event (MSC4014, Proposal 1).
var _ = check.Register(check.Check{
	Name:     "state that a member keyed by its own user ID reaches a peer keyed by its sender key",
	Requires: []string{"client-view/own-state-by-user-id"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		room := peer.Joins(alice.Makes(stage.Public), peer.User("witness"))
		written, err := alice.SendState(c.Context(), room.ID(), noteType, alice.UserID, map[string]any{"by": "its owner"})
		c.Must(err)
		received := room.AwaitsEvent(written)
		stateKey, _ := received.StateKey()
		assert.Equal(c, received.Sender(), stateKey, "the state key of state that a member keyed by its own user ID, on the wire")
	},
})

// And clients see by user ID what a user of a peer keyed by its own sender key.
var _ = check.Register(check.Check{
	Name:     "state that a user of a peer keyed by its own sender key is read by its user ID",
	Requires: []string{"client-view/own-state-by-user-id"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		carol := peer.User("carol")
		room := peer.Joins(alice.Makes(stage.Public, anybodysNotes()), carol)
		note := room.Builds(stateOf(carol, noteType, carol.SenderIn(room.Room), map[string]any{"by": "its owner"}))
		room.Delivers(note)
		shown := alice.AwaitsEvent(room.ID(), note.ID())
		assert.Equal(c, carol.ID(), shown.Get("state_key").String(), "the state key of a remote member's own state, in /sync")
		c.Must(readsNote(c, alice, room.ID(), carol.ID(), "its owner"))
	},
})
