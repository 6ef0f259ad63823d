package clientview

// What clients are refused of a pseudo-ID room counts if the server gives it to them of an ordinary room: it need not have every endpoint
// of the client-server API.

import (
	"fmt"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/stage"
)

// needOrdinary ends the check as unsupported if clients are refused something of an ordinary room, too. kinds are the users who must be
// added to that room for it, beside Alice, Bob and Carol.
func needOrdinary(c *check.C, what string, refusal error, kinds []string, ask func(*preparing) error) {
	c.Timely(refusal)
	s := stage.Open(c, blueprints.OneServer)
	ordinary := stage.Scene(s, "client-view: an ordinary room, asked for "+what, func() error {
		p := newPreparing(s)
		p.opensOrdinary()
		for _, kind := range kinds {
			if err := p.addsOrdinary(kind); err != nil {
				return fmt.Errorf("the room is without %s: %w", kind, err)
			}
		}
		p.endsOrdinary()
		err := ask(p)
		if csapi.NoAnswer(err) {
			p.C.Need("resilience/stays-up", err)
		}
		return err
	})
	if ordinary == nil {
		c.Notef("clients are given %s of an ordinary room", what)
		return
	}
	c.Timely(ordinary)
	c.Unsupported("clients are refused %s of an ordinary room of the server, too: %v", what, ordinary)
}

// opensOrdinary makes an ordinary room with Bob and Carol in it.
func (p *preparing) opensOrdinary() {
	p.roomID = p.alice.MakesOrdinary(stage.Public)
	p.carol = p.witness.User("carol")
	p.room = p.witness.JoinsOrdinary(p.roomID, p.carol)
	p.alice.Blaming(stage.OrdinaryRooms).AwaitsMembership(p.roomID, p.carol.ID(), "join")
	p.tokens[alicesToken] = p.alice.SyncToken()
	bob := p.User("bob")
	bob.JoinsOrdinary(p.roomID)
	p.users[theCreator], p.users[localMember] = p.alice, bob
	p.root = bob.Says(p.roomID, greeting+" from "+localMember)
	_, err := p.alice.SendEvent(p.C.Context(), p.roomID, "m.room.message", p.related("m.thread", greeting+" in a thread"))
	p.C.Need(stage.OrdinaryRooms, err)
}

// addsOrdinary adds a user of the server to the ordinary room.
func (p *preparing) addsOrdinary(kind string) error {
	ctx, user := p.C.Context(), p.User("user")
	p.users[kind] = user
	switch kind {
	case localInvited:
		return p.alice.Invite(ctx, p.roomID, user.UserID)
	case localByRemote:
		p.room.InvitesOrdinary(p.carol, user)
		return nil
	case localKnocking:
		if _, err := p.alice.SendState(ctx, p.roomID, "m.room.join_rules", "", map[string]any{"join_rule": "knock"}); err != nil {
			return err
		}
		_, err := user.Knock(ctx, p.roomID, "let me in")
		return err
	}
	user.JoinsOrdinary(p.roomID)
	p.tokens[kind] = user.SyncToken()
	switch kind {
	case localLeft:
		return user.LeaveRoom(ctx, p.roomID)
	case localKicked:
		return p.alice.Kick(ctx, p.roomID, user.UserID, "")
	case localBanned:
		return p.alice.Ban(ctx, p.roomID, user.UserID, "")
	default:
		return nil
	}
}

// endsOrdinary waits until Alice's client and the peer have all of the ordinary room.
func (p *preparing) endsOrdinary() {
	last := p.alice.Says(p.roomID, greeting+" in the end from "+theCreator)
	p.C.Need(stage.OrdinaryRooms, p.room.Receives(last))
	p.alice.Blaming(stage.OrdinaryRooms).AwaitsEvent(p.roomID, last)
	p.records()
}
