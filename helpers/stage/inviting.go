package stage

import (
	"fmt"

	"msc4014/helpers/federation"
)

// InvitesUser lets a user of the peer invite one of the server under test, and delivers the completed invite with the signatures of
// both.
func (r *Room) InvitesUser(inviter *federation.User, userID string) federation.Event {
	event, err := r.TriesToInvite(inviter, userID)
	r.stage.C.Need("membership/invite-from-remote", err)
	return event
}

// TriesToInvite is InvitesUser for invites that may be refused.
func (r *Room) TriesToInvite(inviter *federation.User, userID string) (federation.Event, error) {
	ctx, cancel := r.stage.C.Within(Patience)
	defer cancel()
	completed, answer, err := r.Invite(ctx, r.server, inviter, userID)
	if err == nil && completed.IsZero() {
		err = fmt.Errorf("the server does not complete the invite of a peer: %s", answer)
	}
	if err != nil {
		return completed, err
	}
	signed, err := r.SignerOf(inviter.KeyIn(r.ID())).Sign(completed.JSON(), completed.Format())
	if err != nil {
		return completed, fmt.Errorf("the completed invite cannot be signed by the inviter: %w", err)
	}
	event := federation.NewEvent(signed, completed.Format())
	r.Delivers(event)
	return event, nil
}
