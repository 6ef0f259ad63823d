package invite

// Invites that the invited user's key did not sign, delivered by other servers.

import (
	"fmt"

	"msc4014/blueprints"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
)

// The invited server signs the invite, too, so that the rest of the federation can be sure that it has it (MSC1228, Sending
// invites): an invite that the invited key did not sign is dropped.
func init() {
	for _, each := range []struct {
		name    string
		signers func(s delivery.Scene, invited federation.Signer) []federation.Signer
	}{
		{"an invite that the invited key did not sign", func(delivery.Scene, federation.Signer) []federation.Signer { return nil }},
		{"an invite that another key signed in place of the invited one", func(s delivery.Scene, _ federation.Signer) []federation.Signer {
			return []federation.Signer{s.Room.SignerOf(s.Dan.KeyIn(s.Room.ID()))}
		}},
		{"an invite with another key's signature in the invited one's name", func(s delivery.Scene, invited federation.Signer) []federation.Signer {
			invited.Key = s.Dan.KeyIn(s.Room.ID()).Private
			return []federation.Signer{invited}
		}},
	} {
		delivery.Register(blueprints.OneServer, []delivery.Forgery{{
			Requires: "invite/consent", Name: each.name, Kinds: []delivery.Kind{delivery.MemberState, delivery.PrivilegedState},
			Honest: func(s delivery.Scene, _ delivery.Honestly) federation.Template {
				return inviteOf(s, func(_ delivery.Scene, invited federation.Signer) []federation.Signer {
					return []federation.Signer{invited}
				})
			},
			Alter: func(s delivery.Scene, _ delivery.Honestly) federation.Template { return inviteOf(s, each.signers) },
		}})
	}
}

// inviteOf is an invite by Carol of another user of Origin, with that user's mapping, signed by Carol's key and by signers.
func inviteOf(s delivery.Scene, signers func(s delivery.Scene, invited federation.Signer) []federation.Signer) federation.Template {
	guest := s.Origin.User(fmt.Sprintf("guest-%d", len(s.Room.Events())))
	invite := s.Invite(s.Carol, guest)
	return invite.AlsoSignedBy(signers(s, invite.SignerOf(guest.KeyIn(s.Room.ID())))...)
}
