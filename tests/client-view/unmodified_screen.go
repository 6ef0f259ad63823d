package clientview

import (
	"context"
	"fmt"
	"strings"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/realclient"
	"msc4014/helpers/stage"
)

// What a person sees of a pseudo-ID room: weechat with weechat-matrix as Debian packages them, in a terminal, whose screen is read.
var _ = check.Register(check.Check{
	Name:     "weechat: a user joins a room of another server and talks there",
	Requires: []string{"client-view/unmodified-client"},
	Clients:  true,
	Slow:     ofSession,
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice := s.User("alice")
		screen, err := alice.Weechat()
		c.Control(err)
		peer := s.Peer()
		inBoth(s, func(version string) error {
			carol, name := peer.User("carol"), "tavern-"+strings.ReplaceAll(version, ".", "-")
			make := peer.Makes
			if version != s.Format().RoomVersion {
				make = peer.MakesOrdinary
			}
			v := visit{session: &session{c: c}, screen: screen, room: make(federation.RoomOptions{Creator: carol, Name: name, AliasName: name})}
			v.roomID = v.room.ID()
			v.types("/join #" + name + ":" + peer.Name())
			v.sees("the room in its list", func(screen realclient.Screen) error { return screen.Buffer("#" + name) })
			v.types("/buffer #" + name)
			v.talk(alice, peer)
			return v.result()
		})
	},
})

// visit is a session of Alice, who uses weechat, and users of a peer.
type visit struct {
	*session
	screen *realclient.Weechat
	room   *stage.Room
}

// talk lets Alice and Carol talk. Dave joins; Carol redacts her message; Dave leaves.
func (v *visit) talk(alice *stage.User, peer *stage.Peer) {
	m := meeting{session: v.session, carol: peer.User("carol"), room: v.room}
	v.shows("that its user has joined", "("+alice.UserID+") has joined")
	hello := m.sends("carol says hello", federation.TextMessage(m.carol, "hello stranger"))
	v.shows("the message of a user of another server", "carol", "hello stranger")
	v.types("hello from the terminal")
	v.shows("what its user said", alice.Localpart()+" | hello from the terminal") // with the sender, which the line being typed lacks
	m.receives("alice's message", func(event federation.Event) bool {
		return event.Get("content.body").String() == "hello from the terminal" && m.sentBy(event) == alice.UserID
	})
	dave := peer.User("dave")
	m.does("dave joins", func(context.Context) error { return m.pushes(v.room.BuildsMember(dave, "join")) })
	v.shows("who joins, by user ID", "("+dave.ID()+") has joined")
	m.sends("carol redacts her message", federation.Proto{Type: "m.room.redaction", Sender: m.carol, Redacts: hello, Content: map[string]any{}})
	v.shows("that a message was redacted, by whom", "Message redacted by: carol")
	m.does("dave leaves", func(context.Context) error { return m.pushes(v.room.BuildsMember(dave, "leave")) })
	v.shows("who leaves, by user ID", "("+dave.ID()+") has left")
	v.sees("no sender key", func(screen realclient.Screen) error {
		for _, member := range v.room.Members() {
			if key := member.Sender; key != member.UserID && strings.Contains(screen.String(), key) {
				return fmt.Errorf("the screen has the sender key of %s; it is\n%s", member.UserID, screen)
			}
		}
		return nil
	})
}

// types lets Alice enter a line.
func (v *visit) types(line string) {
	v.does("alice types "+line, func(ctx context.Context) error { return v.screen.Type(ctx, line) })
}

// shows waits until a line of the screen has all of these texts.
func (v *visit) shows(what string, texts ...string) {
	v.sees(what, func(screen realclient.Screen) error { return screen.Line(texts...) })
}

// sees waits until the screen satisfies wanted.
func (v *visit) sees(what string, wanted func(realclient.Screen) error) {
	if v.over {
		return
	}
	ctx, cancel := v.c.Within(stage.Patience)
	defer cancel()
	if err := v.screen.Await(ctx, wanted); err != nil {
		v.broke(fmt.Errorf("the screen does not show %s: %w", what, err))
	}
}
