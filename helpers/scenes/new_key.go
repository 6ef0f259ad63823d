package scenes

import (
	"net/http"

	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// AwaitsNewKey asks for a join template of a public room of the server under test, in the name of a user of the peer, until the server
// accepts the peer's new server key: servers need not ask for keys at every request that they cannot verify. pace is called
// before each further attempt. It returns the last answer if none was accepted.
func AwaitsNewKey(s *stage.Stage, peer *stage.Peer, roomID string, user *federation.User, pace func()) (refusal string) {
	ctx, cancel := s.C.Within(stage.Patience)
	defer cancel()
	for {
		answer, err := peer.MakeJoin(ctx, s.ServerName(1), roomID, user.ID())
		if refusal != "" && ctx.Err() != nil {
			return refusal
		}
		s.C.Need("resilience/stays-up", err)
		if answer.Status != http.StatusUnauthorized && answer.Status != http.StatusForbidden {
			return ""
		}
		refusal = answer.String()
		pace()
	}
}
