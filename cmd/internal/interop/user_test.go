package interop

// What users do, and must see. Every wait ends with the story's deadline.

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
)

// user is a user of one server, with one device. The test ends if an action fails.
type user struct {
	*csapi.Client
	software  string // of the user's server: "dendrite@0.13.8"
	t         *testing.T
	ctx       context.Context
	timelines map[string]*csapi.Timeline // by room
	seen      map[string]bool            // member events that were awaited, by ID
}

// awaits waits until the user sees an event in a room.
func (u *user) awaits(room, what string, matcher match.Matcher) gjson.Result {
	u.t.Helper()
	if u.timelines[room] == nil {
		u.timelines[room] = u.Timeline(room)
	}
	event, err := u.timelines[room].Wait(u.ctx, matcher)
	require.NoError(u.t, err, "%s must see %s", u.UserID, what)
	return event
}

// awaitsEvent waits for an event that another user sent, by its ID.
func (u *user) awaitsEvent(room, eventID string, by *user) gjson.Result {
	u.t.Helper()
	event := u.awaits(room, "the event that "+by.UserID+" sent", match.KeyEqual("event_id", eventID))
	assert.Equal(u.t, by.UserID, event.Get("sender").String(), "sender of %s, as %s sees it", eventID, u.UserID)
	return event
}

// awaitsMembership waits for a member event that was not awaited before.
func (u *user) awaitsMembership(room, userID, membership string) gjson.Result {
	u.t.Helper()
	event := u.awaits(room, fmt.Sprintf("the %s of %s", membership, userID), match.All(
		match.KeyEqual("type", "m.room.member"), match.KeyEqual("state_key", userID), match.KeyEqual("content.membership", membership),
		func(event gjson.Result) error {
			if u.seen[event.Get("event_id").String()] {
				return fmt.Errorf("it was awaited before")
			}
			return nil
		},
	))
	if id := event.Get("event_id").String(); id != "" { // an event in the stripped state of an invite may have none
		u.seen[id] = true
	}
	return event
}

// says sends a message, which all listeners must see.
func (u *user) says(room, text string, listeners ...*user) (eventID string) {
	u.t.Helper()
	eventID, err := u.SendMessage(u.ctx, room, text)
	require.NoError(u.t, err)
	for _, listener := range listeners {
		event := listener.awaitsEvent(room, eventID, u)
		assert.Equal(u.t, text, event.Get("content.body").String(), "what %s is shown", listener.UserID)
	}
	return eventID
}

// joins joins a room through a server.
func (u *user) joins(room string, through *user) {
	u.t.Helper()
	joined, err := u.JoinRoom(u.ctx, room, through.Server.Name)
	require.NoError(u.t, err, "%s joins through %s", u.UserID, through.Server.Name)
	require.Equal(u.t, room, joined)
	u.awaitsMembership(room, u.UserID, "join")
}

// setsTopic changes the topic of a room, which all listeners must see.
func (u *user) setsTopic(room, topic string, listeners ...*user) {
	u.t.Helper()
	id, err := u.SendState(u.ctx, room, "m.room.topic", "", map[string]any{"topic": topic})
	require.NoError(u.t, err)
	for _, listener := range listeners {
		listener.awaitsEvent(room, id, u)
		answer, err := listener.StateEvent(u.ctx, room, "m.room.topic", "")
		require.NoError(u.t, err)
		assert.Equal(u.t, topic, answer.Get("topic").String(), "the topic that %s sees", listener.UserID)
	}
}

// redacts redacts a message, whose text a listener must then no longer see.
func (u *user) redacts(room, eventID, version string, listener *user) {
	u.t.Helper()
	redaction, err := u.Redact(u.ctx, room, eventID, "said by mistake")
	require.NoError(u.t, err)
	shown := func() gjson.Result {
		event, err := listener.Event(u.ctx, room, eventID)
		require.NoError(u.t, err)
		return event.JSON()
	}
	if overlooked := version == "11" && listener.on("dendrite") && !u.on("dendrite"); overlooked {
		// Dendrite looks for the property redacts at the top level in every room version, but since version 11 it is only in
		// the content.
		u.says(room, "said after a redaction", listener)
		require.NotEqual(u.t, "{}", shown().Get("content").Raw, "%s redacts as version 11 says now: expect it to", listener.software)
		return
	}
	listener.awaitsEvent(room, redaction, u)
	assert.Equal(u.t, "{}", shown().Get("content").Raw, "what is left of a redacted message, as %s sees it", listener.UserID)
	assert.Equal(u.t, redaction, shown().Get("unsigned.redacted_because.event_id").String())
}

// on reports whether the user's server runs a software, in any version.
func (u *user) on(software string) bool { return strings.HasPrefix(u.software, software) }

// findsHistory pages back to events from before the user was in the room.
func (u *user) findsHistory(room string, eventIDs ...string) {
	u.t.Helper()
	wanted := map[string]bool{}
	for _, id := range eventIDs {
		wanted[id] = true
	}
	from, pages := "", 0
	for len(wanted) > 0 {
		page, err := u.Messages(u.ctx, room, from, "b", 10)
		require.NoError(u.t, err)
		for _, event := range page.Get("chunk").Array() {
			if id := event.Get("event_id").String(); wanted[id] {
				assert.NotEmpty(u.t, event.Get("content.body").String(), "%s in the history", id)
				delete(wanted, id)
			}
		}
		pages++
		end := page.Get("end").String()
		if end == "" || end == from {
			break
		}
		from = end
	}
	require.Empty(u.t, wanted, "of %d events from before %s was there, those that %d pages of /messages did not show",
		len(eventIDs), u.UserID, pages)
}

// members returns the users with a membership in a room, as the user sees it.
func (u *user) members(room, membership string) (userIDs []string) {
	u.t.Helper()
	answer, err := u.Members(u.ctx, room, url.Values{"membership": {membership}})
	require.NoError(u.t, err)
	for _, event := range answer.Get("chunk").Array() {
		userIDs = append(userIDs, event.Get("state_key").String())
	}
	return userIDs
}

// state returns the event IDs of a room's state, by type and state key.
func (u *user) state(room string) map[string]string {
	u.t.Helper()
	answer, err := u.State(u.ctx, room)
	require.NoError(u.t, err)
	state := map[string]string{}
	for _, event := range answer.JSON().Array() {
		state[event.Get("type").String()+" "+event.Get("state_key").String()] = event.Get("event_id").String()
	}
	return state
}

// agrees asserts that two users see the same state of a room.
func (u *user) agrees(room string, with *user) {
	u.t.Helper()
	assert.Equal(u.t, u.state(room), with.state(room), "the state of the room, as %s and %s see it", u.UserID, with.UserID)
}
