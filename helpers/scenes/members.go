package scenes

// Member events: their mappings, and matchers for them.

import (
	"crypto/ed25519"
	"errors"
	"slices"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// MappingIn returns the mapping of a member event. An event without one fails the check.
func MappingIn(c *check.C, event federation.Event) pseudoid.Mapping {
	raw, carried := pseudoid.MappingOf(event.JSON())
	if !carried {
		c.Failf("a member event (%s) of the server carries no mxid_mapping", event.Membership())
	}
	mapping, err := pseudoid.ParseMapping(raw)
	require.NoError(c, err, "the mxid_mapping of a member event (%s) of the server", event.Membership())
	return mapping
}

// AssertMaps ensures that the mapping of a member event maps its state key to the user.
func AssertMaps(c *check.C, event federation.Event, userID string) {
	mapping := MappingIn(c, event)
	stateKey, _ := event.StateKey()
	assert.Equal(c, userID, mapping.UserID, "the mapping's user_id")
	assert.Equal(c, stateKey, string(mapping.Key), "the mapping's key, against the event's state key")
}

// CreatorsJoin returns the join of the creator of a room, found without its mapping.
func CreatorsJoin(c *check.C, room *stage.Room) federation.Event {
	create, known := room.StateEvent("m.room.create", "")
	require.True(c, known, "the send_join answer has the create event")
	join, known := room.StateEvent("m.room.member", create.Sender())
	require.True(c, known, "the send_join answer has the member event of the create event's sender")
	return join
}

// NewMember matches a member event of a key that is neither the creator's nor the peer's own.
func NewMember(room *stage.Room, creator, membership string) func(federation.Event) error {
	return func(event federation.Event) error {
		stateKey, _ := event.StateKey()
		ours := room.Peer().Switchboard().IsOurKey(stateKey)
		if event.Type() == "m.room.member" && event.Membership() == membership && stateKey != creator && !ours {
			return nil
		}
		return errors.New("another event")
	}
}

// KeysAskedBy returns a function by which a peer requests the published keys of servers.
func KeysAskedBy(asker *stage.Peer) func(serverName, keyID string) (ed25519.PublicKey, error) {
	return func(serverName, keyID string) (ed25519.PublicKey, error) {
		ctx, cancel := asker.Within()
		defer cancel()
		return asker.ServerKey(ctx, serverName, keyID)
	}
}

// AnotherMember matches a member event of the membership that maps a key to the user, other than the known ones.
func AnotherMember(userID, membership string, known ...federation.Event) func(federation.Event) error {
	return func(event federation.Event) error {
		switch {
		case event.Type() != "m.room.member" || event.Membership() != membership || event.MappedUserID() != userID:
			return errors.New("another event")
		case slices.ContainsFunc(known, func(one federation.Event) bool { return one.ID() == event.ID() }):
			return errors.New("known before")
		}
		return nil
	}
}

// OfMembership matches a member event by its membership alone, for rooms that have one such event.
func OfMembership(membership string) func(federation.Event) error {
	return func(event federation.Event) error {
		if event.Type() == "m.room.member" && event.Membership() == membership {
			return nil
		}
		return errors.New("another event")
	}
}

// MemberByKey matches the member event of a key.
func MemberByKey(key, membership string) func(federation.Event) error {
	return func(event federation.Event) error {
		if event.IsState("m.room.member", key) && event.Membership() == membership {
			return nil
		}
		return errors.New("another event")
	}
}

// EventsOf are the events of a view that have one of the IDs.
func EventsOf(view stage.View, eventIDs ...string) []gjson.Result {
	var found []gjson.Result
	for _, event := range view.Events {
		if slices.Contains(eventIDs, event.Get("event_id").String()) {
			found = append(found, event)
		}
	}
	return found
}
