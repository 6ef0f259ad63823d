package signing

// Chapter signing, the honest half: events are signed by their own sender key, and so it takes no server's keys to verify
// the events of a room.

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// Events are signed by the sender_key (MSC4014, Proposal 2), whatever their type.
var _ = check.Register(check.Check{
	Name:     "events of every type are signed by their sender key",
	Requires: []string{"signing/every-event-type"},
	Body: func(c *check.C) {
		scene := scenes.CollectWire(stage.Open(c, blueprints.OneServer))
		for _, problem := range withoutOwnSignature(scene).Summary(len(scene.Events), c.Notef) {
			c.Errorf("%s", problem)
		}
		c.Need("membership/invite-local", scene.Refusals["an invite"])
		c.Need("redaction/own-by-key", scene.Refusals["a redaction"])
		for _, kind := range []string{
			"m.room.create", "m.room.member (join)", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility",
			"m.room.name", "m.room.message", "m.room.redaction", "m.room.member (invite)",
		} {
			if !slices.ContainsFunc(scene.Events, func(event federation.Event) bool { return scenes.KindOf(event) == kind }) {
				c.Errorf("the peer in the room was never given the event of type %s", kind)
			}
		}
	},
})

func withoutOwnSignature(scene scenes.Wire) (found scenes.Breaches) {
	for _, event := range scene.Events {
		if _, err := pseudoid.VerifySenderSignature(event.JSON(), event.Format()); err != nil {
			found.Add(event, "has no valid signature by its own sender key", "%v", err)
		}
	}
	return found
}

// Whether servers sign beside the sender key: MSC1228 has the key's signature "instead of" the server's (Proposal), and
// the resident server signs joins in other rooms (server-server API, send_join).
var _ = check.Register(check.Check{
	Name:     "whether servers sign events too",
	Requires: []string{"signing/server-signatures"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		scene, server := scenes.CollectWire(s), s.ServerName(1)
		byServer := func(event federation.Event) bool { return event.Get("signatures").Map()[server].Exists() }
		var with, without []string
		for _, event := range scene.Events {
			switch {
			case event.Membership() == "invite": // completed by another server, which may be the same
			case byServer(event):
				with = append(with, scenes.KindOf(event))
			default:
				without = append(without, scenes.KindOf(event))
			}
		}

		resident := stage.OpenResident(c)
		second := s.Peer()
		join, known := second.Joins(resident.Room.ID(), second.User("second")).StateEvent("m.room.member",
			string(second.User("second").KeyIn(resident.Room.ID()).Public))
		require.True(c, known, "the peer knows its own join")
		forwarded := resident.Room.Blaming("routing/reaches-members").AwaitsEvent(join.ID())
		onJoin := byServer(forwarded) || byServer(join)

		detail := fmt.Sprintf("%s signed %d of %d events of its users, and the join that it was sent: %t",
			server, len(with), len(scene.Events), onJoin)
		switch {
		case len(with) > 0 && len(without) > 0:
			slices.Sort(with)
			c.Observe("other", "%s; it signed %s", detail, strings.Join(slices.Compact(with), ", "))
		case len(with) > 0 && onJoin:
			c.Observe("origin-and-resident", "%s", detail)
		case len(with) > 0:
			c.Observe("origin-only", "%s", detail)
		case onJoin:
			c.Observe("resident-on-joins", "%s", detail)
		default:
			c.Observe("none", "%s", detail)
		}
	},
})

// afterItsKeys is a time at which the server keys that a peer has published are not valid any more: who verifies an event
// of then by them must ask for newer ones.
func afterItsKeys() int64 { return time.Now().Add(48 * time.Hour).UnixMilli() }

// saysThen makes a message of a time when the keys that its sender's server has published are past their validity.
func saysThen(room *stage.Room, sender *federation.User) federation.Event {
	return room.Builds(federation.Proto{
		Type: "m.room.message", Sender: sender, Content: map[string]string{"msgtype": "m.text", "body": "said when nobody can ask for keys"}, OriginServerTS: afterItsKeys(),
	})
}

