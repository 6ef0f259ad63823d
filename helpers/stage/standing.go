package stage

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
)

// Standing is what clients see of one user ID in a room. Forged events of others must not change it.
type Standing struct {
	UserID string
	// Events lists the user's member events in the room's state; "" for none.
	Events string
	// Profile is the user's entry in /joined_members; "" for none.
	Profile string
	// Power is the user's entry in the power levels; "" for none.
	Power string
}

// Standing returns what the client sees of a user ID in a room.
func (u *User) Standing(roomID, userID string) Standing {
	standing, err := u.standing(roomID, userID)
	u.stage.C.Need("client-view/unmodified-client", err)
	return standing
}

func (u *User) standing(roomID, userID string) (Standing, error) {
	c, standing := u.stage.C, Standing{UserID: userID}
	state, err := u.State(c.Context(), roomID)
	if err != nil {
		return standing, err
	}
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
	if err != nil {
		return standing, err
	}
	standing.Profile = joined.Get("joined." + gjson.Escape(userID)).Raw
	return standing, nil
}

// Stands ensures that the standing of a user has not changed, and that clients can still see it.
func (u *User) Stands(roomID string, before Standing) {
	now, err := u.standing(roomID, before.UserID)
	u.need(err)
	for _, part := range []struct{ what, before, now string }{
		{"member event", before.Events, now.Events}, {"profile", before.Profile, now.Profile}, {"power", before.Power, now.Power},
	} {
		if part.before != part.now {
			u.stage.C.Errorf("the %s of %s changed: it was %q and is %q", part.what, before.UserID, part.before, part.now)
		}
	}
}

// SendersStand ensures that views of a room have the right sender for each event, and the right state key for each member event. keys
// are the user IDs by sender key; other keys are ignored.
func (s *Stage) SendersStand(views []View, room *Room, keys map[string]string) {
	for _, wrong := range Misnamed(views, room, keys) {
		s.C.Errorf("%s", wrong)
	}
}

// Misnamed says which events have a wrong sender in views of a room, or a wrong state key if they are member events. keys are the user
// IDs by sender key; other keys are ignored.
func Misnamed(views []View, room *Room, keys map[string]string) (wrong []string) {
	reported := map[string]bool{}
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
				if owner := keys[key]; owner != "" && name != owner && !reported[name+owner] {
					reported[name+owner] = true
					wrong = append(wrong, fmt.Sprintf("events of the key of %s are shown as those of %q, in %s", owner, name, view.Name))
				}
			}
		}
	}
	return wrong
}

// MembersStand ensures that the views which list the members of a room show honest ones as joined, by user ID: /members, /state and
// /joined_members. What others forge must not take them away. Views that are refused are judged by Views.
func (s *Stage) MembersStand(views []View, userIDs ...string) {
	for _, view := range views {
		missing := slices.DeleteFunc(slices.Clone(userIDs), view.HasMember)
		if view.ListsMembers() && len(missing) > 0 {
			s.C.Errorf("%s does not show honest members any more: %s", view.Name, strings.Join(missing, ", "))
		}
	}
}

// SeesNothingOf ensures that a user's client is given /sync, and sees nothing of a room, neither there nor in /messages. It needs a
// positive control and a barrier before it.
func (u *User) SeesNothingOf(roomID string) {
	c := u.stage.C
	c.NeedControl()
	synced, err := u.Sync(c.Context(), "", 0, "")
	u.need(err)
	for _, section := range []string{"join", "invite", "knock", "leave"} {
		if synced.Get("rooms." + section + "." + gjson.Escape(roomID)).Exists() {
			c.Errorf("/sync shows the room to %s, which is not in it, under %q", u.UserID, section)
		}
	}
	if shown, err := u.Messages(c.Context(), roomID, "", "b", 1); err == nil && len(shown.Get("chunk").Array()) > 0 {
		c.Errorf("/messages shows the room to %s, which is not in it", u.UserID)
	}
}
