package signing

// No keys of servers are needed to verify events: not of servers that are gone, and none are requested.

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// textAfterKeys makes a message of a time at which the published keys of its sender's server are valid no longer: a server that
// verifies the event by them must request newer ones.
func textAfterKeys(room *stage.Room, sender *federation.User) federation.Event {
	message := federation.TextMessage(sender, "said when nobody can ask for keys")
	message.OriginServerTS = time.Now().Add(48 * time.Hour).UnixMilli()
	return room.Builds(message)
}

// leavesMissed lets another server send a message of its own that follows an event, and not the event: the server under test is given
// that when it asks for what it missed. Servers may refuse it from any other than the sender's server in a transaction.
func leavesMissed(room *stage.Room, event federation.Event, speaker *federation.User) {
	room.Apply(event)
	room.Says(speaker, "said after what was missed")
}

// It is always possible to verify event signatures without asking anybody (MSC4014, Proposal 2): the sender's server may
// be gone when another one delivers its event. The control is in a room of its own: of several gaps in one, deployed servers fill
// the first alone.
var _ = check.Register(check.Check{
	Name:     "an event of a server that is gone, delivered by another",
	Requires: []string{"signing/needs-no-server-keys"},
	Path:     "get_missing_events",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, gone, courier := s.User("alice"), s.Peer(), s.Peer()
		carol, dan := gone.User("carol"), courier.User("dan")
		meets := func() *stage.Room {
			room := gone.Joins(alice.Makes(stage.Public), carol)
			alice.Blaming("membership/remote-joins-us").AwaitsMembership(room.ID(), carol.ID(), "join")
			delivered := courier.Joins(room.ID(), dan)
			delivered.Blaming("mapping/in-creator-join").MemberOf(alice.UserID) // whose server may ask the courier
			return delivered
		}
		there, away := meets(), meets()
		first := there.Builds(federation.TextMessage(carol, "said while its server is there"))
		leavesMissed(there, first, dan)
		c.Control(alice.SeesEvent(there.ID(), first.ID()))

		gone.PlayDead(federation.DeadRefusing)
		second := textAfterKeys(away, carol)
		leavesMissed(away, second, dan)
		shown := alice.AwaitsEvent(away.ID(), second.ID())
		assert.Equal(c, carol.ID(), shown.Get("sender").String(), "the sender, whose mapping was verified before")
	},
})

// The same when the sender's server is there and gives nobody its keys: requests are verified by those that are known.
var _ = check.Register(check.Check{
	Name:     "an event of a server that gives nobody its keys any more",
	Requires: []string{"signing/needs-no-server-keys"},
	Path:     "send",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, silent := s.User("alice"), s.Peer()
		carol := silent.User("carol")
		room := silent.Joins(alice.Makes(stage.Public), carol)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(room.ID(), carol.ID(), "join")
		silent.PlayDead(federation.DeadRefusing, federation.ServerKeys, federation.KeyQuery)
		said := textAfterKeys(room, carol)
		room.Delivers(said)
		shown := alice.AwaitsEvent(room.ID(), said.ID())
		assert.Equal(c, carol.ID(), shown.Get("sender").String(), "the sender, whose mapping was verified before")
	},
})

// outlived is a room of a server that is there. Its member Carol is of another server, which may be dead when Alice joins.
type outlived struct {
	alice         *stage.User
	resident      *stage.Peer
	host, carol   *federation.User
	room          *stage.Room      // as resident knows it
	note, message federation.Event // Carol's, of the state and of the timeline before Alice joins
}

// outlives makes the room, and takes Carol's server down if dies is set.
func outlives(s *stage.Stage, dies bool) outlived {
	o := outlived{alice: s.User("alice"), resident: s.Peer()}
	home := s.Peer()
	o.host, o.carol = o.resident.User("host"), home.User("carol")
	o.room = o.resident.Makes(federation.RoomOptions{
		Creator: o.host, PowerLevels: map[string]any{"events": map[string]any{delivery.MemberStateType: 0}},
	})
	homesRoom := home.JoinsVia(o.resident.Name(), o.room.ID(), o.carol)
	o.note = homesRoom.Builds(delivery.MemberStateUnder(o.carol, ""))
	homesRoom.Delivers(o.note)
	o.message = homesRoom.Says(o.carol, "said before alice joins")
	if dies {
		home.PlayDead(federation.DeadRefusing)
	}
	return o
}

// takesCarolsEvents lets Alice join, and returns which of Carol's events she is not shown: those from before, and those that her server
// missed and gets from resident.
func (o outlived) takesCarolsEvents(c *check.C) error {
	if _, err := o.alice.JoinRoom(c.Context(), o.room.ID(), o.resident.Name()); err != nil {
		return err
	}
	set := o.room.Builds(delivery.MemberStateUnder(o.carol, "missed"))
	o.room.Apply(set)
	missed := o.room.Builds(federation.TextMessage(o.carol, "missed"))
	leavesMissed(o.room, missed, o.host)
	var err error
	if unseen := o.alice.SeesEvent(o.room.ID(), missed.ID()); unseen != nil {
		err = fmt.Errorf("an event that the server has missed: %w", unseen)
	}
	for _, view := range o.alice.Views(o.room.ID()) {
		for _, event := range map[string][]federation.Event{"/state": {o.note, set}, "/messages": {o.message}}[view.Name] {
			if !view.Has(event.ID()) {
				err = errors.Join(err, fmt.Errorf("%s does not show %s", view.Name, event))
			}
		}
	}
	return err
}

