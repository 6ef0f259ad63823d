package routing

// Invites go to the server of the invited user.

import (
	"slices"

	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// An invite by user ID reaches that user's server, and no other one (MSC1228, Sending invites).
var _ = check.Register(check.Check{
	Name:     "an invite reaches the invited user's server",
	Requires: []string{"routing/invite-reaches-server"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		invited, other := s.Peer(), s.Peer()
		bob := invited.User("bob")
		other.User("bob") // of the same name, on another server
		c.Must(s.Alice.Invite(c.Context(), s.Room.ID(), bob.ID()))
		// The path of an invite has the user ID, as the partial event names no key yet.
		invites := func(request federation.Request, user *federation.User) bool {
			return request.Endpoint == federation.Invite && slices.Contains(request.Parameters, user.ID())
		}
		reaches := func(peer *stage.Peer, user *federation.User) {
			ctx, cancel := peer.Within()
			defer cancel()
			_, err := peer.WaitForRequest(ctx, func(request federation.Request) bool { return invites(request, user) })
			c.Must(err)
		}
		reaches(invited, bob)
		for _, peer := range []*stage.Peer{other, s.Witness} {
			guest := peer.User("guest") // an invite that must come here, after the one that must not
			c.Must(s.Alice.Invite(c.Context(), s.Room.ID(), guest.ID()))
			reaches(peer, guest)
			for _, request := range peer.Requests() {
				if request.Endpoint == federation.Invite && !invites(request, guest) {
					c.Errorf("another server than the invited user's was sent the invite: %s", request.String())
				}
			}
		}
	},
})
