package main

// What servers tell each other that is no event (EDUs): one table, for the checks of who is told.

import (
	"context"
	"fmt"

	"github.com/tidwall/gjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// occasion is one time that a user does something of which other servers are told.
type occasion struct {
	user    *stage.User
	roomID  string
	eventID string             // of an event of the room
	word    string             // that nobody else says
	remotes []*federation.User // whom the user writes to
}

// ephemeral is a kind of EDU.
type ephemeral struct {
	name, eduType string
	// happens makes the occasion, and returns what tells an EDU of it from others.
	happens func(ctx context.Context, o occasion) (match.Matcher, error)
}

var (
	receipts = ephemeral{"receipts", "m.receipt", func(ctx context.Context, o occasion) (match.Matcher, error) {
		return match.KeyPresent(match.Path("content", o.roomID, "m.read", o.user.UserID)),
			o.user.SendReceipt(ctx, o.roomID, "m.read", o.eventID)
	}}
	typing = ephemeral{"typing notifications", "m.typing", func(ctx context.Context, o occasion) (match.Matcher, error) {
		return match.All(match.KeyEqual("content.room_id", o.roomID), match.KeyEqual("content.user_id", o.user.UserID)),
			o.user.SetTyping(ctx, o.roomID, 20_000)
	}}
	presence = ephemeral{"presence updates", "m.presence", func(ctx context.Context, o occasion) (match.Matcher, error) {
		// What is told besides, a client's /sync makes by itself.
		return match.Contains("content.push", match.All(match.KeyEqual("user_id", o.user.UserID), match.KeyEqual("status_msg", o.word))),
			o.user.SetPresence(ctx, "unavailable", o.word)
	}}
	toDevice = ephemeral{"to-device messages", "m.direct_to_device", func(ctx context.Context, o occasion) (match.Matcher, error) {
		messages := map[string]map[string]any{}
		for _, user := range o.remotes {
			messages[user.ID()] = map[string]any{"*": map[string]any{"word": o.word}}
		}
		ofUser := match.Contains("@this", match.KeyEqual("word", o.word)) // whatever device it is for
		return match.All(match.KeyEqual("content.sender", o.user.UserID), match.Contains("content.messages", ofUser)),
			o.user.SendToDevice(ctx, toDeviceType, messages)
	}}
	deviceLists = ephemeral{"device list updates", "m.device_list_update", func(_ context.Context, o occasion) (match.Matcher, error) {
		added := o.user.NewDevice()
		return match.All(match.KeyEqual("content.user_id", added.UserID), match.KeyEqual("content.device_id", added.DeviceID)), nil
	}}
)

// toDeviceType is the type of the suite's messages to devices.
const toDeviceType = "org.example.word"

// arrives waits until a peer gets an EDU of the kind that matches.
func (e ephemeral) arrives(at *stage.Peer, matches match.Matcher) error {
	ctx, cancel := at.Within()
	defer cancel()
	_, err := at.WaitForEDU(ctx, func(edu federation.EDU) bool { return e.isIn(edu, matches) })
	if err != nil {
		return fmt.Errorf("%s: %w", e.eduType, err)
	}
	return nil
}

// came tells whether a peer has got an EDU of the kind that matches.
func (e ephemeral) came(to *stage.Peer, matches match.Matcher) bool {
	for _, edu := range to.ReceivedEDUs() {
		if e.isIn(edu, matches) {
			return true
		}
	}
	return false
}

func (e ephemeral) isIn(edu federation.EDU, matches match.Matcher) bool {
	return edu.Type == e.eduType && matches(gjson.ParseBytes(edu.Raw)) == nil
}
