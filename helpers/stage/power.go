package stage

import (
	"errors"
	"fmt"

	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
)

// GivesPower adds users to the power levels of a room, and returns the ID of the event.
func (u *User) GivesPower(roomID string, power map[string]int) (eventID string) {
	c := u.stage.C
	levels, err := u.PowerLevels(c.Context(), roomID)
	u.need(err)
	content := csapi.Object(levels)
	users, _ := content["users"].(map[string]any)
	if users == nil {
		users = map[string]any{}
	}
	for userID, level := range power {
		users[userID] = level
	}
	content["users"] = users
	eventID, err = u.SendState(c.Context(), roomID, "m.room.power_levels", "", content)
	u.need(err)
	return eventID
}

// Redacts redacts an event and returns the redaction's ID. If the server refuses to redact a member event, the same is tried in an ordinary
// room (NeedsMembersRedacted).
func (u *User) Redacts(roomID, eventID string) (redactionID string) {
	ctx := u.stage.C.Context()
	redactionID, err := u.Redact(ctx, roomID, eventID, "")
	if csapi.Denied(err) {
		if event, err := u.Event(ctx, roomID, eventID); err == nil && event.Get("type").String() == "m.room.member" {
			u.NeedsMembersRedacted()
		}
	}
	u.need(err)
	return redactionID
}

// NeedsMembersRedacted ends the check as unsupported if a moderator is denied the redaction of another member's event in ordinary rooms of
// the server, too.
func (u *User) NeedsMembersRedacted() {
	c, roomID, member := u.stage.C, u.MakesOrdinary(Public), u.stage.User("member")
	member.JoinsOrdinary(roomID)
	state, err := u.State(c.Context(), roomID)
	c.Need(OrdinaryRooms, err)
	join := state.Get(fmt.Sprintf(`#(state_key==%q).event_id`, member.UserID)).String()
	if join == "" {
		c.Need(OrdinaryRooms, errors.New("the state of an ordinary room has no event of a member"))
	}
	_, err = u.Redact(c.Context(), roomID, join, "")
	if csapi.NoAnswer(err) {
		c.Need("resilience/stays-up", err)
	}
	if csapi.Denied(err) {
		c.Unsupported("clients cannot redact member events of ordinary rooms of the server either: %v", err)
	}
	c.Need(OrdinaryRooms, err)
}

// Redacts lets a user of the peer redact an event, and sends the redaction to every server in the room, which may refuse it.
func (r *Room) Redacts(user *federation.User, eventID string) federation.Event {
	redaction := r.Builds(federation.Proto{Type: "m.room.redaction", Sender: user, Redacts: eventID})
	r.Tells(redaction)
	return redaction
}

// Tells applies an event of the peer and sends it to every server in the room. It notes refusals.
func (r *Room) Tells(event federation.Event) {
	ctx, cancel := r.stage.C.Within(Patience)
	defer cancel()
	if err := r.Send(ctx, event); err != nil {
		r.stage.C.Notef("%v", err)
	}
}
