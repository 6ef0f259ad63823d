package unverified

// What clients do to a member who cannot be verified.

import (
	"context"
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// shownMember is a member who cannot be verified, in a room of Alice, and the user ID by which clients see it.
type shownMember struct {
	*scene
	meeting
	placeholder, key string
}

// Clients MUST work without any changes (hard requirement 1), and see a fake user ID in place of one that cannot be verified
// (MSC4014, Changes from MSC1228 6): what they do to members they do to it.
func init() {
	for _, each := range []struct {
		name  string
		judge func(m shownMember)
	}{
		{"a member who cannot be verified is kicked by its placeholder", func(m shownMember) { m.isRemoved("leave", (*csapi.Client).Kick) }},
		{"a member who cannot be verified is banned by its placeholder", func(m shownMember) { m.isRemoved("ban", (*csapi.Client).Ban) }},
		{"an event of a member who cannot be verified is redacted", shownMember.isRedacted},
		{"the power of a member who cannot be verified is read and written by its placeholder", shownMember.hasPower},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"unverified/acted-upon"},
			Path:     "client",
			Body: func(c *check.C) {
				s := openScene(stage.Open(c, blueprints.OneServer), closesConnections)
				met := s.introduces()
				c.Need("unverified/event-accepted", met.refused)
				m := shownMember{scene: s, meeting: met, key: met.Join.Sender()}
				m.placeholder = shownAs(s.views(met.Introduction), met.Said.ID(), "sender")
				c.Need("unverified/placeholder", isPlaceholder(s.unverified.ID(), s.ServerName(1))(m.placeholder))
				m.empowersAlice()
				each.judge(m)
			},
		})
	}
}

// empowersAlice gives Alice all power in a room that she entered when the member was in it: that is Carol's.
func (m shownMember) empowersAlice() {
	if !m.along.Enters {
		return
	}
	room := m.Introduction.Room
	levels := room.Builds(federation.Proto{
		Type: "m.room.power_levels", StateKey: federation.StateKey(""), Sender: m.Carol, Content: map[string]any{
			"users": map[string]int{m.Carol.SenderIn(room.Room): 100, room.MemberOf(m.Alice.UserID).Sender(): 100},
		},
	})
	room.Delivers(levels)
	m.Alice.Blaming("membership/join-remote").AwaitsEvent(room.ID(), levels.ID())
}

// isRemoved lets Alice end the membership of the placeholder: the event is of the member's key, and clients see its membership
// change.
func (m shownMember) isRemoved(membership string, remove func(u *csapi.Client, ctx context.Context, roomID, userID, reason string) error) {
	if err := remove(m.Alice.Client, m.C.Context(), m.Introduction.Room.ID(), m.placeholder, ""); err != nil {
		m.C.Failf("a client that acts on the placeholder is refused: %v", err)
	}
	m.Introduction.Room.Awaits(scenes.MemberByKey(m.key, membership))
	m.Alice.AwaitsMembership(m.Introduction.Room.ID(), m.placeholder, membership)
}

// isRedacted lets Alice redact the member's message.
func (m shownMember) isRedacted() {
	roomID, said := m.Introduction.Room.ID(), m.Said.ID()
	redaction, err := m.Alice.Redact(m.C.Context(), roomID, said, "")
	if err != nil {
		m.C.Failf("a client that redacts an event of the placeholder is refused: %v", err)
	}
	m.Alice.AwaitsRedaction(roomID, redaction)
	if content := m.Alice.Reads(roomID, said).Get("content"); content.Get("body").Exists() {
		m.C.Errorf("the redacted message of the placeholder is still shown: %s", content.Raw)
	}
	m.Introduction.Room.AwaitsEvent(redaction)
}

// hasPower lets Alice give the placeholder power, read it, and write back what she read with something else changed: on the wire
// it is the member's key that has it.
func (m shownMember) hasPower() {
	roomID := m.Introduction.Room.ID()
	const power = 40
	for _, each := range []struct {
		what   string
		change func(content map[string]any)
	}{
		{"power levels with the placeholder", func(content map[string]any) {
			users, _ := content["users"].(map[string]any)
			if users == nil {
				m.C.Failf("the power levels that clients are shown name no users: %v", content)
			}
			users[m.placeholder] = power
		}},
		{"power levels written back", func(content map[string]any) { content["ban"] = 60 }},
	} {
		levels, err := m.Alice.PowerLevels(m.C.Context(), roomID)
		m.C.Must(err)
		content := csapi.Object(levels)
		each.change(content)
		eventID, err := m.Alice.SendState(m.C.Context(), roomID, "m.room.power_levels", "", content)
		if err != nil {
			m.C.Failf("a client that writes %s is refused: %v", each.what, err)
		}
		sent := m.Introduction.Room.AwaitsEvent(eventID)
		assert.EqualValues(m.C, power, sent.Get("content.users."+gjson.Escape(m.key)).Int(), "the power of the member's key on the wire, in "+each.what)
		shown, err := m.Alice.PowerLevels(m.C.Context(), roomID)
		m.C.Must(err)
		assert.EqualValues(m.C, power, shown.Get("users."+gjson.Escape(m.placeholder)).Int(), fmt.Sprintf("the power of the placeholder that clients read, in %s", each.what))
	}
}
