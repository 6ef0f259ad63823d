package scenes

// The kinds of ephemeral data units (EDUs), for the checks of who is sent them.

import (
	"context"
	"fmt"

	"github.com/tidwall/gjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// Occasion is one time that a user does something which makes its server send an EDU.
type Occasion struct {
	User    *stage.User
	RoomID  string
	EventID string             // of an event of the room
	Word    string             // a text that no other EDU has
	Remotes []*federation.User // to whom the user sends it
}

// EDU is a kind of EDU.
type EDU struct {
	Name, EduType string
	// Happens lets the user do it, and returns a matcher of the EDU that this makes.
	Happens func(ctx context.Context, o Occasion) (match.Matcher, error)
}

var (
	Receipts = EDU{"receipts", "m.receipt", func(ctx context.Context, o Occasion) (match.Matcher, error) {
		return match.KeyPresent(match.Path("content", o.RoomID, "m.read", o.User.UserID)),
			o.User.SendReceipt(ctx, o.RoomID, "m.read", o.EventID)
	}}
	Typing = EDU{"typing notifications", "m.typing", func(ctx context.Context, o Occasion) (match.Matcher, error) {
		return match.All(match.KeyEqual("content.room_id", o.RoomID), match.KeyEqual("content.user_id", o.User.UserID)),
			o.User.SetTyping(ctx, o.RoomID, 20_000)
	}}
	Presence = EDU{"presence updates", "m.presence", func(ctx context.Context, o Occasion) (match.Matcher, error) {
		// Other presence updates come of /sync alone.
		return match.Contains("content.push", match.All(match.KeyEqual("user_id", o.User.UserID), match.KeyEqual("status_msg", o.Word))),
			o.User.SetPresence(ctx, "unavailable", o.Word)
	}}
	ToDevice = EDU{"to-device messages", "m.direct_to_device", func(ctx context.Context, o Occasion) (match.Matcher, error) {
		messages := map[string]map[string]any{}
		for _, user := range o.Remotes {
			messages[user.ID()] = map[string]any{"*": map[string]any{"word": o.Word}}
		}
		ofUser := match.Contains("@this", match.KeyEqual("word", o.Word)) // whatever device it is for
		return match.All(match.KeyEqual("content.sender", o.User.UserID), match.Contains("content.messages", ofUser)),
			o.User.SendToDevice(ctx, ToDeviceType, messages)
	}}
	DeviceLists = EDU{"device list updates", "m.device_list_update", func(_ context.Context, o Occasion) (match.Matcher, error) {
		added := o.User.NewDevice()
		return match.All(match.KeyEqual("content.user_id", added.UserID), match.KeyEqual("content.device_id", added.DeviceID)), nil
	}}
)

// ToDeviceType is the type of the suite's messages to devices.
const ToDeviceType = "org.example.word"

// Arrives waits until a peer receives an EDU of the kind that matches.
func (e EDU) Arrives(at *stage.Peer, matches match.Matcher) error {
	ctx, cancel := at.Within()
	defer cancel()
	_, err := at.WaitForEDU(ctx, func(edu federation.EDU) bool { return e.isIn(edu, matches) })
	if err != nil {
		return fmt.Errorf("%s: %w", e.EduType, err)
	}
	return nil
}

// HasArrived reports whether a peer has received an EDU of the kind that matches.
func (e EDU) HasArrived(at *stage.Peer, matches match.Matcher) bool {
	for _, edu := range at.ReceivedEDUs() {
		if e.isIn(edu, matches) {
			return true
		}
	}
	return false
}

func (e EDU) isIn(edu federation.EDU, matches match.Matcher) bool {
	return edu.Type == e.EduType && matches(gjson.ParseBytes(edu.Raw)) == nil
}
