package redaction

// Where clients may still see a display name or avatar that a redaction took away: in the event itself, in what a later member event replaced,
// and in what describes the member beside its messages.

import (
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/stage"
)

// profileField is a field of a profile that a redaction takes away.
type profileField struct{ name, value string }

var (
	displayName = profileField{"display name", maliciousName}
	avatar      = profileField{"avatar", maliciousAvatar}
)

// areGone ensures that a client sees fields of a redacted profile nowhere in a room: in no view of the room or of one of the events, and
// not when it searches for a message of the member. A server need not have a search.
func areGone(c *check.C, user *stage.User, roomID, message string, fields []profileField, eventIDs ...string) {
	isGone := func(where string, shown gjson.Result) {
		for _, field := range fields {
			if strings.Contains(shown.Raw, field.value) {
				c.Errorf("%s still shows the redacted %s: %s", where, field.name, shown.Raw)
			}
		}
	}
	closer, lost := user.LooksCloser(roomID, eventIDs...)
	for _, each := range lost {
		c.Errorf("%s", each)
	}
	for _, view := range append(user.Views(roomID), closer...) {
		for _, event := range view.Events {
			isGone(view.Name, event)
		}
	}
	joined, err := user.JoinedMembers(c.Context(), roomID)
	c.Must(err)
	isGone("/joined_members", joined.JSON())
	found, err := user.Search(c.Context(), roomID, message)
	switch {
	case csapi.NoAnswer(err):
		c.Need("resilience/stays-up", err)
	case err != nil:
		c.Notef("/search was refused: %v", err)
	default:
		isGone("/search", found.JSON())
	}
}

// A member event that replaces another one is shown with the content of that one (client-server API, prev_content), whose display
// name and avatar are gone all the same once it is redacted (MSC4014, Addressing the problems 3).
func init() {
	for _, each := range []struct {
		name, requirement  string
		byRemote, ofRemote bool
	}{
		{"a redacted display name is not in what replaced it", "redaction/displayname-goes", false, false},
		{"a remote member's redacted display name is not in what replaced it", "redaction/by-remote", false, true},
		{"a display name that a remote user redacted is not in what replaced it", "redaction/by-remote", true, false},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{each.requirement},
			Body: func(c *check.C) {
				s := openScene(c, each.byRemote, each.ofRemote)
				s.renames("another name")
				s.redacts(s.joins[0])
				c.UnderTest()
				s.settles()
				// What replaced it may have the avatar still.
				areGone(c, s.alice, s.roomID, earlierText, []profileField{displayName}, s.joins...)
			},
		})
	}
}
