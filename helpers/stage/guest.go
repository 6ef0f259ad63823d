package stage

import (
	"fmt"

	"msc4014/helpers/federation"
)

// Guests returns users of a peer that no other call returned, for checks that let them join and write by themselves. It ends the check as
// unsupported if the peer cannot know how events of the candidate are written.
func (p *Peer) Guests(count int) (guests []*federation.User) {
	p.stage.speaks(ofJoins...)
	p.stage.mu.Lock()
	defer p.stage.mu.Unlock()
	for range count {
		p.stage.guests++
		guests = append(guests, p.User(fmt.Sprintf("guest%d", p.stage.guests)))
	}
	return guests
}
