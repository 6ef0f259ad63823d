package membership

// Users without the power to change the membership of others: they are refused, and nothing changes.

import (
	"github.com/stretchr/testify/assert"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
)

// power is an act that takes power, and what it comes to.
type power struct {
	requirement, does  string
	membership, before string // of the target, afterwards and before
	act                act
}

var powers = []power{
	{"membership/kick", "kick", "leave", "join", kicking},
	{"membership/ban", "ban", "ban", "join", banning},
	{"membership/unban", "unban", "leave", "ban", unbanning},
}

func init() {
	for _, each := range powers {
		for _, target := range []struct {
			what     string
			isRemote bool
		}{{"a local user", false}, {"a user of a peer", true}} {
			// Who may is for the power levels to say, which clients read and write by user ID (client-server API, Room membership;
			// authorisation rules, m.room.member).
			check.Register(check.Check{
				Name:     "a member without power does not " + each.does + " " + target.what,
				Requires: []string{each.requirement},
				Path:     "client, without power",
				Body:     func(c *check.C) { each.isRefused(c, target.isRemote, 0) },
			})
		}
	}
	for _, each := range powers[:2] {
		// Nor does power suffice over somebody who has as much.
		check.Register(check.Check{
			Name:     "a moderator does not " + each.does + " another one",
			Requires: []string{each.requirement},
			Path:     "client, with the same power",
			Body:     func(c *check.C) { each.isRefused(c, false, 50) },
		})
	}
	for _, target := range []struct {
		what, requirement string
		isRemote          bool
	}{{"a local user", "membership/invite-local", false}, {"a user of a peer", "membership/invite-remote", true}} {
		check.Register(check.Check{
			Name:     "a member without power does not invite " + target.what,
			Requires: []string{target.requirement},
			Path:     "client, without power",
			Body: func(c *check.C) {
				power{target.requirement, "invite", "invite", "", inviting}.isRefused(c, target.isRemote, 0)
			},
		})
	}
}

// isRefused has Bob, who has the given power, act upon a user who has as much. The control is what Alice does to another one.
func (p power) isRefused(c *check.C, isRemote bool, level int) {
	m := openMeeting(c)
	bob, _ := m.joined("bob", false)
	other, target := m.target("other", isRemote, p), m.target("target", isRemote, p)
	m.setsPower(map[string]int{bob.id: level, target.id: level})
	before := m.alice.Standing(m.room.ID(), target.id)
	assert.Equal(c, p.before, m.membership(target.id), "the membership before")
	c.Control(p.act(m.alice, c.Context(), m.room.ID(), other.id))
	_, err := m.alice.SeesMembership(m.room.ID(), other.id, p.membership)
	c.Control(err)

	c.UnderTest()
	c.Notef("the request of a member without power was answered with %v", p.act(bob.local, c.Context(), m.room.ID(), target.id))
	barrier := bob.local.Says(m.room.ID(), "said after the refusal")
	m.alice.AwaitsEvent(m.room.ID(), barrier)
	m.room.AwaitsEvent(barrier)
	m.alice.Stands(m.room.ID(), before)
	for _, arrival := range m.peer.Received() {
		event := arrival.Event
		if arrival.Via == federation.Send && event.Type() == "m.room.member" && event.RoomID() == m.room.ID() && event.Membership() == p.membership &&
			m.room.UserIDOf(event.Sender()) == bob.id {
			c.Errorf("a peer was sent a member event (%s) of a member without the power for that", p.membership)
		}
	}
}

// target is a user whom the act is for.
func (m meeting) target(name string, isRemote bool, p power) party {
	if p.before == "" {
		return m.party(name, isRemote)
	}
	user, key := m.joined(name, isRemote)
	if p.before == "ban" {
		m.alice.Bans(m.room.ID(), user.id)
		m.room.Blaming("membership/ban").Awaits(scenes.MemberByKey(key, "ban"))
	}
	return user
}

// setsPower gives users power, and leaves kicks and invites to moderators.
func (m meeting) setsPower(users map[string]int) {
	levels, err := m.alice.PowerLevels(m.C.Context(), m.room.ID())
	m.C.Need("client-view/power-levels-read", err)
	content := csapi.Object(levels)
	given, _ := content["users"].(map[string]any)
	if given == nil { // rooms of version 12 need not name anybody
		given = map[string]any{}
	}
	for userID, level := range users {
		if level > 0 {
			given[userID] = level
		}
	}
	content["users"], content["invite"], content["kick"], content["ban"] = given, 50, 50, 50
	_, err = m.alice.SendState(m.C.Context(), m.room.ID(), "m.room.power_levels", "", content)
	m.C.Need("client-view/power-levels-write", err)
}
