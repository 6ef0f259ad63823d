package clientview

import (
	"context"
	"fmt"
	"slices"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/realclient"
	"msc4014/helpers/stage"
)

// Clients work without any changes to their code (MSC4014, Hard requirements). These checks use matrix-nio as Debian packages it, and
// judge what it then knows of its rooms. Each session is played in an ordinary room of the base version first.

// ofSession is about how long a session takes in both rooms, with the start of the clients.
const ofSession = 60 * time.Second

// inBoth plays a session in an ordinary room, as a control, and then in a pseudo-ID room.
func inBoth(s *stage.Stage, play func(version string) error) {
	if err := play(s.Format().Base); err != nil {
		s.C.Inconclusive("in an ordinary room: %v", err)
	}
	s.C.UnderTest()
	s.C.Must(play(s.Format().RoomVersion))
}

// pair starts the clients of two users.
func pair(s *stage.Stage) (alice, bob *realclient.Nio) {
	alice, err := s.Nio("alice")
	s.C.Control(err)
	bob, err = s.Nio("bob")
	s.C.Control(err)
	return alice, bob
}

var _ = check.Register(check.Check{
	Name:     "matrix-nio: two users of one server talk",
	Requires: []string{"client-view/unmodified-client"},
	Clients:  true,
	Slow:     ofSession,
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := pair(s)
		inBoth(s, func(version string) error { return talk(c, alice, bob, version) })
	},
})

// talk is a session of two users: they talk, one changes his name, a message is redacted, he leaves, joins again and is kicked.
func talk(c *check.C, alice, bob *realclient.Nio, version string) error {
	s := &session{c: c, users: []string{alice.UserID, bob.UserID}}
	s.creates(alice, version, false)
	s.joins(bob, s.roomID)
	s.members(alice, alice.UserID, bob.UserID)
	s.members(bob, alice.UserID, bob.UserID)
	hello := s.says(alice, "hello")
	s.reads(bob, hello, alice.UserID, "hello")
	s.reads(alice, s.says(bob, "how are you?"), bob.UserID, "how are you?")
	name := "Bob in " + version
	s.does("bob changes his name", func(ctx context.Context) error { return bob.SetName(ctx, name) })
	s.named(alice, bob.UserID, name)
	s.named(bob, bob.UserID, name)
	s.does("alice redacts her message", func(ctx context.Context) error { return alice.Redact(ctx, s.roomID, hello) })
	s.redacted(bob, hello, alice.UserID)
	s.onlyUsers(bob)
	s.does("bob leaves", func(ctx context.Context) error { return bob.Leave(ctx, s.roomID) })
	s.members(alice, alice.UserID)
	s.gone(bob)
	s.joins(bob, s.roomID)
	s.members(alice, alice.UserID, bob.UserID)
	s.does("alice kicks bob", func(ctx context.Context) error { return alice.Kick(ctx, s.roomID, bob.UserID) })
	s.members(alice, alice.UserID)
	s.gone(bob)
	s.onlyUsers(alice)
	return s.result()
}

// creates lets a client's user create the room of the session.
func (s *session) creates(creator *realclient.Nio, version string, encrypted bool) {
	s.does(creator.UserID+" creates a room", func(ctx context.Context) (err error) {
		s.roomID, err = creator.Create(ctx, version, encrypted)
		return err
	})
}

var _ = check.Register(check.Check{
	Name:     "matrix-nio: two users of one server talk, encrypted",
	Requires: []string{"client-view/unmodified-client"},
	Clients:  true,
	Slow:     ofSession,
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob := pair(s)
		inBoth(s, func(version string) error { return talkEncrypted(s, alice, bob, version) })
	},
})

// talkEncrypted is a session of two users in an encrypted room to which one is invited. He logs in another device, which has to read
// what is said from then on, and leaves: they share no other room.
func talkEncrypted(on *stage.Stage, alice, bob *realclient.Nio, version string) error {
	s := &session{c: on.C, users: []string{alice.UserID, bob.UserID}}
	s.creates(alice, version, true)
	s.does("alice invites bob", func(ctx context.Context) error { return alice.Invite(ctx, s.roomID, bob.UserID) })
	s.invited(bob, alice.UserID)
	s.joins(bob, s.roomID)
	s.members(bob, alice.UserID, bob.UserID)
	s.device(alice, bob)
	s.device(bob, alice)
	s.reads(bob, s.says(alice, "a secret"), alice.UserID, "a secret")
	s.reads(alice, s.says(bob, "I keep it"), bob.UserID, "I keep it")
	if s.over {
		return s.result()
	}
	second, err := on.NioDevice(bob.UserID)
	if err != nil {
		s.broke(fmt.Errorf("bob logs in another device: %w", err))
		return s.result()
	}
	s.members(second, alice.UserID, bob.UserID)
	s.device(alice, second)
	said := s.says(alice, "another secret")
	s.reads(bob, said, alice.UserID, "another secret")
	s.reads(second, said, alice.UserID, "another secret")
	s.onlyUsers(second)
	s.onlyUsers(alice)
	s.does("bob leaves", func(ctx context.Context) error { return bob.Leave(ctx, s.roomID) })
	s.members(alice, alice.UserID)
	return s.result()
}

// invited waits until a client shows the invite to the room, by a user.
func (s *session) invited(invitee *realclient.Nio, inviter string) {
	s.sees(invitee, func(model realclient.Model) error {
		if invite, shown := model.Invites[s.roomID]; !shown || invite.Inviter != inviter {
			return fmt.Errorf("it does not show an invite by %s, but %q", inviter, invite.Inviter)
		}
		return nil
	})
}

// device waits until a client knows the keys of a device of a member.
func (s *session) device(viewer, of *realclient.Nio) {
	s.room(viewer, func(room *realclient.Room) error {
		if member := room.Members[of.UserID]; member == nil || !slices.Contains(member.Devices, of.DeviceID) {
			return fmt.Errorf("it does not know the keys of a device of %s", of.UserID)
		}
		return nil
	})
}
