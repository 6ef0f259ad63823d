package redaction

// What moderators do to members whose member event was redacted: they name them by user ID, as ever.

import (
	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/scenes"
)

// The redaction of a malicious name does not take the user ID away (MSC4014, Addressing the problems 3), and clients act upon members
// by user ID (hard requirement 1): a member whose event was redacted can be kicked and banned.
func init() {
	for _, target := range []struct {
		what, requirement string
		isRemote          bool
	}{
		{"local", "redaction/mapping-stays", false},
		{"remote", "redaction/by-remote", true},
	} {
		for _, act := range []struct{ does, membership string }{{"kicked", "leave"}, {"banned", "ban"}} {
			check.Register(check.Check{
				Name:     "a " + target.what + " member whose event was redacted is " + act.does,
				Requires: []string{target.requirement},
				Path:     "client",
				Body: func(c *check.C) {
					s := openScene(c, false, target.isRemote)
					s.removes(act.membership, s.bystander(target.isRemote))
					s.redacts(s.joins[0])
					c.UnderTest()
					s.settles()
					s.removes(act.membership, s.target.ID())
					if s.home != nil {
						target := s.target.(remote)
						s.home.Awaits(scenes.MemberByKey(target.SenderIn(s.home.Room), act.membership))
					}
				},
			})
		}
	}
}

// bystander is another member, local or remote, whose member event is not redacted.
func (s *scene) bystander(isRemote bool) (userID string) {
	if !isRemote {
		user := s.User("bystander")
		user.Joins(s.roomID)
		return user.UserID
	}
	peer := s.Peer()
	user := peer.User("bystander")
	peer.Joins(s.roomID, user)
	return user.ID()
}

// removes lets Alice kick or ban a member by user ID, and ensures that clients see it.
func (s *scene) removes(membership, userID string) {
	alice := s.alice.Blaming("membership/kick")
	if membership == "ban" {
		alice = s.alice.Blaming("membership/ban")
		alice.Bans(s.roomID, userID)
	} else {
		alice.Kicks(s.roomID, userID)
	}
	alice.AwaitsMembership(s.roomID, userID, membership)
	joined, err := alice.JoinedMembers(s.C.Context(), s.roomID)
	s.C.Need("client-view/unmodified-client", err)
	if joined.Get("joined." + gjson.Escape(userID)).Exists() {
		s.C.Errorf("/joined_members still has %s, who was removed (%s)", userID, membership)
	}
}
