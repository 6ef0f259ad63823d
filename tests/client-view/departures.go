package clientview

// The end of the preparation: who leaves the room, is redacted, invited, or knocks.

import (
	"cmp"
	"fmt"

	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// unverifiedJoins adds a member whose server does not answer. Whether another server may send its join is open
// (mapping/delivered-by-third-server), so that the server under test asks Carol's for it, to fill a gap. An honest member comes so first,
// and both to rooms of their own: where a server refuses an event in a gap, it may lose all that comes after it.
func (p *preparing) unverifiedJoins() {
	scene := delivery.Scene{
		Stage: p.Stage, Alice: p.alice, Origin: p.witness, Carol: p.carol, Patience: stage.Patience, Deadline: stage.Patience,
	}
	if _, err := delivery.GetMissingEvents.Introduce(scene, p.Peer().User("dave")); err != nil {
		p.isWithout(unverified, absence{err: fmt.Errorf("a member of an honest server, in a gap: %w", err)})
		return
	}
	gone := p.Peer()
	user := gone.User("erin")
	gone.PlayDead(federation.DeadRefusing)
	p.tries(unverified, "unverified/event-accepted", func() error {
		if _, err := delivery.GetMissingEvents.Introduce(scene, user); err != nil {
			return err
		}
		p.room.Apply(p.room.BuildsMember(user, "join"))
		said := p.room.AppliesText(user, greeting+" from "+unverified)
		after := p.room.AppliesText(p.carol, "said after a gap")
		_, err := p.room.Pushes(after)
		p.C.Need("resilience/stays-up", err)
		for _, event := range []federation.Event{said, after} {
			// The room cannot go on without them.
			p.C.Need("unverified/event-accepted", p.shows(match.EventID(event.ID())))
		}
		begins, ends := "@_unverified_erin_", ":"+p.ServerName(1)
		p.members = append(p.members, member{
			kind: unverified, userID: begins + gone.Name() + ends, key: user.SenderIn(p.room.Room), begins: begins, ends: ends,
		})
		return nil
	})
}

// localsGo lets local users leave, and be kicked, banned and redacted.
func (p *preparing) localsGo() {
	for _, kind := range leavers {
		p.tokens[kind] = p.users[kind].SyncToken()
	}
	ctx := p.C.Context()
	p.tries(localLeft+" in the end", "membership/leave", func() error { return p.users[localLeft].LeaveRoom(ctx, p.roomID) })
	p.tries(localKicked+" in the end", "membership/kick", func() error {
		return p.alice.Kick(ctx, p.roomID, p.users[localKicked].UserID, "")
	})
	p.tries(localBanned+" in the end", "membership/ban", func() error {
		return p.alice.Ban(ctx, p.roomID, p.users[localBanned].UserID, "")
	})
	p.redacts(localRedacted, p.users[localRedacted].UserID)
	p.tries("a redacted message", "redaction/others-by-power", func() error {
		_, err := p.alice.Redact(ctx, p.roomID, p.users[localMember].Says(p.roomID, "to be redacted"), "")
		return err
	})
	p.reaches(p.alice.Says(p.roomID, "said after the local users went"))
}

// redacts lets Alice redact the join of a member.
func (p *preparing) redacts(kind, userID string) {
	p.tries(kind+" in the end", "redaction/displayname-goes", func() error {
		for _, m := range p.members {
			join, known := p.room.StateEvent(memberType, m.key)
			if m.userID != userID || !known {
				continue
			}
			_, err := p.alice.Redact(p.C.Context(), p.roomID, join.ID(), "")
			return err
		}
		return fmt.Errorf("the peer knows no member event of %s", userID)
	})
}

// remotesGo lets users of the peer leave, and be kicked, banned and redacted by Alice.
func (p *preparing) remotesGo() {
	if user := p.remotes[remoteLeft]; user != nil {
		p.tries(remoteLeft+" in the end", "membership/remote-joins-us", func() error {
			return p.delivers(p.room.BuildsMember(user, "leave"))
		})
	}
	if user := p.remotes[remoteKicked]; user != nil {
		p.tries(remoteKicked+" in the end", "membership/kick", func() error {
			return p.alice.Kick(p.C.Context(), p.roomID, user.ID(), "")
		})
	}
	if user := p.remotes[remoteBanned]; user != nil {
		p.tries(remoteBanned+" in the end", "membership/ban", func() error {
			return p.alice.Ban(p.C.Context(), p.roomID, user.ID(), "")
		})
	}
	if user := p.remotes[remoteRedacted]; user != nil {
		p.redacts(remoteRedacted, user.ID())
	}
	p.reaches(p.alice.Says(p.roomID, "said after the remote users went"))
}

// areInvited lets Alice invite a local and a remote user, and Carol a local one.
func (p *preparing) areInvited() {
	ctx := p.C.Context()
	p.tries(localInvited, "membership/invite-local", func() error {
		user := p.User("ivan")
		if err := p.alice.Invite(ctx, p.roomID, user.UserID); err != nil {
			return err
		}
		p.users[localInvited] = user
		p.learns(localInvited, user.UserID, "invite", "routing/reaches-members")
		return nil
	})
	p.tries(remoteInvited, "membership/invite-remote", func() error {
		user := p.witness.User("ivy")
		if err := p.alice.Client.Invite(ctx, p.roomID, user.ID()); err != nil {
			return err
		}
		p.adds(remoteInvited, user)
		p.room.Blaming("routing/reaches-members").Awaits(scenes.MemberByKey(user.SenderIn(p.room.Room), "invite"))
		return nil
	})
	p.tries(localByRemote, "membership/invite-from-remote", p.carolInvites)
}

// carolInvites lets Carol invite a local user, whose server completes the invite.
func (p *preparing) carolInvites() error {
	ctx, cancel := p.witness.Within()
	defer cancel()
	user := p.User("ida")
	completed, answer, err := p.room.Invite(ctx, p.ServerName(1), p.carol, user.UserID)
	switch {
	case err != nil:
		return err
	case !answer.OK():
		return fmt.Errorf("the server answered the invite with %s", answer)
	}
	signed, err := p.room.SignerOf(p.carol.KeyIn(p.roomID)).Sign(completed.JSON(), completed.Format())
	if err != nil {
		return err
	}
	invite := federation.NewEvent(signed, completed.Format())
	if err := p.delivers(invite); err != nil {
		return err
	}
	key, _ := invite.StateKey()
	p.members = append(p.members, member{kind: localByRemote, userID: user.UserID, key: key})
	p.users[localByRemote] = user
	return nil
}

// knock lets a local and a remote user knock.
func (p *preparing) knock() {
	ctx := p.C.Context()
	p.tries(localKnocking, "membership/knock", func() error {
		rule, err := p.alice.SendState(ctx, p.roomID, "m.room.join_rules", "", map[string]any{"join_rule": "knock"})
		if err != nil {
			return err
		}
		p.reaches(rule)
		user := p.User("ned")
		if _, err := user.Knock(ctx, p.roomID, "let me in"); err != nil {
			return err
		}
		p.users[localKnocking] = user
		p.learns(localKnocking, user.UserID, "knock", "routing/reaches-members")
		return nil
	})
	p.tries(remoteKnocking, "membership/knock", func() error {
		user := p.witness.User("noor")
		if err := p.delivers(p.room.BuildsMember(user, "knock")); err != nil {
			return err
		}
		p.adds(remoteKnocking, user)
		return nil
	})
}

// ends waits until both sides have all events.
func (p *preparing) ends() {
	p.C.Need("membership/remote-joins-us", p.says(p.carol, greeting+" in the end from "+remoteMember))
	last := p.alice.Says(p.roomID, greeting+" in the end from "+theCreator)
	p.reaches(last)
	p.alice.Blaming("client-view/unmodified-client").AwaitsEvent(p.roomID, last)
	p.C.Need("client-view/unmodified-client", p.shows(match.EventID(last)))
	p.records()
}

// records notes the events of the room as the peer knows them.
func (p *preparing) records() {
	p.events, p.redacted = p.room.Events(), map[string]bool{}
	for _, event := range p.events {
		if id := cmp.Or(event.Get("redacts").String(), event.Get("content.redacts").String()); id != "" {
			p.redacted[id] = true
		}
	}
	for _, event := range p.room.State() {
		p.viewed.state = append(p.viewed.state, event.ID())
	}
}