// It is always possible to verify event signatures without asking anybody (MSC4014, Proposal 2): the sender's server may
// be gone when another one delivers its event.
var _ = check.Register(check.Check{
	Name:     "an event of a server that is gone, delivered by another",
	Requires: []string{"signing/needs-no-server-keys"},
	Path:     "another server",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, gone, courier := s.User("alice"), s.Peer(), s.Peer()
		carol := gone.User("carol")
		room := gone.Joins(alice.Makes(stage.Public), carol)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(room.ID(), carol.ID(), "join")
		delivered := courier.Joins(room.ID(), courier.User("courier"))

		first := room.Builds(federation.TextMessage(carol, "said while its server is there"))
		delivered.Delivers(first)
		_, err := alice.Sees(room.ID(), first.ID())
		c.Control(err)

		gone.PlayDead(federation.DeadRefusing)
		second := saysThen(room, carol)
		delivered.Delivers(second)
		shown := alice.AwaitsEvent(room.ID(), second.ID())
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
		said := saysThen(room, carol)
		room.Delivers(said)
		shown := alice.AwaitsEvent(room.ID(), said.ID())
		assert.Equal(c, carol.ID(), shown.Get("sender").String(), "the sender, whose mapping was verified before")
	},
})

// This makes verifying the room's events much more reliable when remote servers are dead (MSC4014, Proposal 2.1): a server
// that joins through one server takes the events of another, whose keys nobody has.
var _ = check.Register(check.Check{
	Name:     "a room with events of a server that is dead",
	Requires: []string{"signing/dead-resident"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, living, dead := s.User("alice"), s.Peer(), s.Peer()
		carol := dead.User("carol")
		room := living.Makes(federation.RoomOptions{
			Creator: living.User("host"), PowerLevels: map[string]any{"events": map[string]any{delivery.MemberStateType: 0}},
		})
		deads := dead.JoinsVia(living.Name(), room.ID(), carol)
		note := deads.Builds(delivery.MemberStateUnder(carol, ""))
		deads.Delivers(note)
		message := deads.Says(carol, "said before its server died")
		dead.PlayDead(federation.DeadRefusing)

		_, err := alice.JoinRoom(c.Context(), room.ID(), living.Name())
		c.Must(err)
		later := deads.Builds(federation.TextMessage(carol, "delivered after its server died"))
		room.Delivers(later)
		alice.AwaitsEvent(room.ID(), later.ID())
		for _, view := range alice.Views(room.ID()) {
			for name, event := range map[string]federation.Event{"/state": note, "/messages": message} {
				if view.Name == name && !view.Has(event.ID()) {
					c.Errorf("%s does not show an event of a server that is dead: %s", name, event)
				}
			}
		}
	},
})

// askedForKeys are the requests by which a server's keys were looked up: at that server, and at one that may know them.
func askedForKeys(of *stage.Peer, others ...*stage.Peer) (asked []string) {
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

// isAsked lets a user of the peer join, as the control: then the server must look up its keys, to verify the request.
func isAsked(c *check.C, peer *stage.Peer, roomID string) {
	peer.Joins(roomID, peer.User("later"))
	var err error
	if len(askedForKeys(peer)) == 0 {
		err = errors.New("the server verified a request of " + peer.Name() + " and never asked for its keys")
	}
	c.Control(err)
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
		template, err := room.Template(federation.TextMessage(carol, "signed by two"))
		require.NoError(c, err)
		event, err := template.AlsoSignedBy(stranger.Signer()).Build()
		require.NoError(c, err)
		room.Delivers(event)
		barrier := room.Says(carol, "said after that")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(room.ID(), barrier.ID())
		asked := askedForKeys(stranger, mallory)
		isAsked(c, stranger, room.ID())
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
		room := mallory.Makes(federation.RoomOptions{Creator: carol})
		room.Applies(room.MemberTemplate(dan, "join").AlsoSignedBy(stranger.Signer()))
		topic, err := room.Template(federation.Proto{
			Type: "m.room.topic", StateKey: federation.StateKey(""), Sender: carol, Content: map[string]string{"topic": "signed by two"},
		})
		require.NoError(c, err)
		room.Applies(topic.AlsoSignedBy(stranger.Signer()))
		alice.Joins(room.ID(), mallory.Name())
		barrier := room.Says(carol, "said after alice came")
		alice.Blaming("membership/join-remote").AwaitsEvent(room.ID(), barrier.ID())
		asked := askedForKeys(stranger, mallory)
		isAsked(c, stranger, room.ID())
		assert.Empty(c, asked, "requests for the keys of a server that only signed events of the room")
	},
})
