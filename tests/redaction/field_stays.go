package redaction

// The mapping in a redacted member event, as clients are served it.

import (
	"errors"
	"maps"
	"slices"

	"msc4014/helpers/check"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// Redacting a member event because of a malicious name should not remove its mapping (MSC4014, Addressing the problems 3): who
// was served it before is served it afterwards, whoever redacted.
func init() {
	for _, each := range []struct {
		name, path         string
		byRemote, ofRemote bool
	}{
		{"a local member's event keeps its mapping when a local user redacts it", "client", false, false},
		{"a remote member's event keeps its mapping when a local user redacts it", "client", false, true},
		{"a local member's event keeps its mapping when a remote user redacts it", "send", true, false},
		{"a remote member's event keeps its mapping when a remote user redacts it", "send", true, true},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"redaction/mapping-field-stays"},
			Path:     each.path,
			Body: func(c *check.C) {
				s := openScene(c, each.byRemote, each.ofRemote)
				before := s.mappingsIn(append(s.alice.LooksBefore(s.roomID), s.alice.LooksCloserBefore(s.roomID, s.joins[0])...))
				if len(before) == 0 {
					c.Unsupported("the server serves clients no mapping of a member event that is not redacted either")
				}
				s.redacts(s.joins[0])
				s.settles()
				s.isRedacted(each.byRemote)
				c.UnderTest()
				closer, lost := s.alice.LooksCloser(s.roomID, s.joins[0])
				for _, each := range lost {
					c.Errorf("%s", each)
				}
				after := s.mappingsIn(append(s.alice.Views(s.roomID), closer...))
				for _, view := range slices.Sorted(maps.Keys(before)) {
					if after[view] != before[view] {
						c.Errorf("%s served the member event with a mapping to %s, and after its redaction with one to %q", view, before[view], after[view])
					}
				}
			},
		})
	}
}

// mappingsIn are the user IDs in the mapping of the target's member event, by the name of each view that shows the event with one.
func (s *scene) mappingsIn(views []stage.View) map[string]string {
	shown := map[string]string{}
	for _, view := range views {
		for _, event := range scenes.EventsOf(view, s.joins[0]) {
			if userID := event.Get("content." + pseudoid.MappingField + ".user_id").String(); userID != "" {
				shown[view.Name] = userID
			}
		}
	}
	return shown
}

// isRedacted ensures that the redaction took effect at all.
func (s *scene) isRedacted(byRemote bool) {
	content := s.alice.Reads(s.roomID, s.joins[0]).Get("content")
	if content.Get("displayname").String() == "" {
		return
	}
	err := errors.New("the redacted member event still has a display name: " + content.Raw)
	if byRemote {
		s.C.Need("redaction/by-remote", err)
	}
	s.C.Need("redaction/displayname-goes", err)
}
