package stage

import (
	"strings"

	"github.com/tidwall/gjson"
)

// Standing is what clients are shown of one user ID in a room. No lie of another may change it.
type Standing struct {
	UserID string
	// Events are the user's member events in the room's state, "" for none.
	Events string
	// Profile is what /joined_members has of the user, "" for no member.
	Profile string
	// Power is what the power levels name for the user ID, "" for nothing.
	Power string
}

// Standing looks at a user ID in a room: its member event, its entry among the joined members, its power.
func (u *User) Standing(roomID, userID string) Standing {
	c, standing := u.stage.C, Standing{UserID: userID}
	state, err := u.State(c.Context(), roomID)
	c.Need("client-view/unmodified-client", err)
	var members []string
	for _, event := range state.JSON().Array() {
		switch event.Get("type").String() {
		case "m.room.member":
			if event.Get("state_key").String() == userID {
				members = append(members, event.Get("content.membership").String()+" "+event.Get("event_id").String())
			}
		case "m.room.power_levels":
			standing.Power = event.Get("content.users." + gjson.Escape(userID)).Raw
		}
	}
	standing.Events = strings.Join(members, ", ")
	joined, err := u.JoinedMembers(c.Context(), roomID)
	c.Need("client-view/unmodified-client", err)
	standing.Profile = joined.Get("joined." + gjson.Escape(userID)).Raw
	return standing
}

// Stands sees to it that a user is in the room what it was before.
func (u *User) Stands(roomID string, before Standing) {
	now := u.Standing(roomID, before.UserID)
	for _, part := range []struct{ what, before, now string }{
		{"member event", before.Events, now.Events}, {"profile", before.Profile, now.Profile}, {"power", before.Power, now.Power},
	} {
		if part.before != part.now {
			u.stage.C.Errorf("the %s of %s changed: it was %q and is %q", part.what, before.UserID, part.before, part.now)
		}
	}
}

// SendersStand sees to it that views of a room show events by those who sent them, and member events by those whom they are
// about: keys says which user each sender key is. Other keys are not looked at.
func (s *Stage) SendersStand(views []View, room *Room, keys map[string]string) {
	told := map[string]bool{}
	for _, view := range views {
		for _, shown := range view.Events {
			event, known := room.Event(shown.Get("event_id").String())
			if !known {
				continue
			}
			names := map[string]string{event.Sender(): shown.Get("sender").String()}
			if stateKey, _ := event.StateKey(); event.Type() == "m.room.member" {
				names[stateKey] = shown.Get("state_key").String()
			}
			for key, name := range names {
				if owner := keys[key]; owner != "" && name != owner && !told[name+owner] {
					told[name+owner] = true
					s.C.Errorf("events of the key of %s are shown as those of %q, in %s", owner, name, view.Name)
				}
			}
		}
	}
}

// SeesNothingOf sees to it that a user's client is shown nothing of a room: neither by /sync nor by /messages. It needs a
// positive control, and a barrier before it.
func (u *User) SeesNothingOf(roomID string) {
	c := u.stage.C
	c.NeedControl()
	synced, err := u.Sync(c.Context(), "", 0, "")
	c.Need("client-view/unmodified-client", err)
	for _, section := range []string{"join", "invite", "knock", "leave"} {
		if synced.Get("rooms." + section + "." + gjson.Escape(roomID)).Exists() {
			c.Errorf("%s, who is not in the room, is told of it by /sync, as one of %q", u.UserID, section)
		}
	}
	if shown, err := u.Messages(c.Context(), roomID, "", "b", 1); err == nil && len(shown.Get("chunk").Array()) > 0 {
		c.Errorf("%s, who is not in the room, is shown its messages", u.UserID)
	}
}
