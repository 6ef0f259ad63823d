package invite

// Partial events that the inviting server altered: what a server signs with its user's key is an invite of that user.

import (
	"errors"
	"fmt"
	"slices"

	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// signedRoom is a room of a peer in which users of the server under test are invited, with a member of a third server.
type signedRoom struct {
	hostRoom
	third *federation.User
	alice *stage.User
	key   string // alice's in the room
}

// otherThanInvites are what a server of bad will would have signed by a user's key, in place of an invite.
var otherThanInvites = []struct {
	what    string
	byUser  bool // in the user's name, so that its key must be known before
	changes func(s signedRoom) []federation.Change
}{
	{"an event of another type", false, func(signedRoom) []federation.Change {
		return []federation.Change{federation.SetField("type", "m.room.topic")}
	}},
	{"a join", false, func(signedRoom) []federation.Change {
		return []federation.Change{federation.SetField("content.membership", "join")}
	}},
	{"a ban", false, func(signedRoom) []federation.Change {
		return []federation.Change{federation.SetField("content.membership", "ban")}
	}},
	{"a leave", false, func(signedRoom) []federation.Change {
		return []federation.Change{federation.SetField("content.membership", "leave")}
	}},
	{"a redaction by the user itself", true, func(s signedRoom) []federation.Change {
		return []federation.Change{
			federation.SetField(s.room.Format().SenderField(), s.key), federation.SetField("type", "m.room.redaction"),
			federation.SetField("redacts", s.room.Extremities()[0]), federation.SetField("content", map[string]string{"redacts": s.room.Extremities()[0]}),
		}
	}},
	{"an invite by the user itself", true, func(s signedRoom) []federation.Change {
		return []federation.Change{federation.SetField(s.room.Format().SenderField(), s.key)}
	}},
	{"an invite by a user of a third server", false, func(s signedRoom) []federation.Change {
		return []federation.Change{federation.SetField(s.room.Format().SenderField(), s.third.SenderIn(s.room.Room))}
	}},
	{"a message by the user itself", true, func(s signedRoom) []federation.Change {
		return []federation.Change{
			federation.SetField(s.room.Format().SenderField(), s.key), federation.SetField("type", "m.room.message"),
			federation.SetField("content", map[string]string{"msgtype": "m.text", "body": "never said"}),
		}
	}},
}

// The invited server signs the invite, so that others can be sure that it has it (MSC1228, Sending invites). A key that signs
// whatever another server asks for would sign events in its user's name (MSC4014, Proposal 2: events are signed by their
// sender's key). The control is that an honest invite is signed; for events in the user's own name, a second one of the same user,
// whose key is known then.
func init() {
	for _, each := range otherThanInvites {
		check.Register(check.Check{
			Name:     each.what + " is not signed with the invited user's key",
			Requires: []string{"invite/signs-only-invites"},
			Path:     "invite",
			Body: func(c *check.C) {
				s := signedRoom{hostRoom: openHost(c, false)}
				others := s.Peer()
				s.third, s.alice = others.User("third"), s.User("alice")
				others.JoinsVia(s.inviting.Name(), s.room.ID(), s.third)
				watcher := s.User("watcher") // the first of its server, which learns of the third one by the room's state
				watcher.Joins(s.room.ID(), s.inviting.Name())
				watcher.Blaming("membership/join-remote").AwaitsMembership(s.room.ID(), s.third.ID(), "join")
				completed, err := s.asks(s.alice)
				c.Need("membership/invite-from-remote", err)
				s.key, _ = completed.StateKey()
				invited, honest := s.User("invited"), completed
				if each.byUser {
					invited = s.alice
					honest, err = s.asks(invited)
				}
				if err == nil && !signedBy(honest, s.key) {
					err = errors.New("an honest invite is not signed by the invited user's key")
				}
				c.Control(err)

				c.UnderTest()
				altered, err := s.asks(invited, each.changes(s)...)
				c.Notef("the server answered %s with %v", each.what, err)
				if err == nil && s.signed(altered) {
					c.Errorf("the server signed %s with the invited user's key", each.what)
				}
			},
		})
	}
}

// asks lets the host's server ask for the completion of an invite of a user, altered before it is sent. It returns an error if that
// was refused, and ends the check if no answer came.
func (s signedRoom) asks(invited *stage.User, changes ...federation.Change) (federation.Event, error) {
	ctx, cancel := s.inviting.Within()
	defer cancel()
	completed, answer, err := s.room.InviteFrom(ctx, s.inviting.Peer, s.ServerName(1), s.host, invited.UserID, changes...)
	if err != nil && answer.Status == 0 {
		s.C.Need("resilience/stays-up", err)
	}
	if err != nil || !answer.OK() {
		return completed, errors.Join(err, fmt.Errorf("the server answered %s", answer))
	}
	return completed, nil
}

// signed reports whether the invited user's key has signed an event: that of Alice, or one that was made for a user, which is its state key
// or whose signature is there by its name.
func (s signedRoom) signed(event federation.Event) bool {
	keys := []string{s.key}
	if key, isState := event.StateKey(); isState {
		keys = append(keys, key)
	}
	for entity := range event.Get("signatures").Map() {
		if entity != s.host.SenderIn(s.room.Room) {
			keys = append(keys, entity)
		}
	}
	return slices.ContainsFunc(keys, func(key string) bool { return signedBy(event, key) })
}

// signedBy reports whether a key has signed an event, as its sender or as who is invited.
func signedBy(event federation.Event, key string) bool {
	_, err := pseudoid.VerifySignatureBy(event.JSON(), event.Format(), pseudoid.SenderKey(key))
	return err == nil
}
