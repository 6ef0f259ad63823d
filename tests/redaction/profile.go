package redaction

// Where clients may still see a display name that a redaction took away: in the event itself, in what a later member event replaced,
// and in what describes the member beside its messages.

import (
	"strings"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/stage"
)

// nameIsGone ensures that a client sees the malicious name nowhere in a room: in no view of the room or of one of the events, and not
// when it searches for a message of the member. A server need not have a search.
func nameIsGone(c *check.C, user *stage.User, roomID, message string, eventIDs ...string) {
	closer, lost := user.LooksCloser(roomID, eventIDs...)
	for _, each := range lost {
		c.Errorf("%s", each)
	}
	for _, view := range append(user.Views(roomID), closer...) {
		for _, event := range view.Events {
			if strings.Contains(event.Raw, maliciousName) {
				c.Errorf("%s still shows the redacted display name, in an event of type %s: %s", view.Name, event.Get("type").String(), event.Raw)
			}
		}
	}
	joined, err := user.JoinedMembers(c.Context(), roomID)
	c.Must(err)
	if strings.Contains(joined.JSON().Raw, maliciousName) {
		c.Errorf("/joined_members still shows the redacted display name: %s", joined.JSON().Raw)
	}
	found, err := user.Search(c.Context(), roomID, message)
	switch {
	case csapi.NoAnswer(err):
		c.Need("resilience/stays-up", err)
	case err != nil:
		c.Notef("/search was refused: %v", err)
	case strings.Contains(found.JSON().Raw, maliciousName):
		c.Errorf("/search still shows the redacted display name: %s", found.JSON().Raw)
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
				s.moderator.redacts(s.joins[0])
				c.UnderTest()
				s.settles()
				nameIsGone(c, s.alice, s.roomID, earlierText, s.joins...)
			},
		})
	}
}
