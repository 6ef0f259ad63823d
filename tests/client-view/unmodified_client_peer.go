package clientview

import (
	"context"
	"fmt"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/realclient"
	"msc4014/helpers/stage"
)

var _ = check.Register(check.Check{
	Name:     "matrix-nio: a user joins a room of another server and talks there",
	Requires: []string{"client-view/unmodified-client"},
	Clients:  true,
	Slow:     ofSession,
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, err := s.Nio("alice")
		c.Control(err)
		peer := s.Peer()
		carol := peer.User("carol")
		inBoth(s, func(version string) error {
			options := federation.RoomOptions{Creator: carol, AliasName: "room-" + version}
			make := peer.Makes
			if version != s.Format().RoomVersion {
				make = peer.MakesOrdinary
			}
			m := meeting{session: &session{c: c}, alice: alice, carol: carol, room: make(options)}
			m.roomID = m.room.ID()
			m.joins(alice, "#"+options.AliasName+":"+peer.Name())
			m.talk(version)
			m.does("alice leaves", func(ctx context.Context) error { return alice.Leave(ctx, m.roomID) })
			m.gone(alice)
			m.departs()
			return m.result()
		})
	},
})

var _ = check.Register(check.Check{
	Name:     "matrix-nio: a user of another server joins the client's room, talks and is kicked",
	Requires: []string{"client-view/unmodified-client"},
	Clients:  true,
	Slow:     ofSession,
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, err := s.Nio("alice")
		c.Control(err)
		peer := s.Peer()
		carol := peer.User("carol")
		inBoth(s, func(version string) error {
			m := meeting{session: &session{c: c}, alice: alice, carol: carol}
			m.creates(alice, version, false)
			m.does("carol joins", func(context.Context) (err error) {
				m.room, err = peer.TryJoin(s.ServerName(1), m.roomID, carol)
				return err
			})
			m.talk(version)
			m.does("alice kicks carol", func(ctx context.Context) error { return alice.Kick(ctx, m.roomID, carol.ID()) })
			m.members(alice, alice.UserID)
			m.receives("that carol was kicked", func(event federation.Event) bool {
				return event.IsState("m.room.member", carol.SenderIn(m.room.Room)) && event.Membership() == "leave"
			})
			return m.result()
		})
	},
})

// meeting is a session of a client's user, Alice, and a user of a peer, Carol.
type meeting struct {
	*session
	alice *realclient.Nio
	carol *federation.User
	room  *stage.Room
}

// talk lets both talk and change their names, and Carol redact her message.
func (m *meeting) talk(version string) {
	m.users = []string{m.alice.UserID, m.carol.ID()}
	m.members(m.alice, m.users...)
	hello := m.sends("carol says hello", federation.TextMessage(m.carol, "hello"))
	m.session.reads(m.alice, hello, m.carol.ID(), "hello")
	answer := m.says(m.alice, "hello to you")
	m.receives("alice's message", func(event federation.Event) bool {
		return event.ID() == answer && m.sentBy(event) == m.alice.UserID
	})
	name := "Carol in " + version
	m.carol.SetProfile(name, "")
	m.does("carol changes her name", func(context.Context) error {
		return m.pushes(m.room.BuildsMember(m.carol, "join"))
	})
	m.named(m.alice, m.carol.ID(), name)
	m.does("alice changes her name", func(ctx context.Context) error { return m.alice.SetName(ctx, "Alice in "+version) })
	m.named(m.alice, m.alice.UserID, "Alice in "+version)
	m.receives("alice's new name", func(event federation.Event) bool {
		return event.Type() == "m.room.member" && event.Get("content.displayname").String() == "Alice in "+version && m.sentBy(event) == m.alice.UserID
	})
	m.sends("carol redacts her message", federation.Proto{Type: "m.room.redaction", Sender: m.carol, Redacts: hello, Content: map[string]any{}})
	m.redacted(m.alice, hello, m.carol.ID())
	m.onlyUsers(m.alice)
}

// departs waits until the peer receives Alice's leave.
func (m *meeting) departs() {
	m.receives("alice's leave", func(event federation.Event) bool {
		return event.Type() == "m.room.member" && event.Membership() == "leave" && m.sentBy(event) == m.alice.UserID
	})
}

// sends lets Carol send an event, and returns its ID.
func (m *meeting) sends(what string, proto federation.Proto) (eventID string) {
	m.does(what, func(context.Context) error {
		event := m.room.Builds(proto)
		eventID = event.ID()
		return m.pushes(event)
	})
	return eventID
}

// pushes sends an event to the server, which may refuse it: what its clients then show decides.
func (m *meeting) pushes(event federation.Event) error {
	m.room.Apply(event)
	_, err := m.room.Pushes(event)
	return err
}

// receives waits until the peer receives an event of the room that is wanted.
func (m *meeting) receives(what string, wanted func(federation.Event) bool) {
	if m.over {
		return
	}
	ctx, cancel := m.c.Within(stage.Patience)
	defer cancel()
	_, err := m.room.Peer().WaitForEvent(ctx, func(event federation.Event) bool { return event.RoomID() == m.roomID && wanted(event) })
	if err != nil {
		m.broke(fmt.Errorf("the other server does not get %s: %w", what, err))
	}
}

// sentBy returns the user who sent an event, as the mappings in the room say.
func (m *meeting) sentBy(event federation.Event) string { return m.room.UserIDOf(event.Sender()) }