// This makes verifying the room's events much more reliable when remote servers are dead (MSC4014, Proposal 2.1): a server
// that joins through one server takes the events of another, whose keys nobody has. Whether it takes what a third server sends it
// unasked is not said, so the event comes as one that the server has missed. The control is the same member of a server that is there.
var _ = check.Register(check.Check{
	Name:     "a room with events of a server that is dead",
	Requires: []string{"signing/dead-resident"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		c.Control(outlives(s, false).takesCarolsEvents(c))
		c.UnderTest()
		if err := outlives(s, true).takesCarolsEvents(c); err != nil {
			c.Failf("of a member whose server is dead: %v", err)
		}
	},
})

// keyRequests returns the requests for a server's keys that peers received: itself, and others as notaries.
func keyRequests(of *stage.Peer, others ...*stage.Peer) (asked []string) {
	for _, request := range of.Requests() {
		if request.Endpoint == federation.ServerKeys || request.Endpoint == federation.KeyQuery {
			asked = append(asked, request.String())
		}
	}
	for _, other := range others {
		for _, request := range other.Requests() {
			names := strings.Contains(request.URI, of.Name()) || bytes.Contains(request.Body, []byte(of.Name()))
			if request.Endpoint == federation.KeyQuery && names {
				asked = append(asked, request.String())
			}
		}
	}
	return asked
}

// controlKeyRequests lets a user of the peer join, as the control: the server must request its keys to verify the request.
func controlKeyRequests(s *stage.Stage, peer *stage.Peer, roomID string) {
	_, err := peer.TryJoin(s.ServerName(1), roomID, peer.User("later"))
	if err == nil && len(keyRequests(peer)) == 0 {
		err = errors.New("the server verified a request of " + peer.Name() + " and never asked for its keys")
	}
	s.C.Control(err)
}

// No external network requests are required to verify event signatures (MSC4014, Proposal 2): not for those that stand
// beside the sender key's either.
var _ = check.Register(check.Check{
	Name:     "a further signature by a server has nobody asked for its keys",
	Requires: []string{"signing/no-key-lookup-for-events"},
	Path:     "send",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, mallory, stranger := s.User("alice"), s.Peer(), s.Peer()
		carol := mallory.User("carol")
		room := mallory.Joins(alice.Makes(stage.Public), carol)
		first := room.Says(carol, "signed by one")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(room.ID(), first.ID())
		template, err := room.Template(federation.TextMessage(carol, "signed by two"))
		require.NoError(c, err)
		c.UnderTest()
		room.Delivers(room.Made(template.AlsoSignedBy(stranger.Signer())))
		barrier := room.Says(carol, "said after that")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(room.ID(), barrier.ID())
		asked := keyRequests(stranger, mallory)
		controlKeyRequests(s, stranger, room.ID())
		assert.Empty(c, asked, "requests for the keys of a server that only signed an event")
	},
})

// Nor for those on the state of a room that is entered (MSC4014, Proposal 2.1: server keys are not needed to verify the
// room DAG).
var _ = check.Register(check.Check{
	Name:     "a room with further signatures by a server has nobody asked for its keys",
	Requires: []string{"signing/no-key-lookup-for-events"},
	Path:     "the state of send_join",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, mallory, stranger := s.User("alice"), s.Peer(), s.Peer()
		carol, dan := mallory.User("carol"), mallory.User("dan")
		enters := func(room *stage.Room) {
			alice.Joins(room.ID(), mallory.Name())
			barrier := room.Says(carol, "said after alice's join")
			alice.Blaming("membership/join-remote").AwaitsEvent(room.ID(), barrier.ID())
		}
		enters(mallory.Makes(federation.RoomOptions{Creator: carol}))
		room := mallory.Makes(federation.RoomOptions{Creator: carol})
		room.Applies(room.MemberTemplate(dan, "join").AlsoSignedBy(stranger.Signer()))
		topic, err := room.Template(federation.Proto{
			Type: "m.room.topic", StateKey: federation.StateKey(""), Sender: carol, Content: map[string]string{"topic": "signed by two"},
		})
		require.NoError(c, err)
		room.Applies(topic.AlsoSignedBy(stranger.Signer()))
		c.UnderTest()
		enters(room)
		asked := keyRequests(stranger, mallory)
		controlKeyRequests(s, stranger, room.ID())
		assert.Empty(c, asked, "requests for the keys of a server that only signed events of the room")
	},
})
