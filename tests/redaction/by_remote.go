package redaction

// Redactions of member events across servers.

import (
	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// What a redacted member event loses and keeps (MSC4014, Addressing the problems 3) is the same when a remote member redacts
// it, and when the redacted member is remote, and the only one of its server.
func init() {
	for _, each := range []struct {
		name               string
		byRemote, ofRemote bool
	}{
		{"a local user redacts the member event of a remote one", false, true},
		{"a remote user redacts the member event of a local one", true, false},
		{"a remote user redacts the member event of another remote one", true, true},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"redaction/by-remote"},
			Body: func(c *check.C) {
				s := openScene(c, each.byRemote, each.ofRemote)
				s.redacts(s.joins[0])
				c.UnderTest()
				s.settles()
				s.losesProfile()
				s.keepsUserID()
				s.keepsMembership()
				s.keepsRouting()
			},
		})
	}
}

// The same between two servers under test, as the clients of both are shown it: each redacts the other's member.
var _ = check.Register(check.Check{
	Name:       "members of two servers redact each other's member events",
	Requires:   []string{"redaction/by-remote"},
	TwoServers: true,
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.TwoServers)
		alice, bob := s.UserAt(1, "alice"), s.UserAt(2, "bob")
		alice.SetsDisplayName(maliciousName)
		bob.SetsDisplayName(maliciousName)
		roomID := alice.Makes(stage.Public)
		bob.Joins(roomID, s.ServerName(1))
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, bob.UserID, "join")
		power := alice.Blaming("client-view/power-levels-write").GivesPower(roomID, map[string]int{bob.UserID: 50})
		bob.Blaming("routing/reaches-members").AwaitsEvent(roomID, power)
		bob.Blaming("membership/join-remote").AwaitsMembership(roomID, alice.UserID, "join")
		joinOf := func(target, as *stage.User) string {
			named := match.All(match.Membership(target.UserID, "join"), match.KeyEqual("content.displayname", maliciousName))
			return as.Blaming("membership/profile-propagates").Awaits(roomID, named).Get("event_id").String()
		}
		alices, bobs := joinOf(alice, bob), joinOf(bob, alice)
		c.UnderTest()
		for _, each := range []struct {
			moderator, target *stage.User
			join              string
		}{{alice, bob, bobs}, {bob, alice, alices}} {
			redaction := each.moderator.Redacts(roomID, each.join)
			for _, user := range []*stage.User{alice, bob} {
				user.AwaitsRedaction(roomID, redaction)
				assertNoProfileInState(c, user, roomID, each.target.UserID)
				user.SeesMembers(roomID, alice.UserID, bob.UserID)
			}
		}
		alice.Hears(roomID, bob)
		bob.Hears(roomID, alice)
	},
})
