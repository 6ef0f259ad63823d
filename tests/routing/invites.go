package routing

// Invites go to the server of the invited user.

import (
	"slices"
	"strings"

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
		ctx, cancel := invited.Within()
		defer cancel()
		_, err := invited.WaitForRequest(ctx, func(request federation.Request) bool {
			return request.Endpoint == federation.Invite &&
				(slices.Contains(request.Parameters, bob.ID()) || strings.Contains(string(request.Body), s.Room.ID()))
		})
		c.Must(err)
		for _, peer := range []*stage.Peer{other, s.Witness} {
			for _, request := range peer.Requests() {
				if request.Endpoint == federation.Invite {
					c.Errorf("another server than the invited user's was sent the invite: %s", request.String())
				}
			}
		}
	},
})
