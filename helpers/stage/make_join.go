package stage

import (
	"msc4014/helpers/federation"
)

// AsksToJoin asks the server under test for a join template for a user of the peer, listing the given room versions,
// or all that the peer takes part in. No answer at all ends the check.
func (p *Peer) AsksToJoin(roomID string, versions ...string) federation.Answer {
	ctx, cancel := p.Within()
	defer cancel()
	answer, err := p.MakeJoin(ctx, p.stage.ServerName(1), roomID, p.User("joiner").ID(), versions...)
	p.stage.C.Need("resilience/stays-up", err)
	return answer
}
