package signing

// Member events of every kind: a server may sign each in a place of its own.

import (
	"context"
	"errors"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// membershipChange is a room of Alice in which the membership of a subject changes, a user of the server or of a peer. A witness is in it.
type membershipChange struct {
	alice   *stage.User
	bob     *stage.User // the subject, if it is a user of the server
	subject string      // its user ID
	roomID  string
	ctx     context.Context
}

// membershipChanges are the kinds of member events that a server writes, joins apart.
var membershipChanges = []struct {
	what, membership, blame string
	own                     bool // by the subject itself
	outside                 bool // the subject is not in the room before
	does                    func(m membershipChange) error
}{
	{"a kick", "leave", "membership/kick", false, false, func(m membershipChange) error { return m.alice.Kick(m.ctx, m.roomID, m.subject, "") }},
	{"a ban", "ban", "membership/ban", false, false, func(m membershipChange) error { return m.alice.Ban(m.ctx, m.roomID, m.subject, "") }},
	{"the end of a ban", "leave", "membership/ban", false, false, func(m membershipChange) error {
		return errors.Join(m.alice.Ban(m.ctx, m.roomID, m.subject, ""), m.alice.Unban(m.ctx, m.roomID, m.subject))
	}},
	{"an invite", "invite", "membership/invite-local", false, true, func(m membershipChange) error { return m.alice.Invite(m.ctx, m.roomID, m.subject) }},
	{"a leave", "leave", "membership/leave", true, false, func(m membershipChange) error { return m.bob.LeaveRoom(m.ctx, m.roomID) }},
	{"a knock", "knock", "membership/knock", true, true, func(m membershipChange) error {
		_, err := m.alice.SendState(m.ctx, m.roomID, "m.room.join_rules", "", map[string]any{"join_rule": "knock"})
		if err == nil {
			_, err = m.bob.Knock(m.ctx, m.roomID, "")
		}
		return err
	}},
}

// Events are signed by the sender_key (MSC4014, Proposal 2), whatever they do to whose membership.
func init() {
	for _, each := range membershipChanges {
		for _, remote := range []bool{false, true} {
			if remote && each.own {
				continue
			}
			name, blame := each.what+" of a local user is signed by its sender key", each.blame
			if remote {
				name = each.what + " of a user of a peer is signed by its sender key"
				if each.outside {
					blame = "membership/invite-remote"
				}
			}
			if each.own {
				name = each.what + " is signed by its sender key"
			}
			check.Register(check.Check{
				Name:     name,
				Requires: []string{"signing/every-event-type"},
				Path:     each.membership,
				Body: func(c *check.C) {
					s := stage.Open(c, blueprints.OneServer)
					m := membershipChange{alice: s.User("alice"), ctx: c.Context()}
					m.roomID = m.alice.Makes(stage.Public)
					if remote {
						peer := s.Peer()
						guest := peer.User("guest")
						if m.subject = guest.ID(); !each.outside {
							peer.Joins(m.roomID, guest)
						}
					} else {
						m.bob = s.User("bob")
						if m.subject = m.bob.UserID; !each.outside {
							m.bob.Joins(m.roomID)
						}
					}
					witness := s.Peer()
					room := witness.Joins(m.roomID, witness.User("witness")).Blaming(blame)
					err := each.does(m)
					if each.membership == "knock" {
						s.NeedKnock(err)
					}
					c.Need(blame, err)
					event := room.Awaits(func(event federation.Event) error {
						if event.Type() == "m.room.member" && event.Membership() == each.membership {
							return nil
						}
						return errors.New("another event")
					})
					_, err = pseudoid.VerifySenderSignature(event.JSON(), event.Format())
					assert.NoError(c, err, "the signature of the sender key")
				},
			})
		}
	}
}
