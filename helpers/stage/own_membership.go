package stage

// What a user's own /sync shows of its membership.

import (
	"fmt"

	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
)

// sectionOf returns the section of /sync for the rooms of a membership (client-server API, Syncing).
func sectionOf(membership string) string {
	if membership == "ban" {
		return "leave"
	}
	return membership
}

// AwaitsOwn polls /sync from a token until it shows a room in the section of a membership, with the user's own member event, which it
// returns.
func (u *User) AwaitsOwn(since, roomID, membership string) (own gjson.Result) {
	section := sectionOf(membership)
	u.AwaitsSync(since, func(answer *csapi.Response) error {
		if err := showsRoom(answer, section, roomID); err != nil {
			return err
		}
		for _, event := range csapi.EventsIn(answer, roomID) {
			if match.Membership(u.UserID, membership)(event) == nil {
				own = event
			}
		}
		if !own.Exists() {
			return fmt.Errorf("/sync shows %s a room under rooms.%s, without the user's member event (%s)", u.UserID, section, membership)
		}
		return nil
	})
	return own
}

// AwaitsRoomIn polls /sync from a token until it shows a room in a section: "join", "invite", "knock" or "leave".
func (u *User) AwaitsRoomIn(since, section, roomID string) {
	u.need(u.SeesRoomIn(since, section, roomID))
}

// SeesRoomIn is AwaitsRoomIn for positive controls: it returns an error if the room does not come.
func (u *User) SeesRoomIn(since, section, roomID string) error {
	return u.SeesInSync(since, func(answer *csapi.Response) error { return showsRoom(answer, section, roomID) })
}

func showsRoom(answer *csapi.Response, section, roomID string) error {
	if !answer.Get("rooms." + section + "." + gjson.Escape(roomID)).Exists() {
		return fmt.Errorf("/sync does not show the room under rooms.%s", section)
	}
	return nil
}

// AwaitsNot polls initial syncs until none shows a room in a section any more.
func (u *User) AwaitsNot(section, roomID string) {
	u.need(u.SeesNot(section, roomID))
}

// SeesNot is AwaitsNot for positive controls: it returns an error if the room stays.
func (u *User) SeesNot(section, roomID string) error {
	ctx, cancel := u.stage.C.Within(Patience)
	defer cancel()
	for u.FindsRoomIn(roomID) == section {
		if ctx.Err() != nil {
			return fmt.Errorf("an initial /sync still shows %s the room under rooms.%s: %w", u.UserID, section, ctx.Err())
		}
	}
	return nil
}

// FindsRoomIn returns the section of an initial /sync that shows a room, those that the user has left among them, or "".
func (u *User) FindsRoomIn(roomID string) (section string) {
	answer, err := u.Sync(u.stage.C.Context(), "", 0, `{"room":{"include_leave":true}}`)
	u.stage.C.Need("client-view/unmodified-client", err)
	for _, section := range []string{"join", "invite", "knock", "leave"} {
		if showsRoom(answer, section, roomID) == nil {
			return section
		}
	}
	return ""
}
