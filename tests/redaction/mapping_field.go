package redaction

// What becomes of the mapping in a redacted member event, for those who are in the room and for those who join later: "how this
// functions at a protocol level is undetermined at this point" (MSC4014, Addressing the problems 3).

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// Whether a redacted member event is still served with its mapping: to a client, and to a server that joins afterwards.
var _ = check.Register(check.Check{
	Name:     "whether a redacted member event is served with its mapping",
	Requires: []string{"redaction/mapping-field-to-peers"},
	Body: func(c *check.C) {
		const field = "content." + pseudoid.MappingField
		s := stage.OpenResident(c)
		bob, roomID := s.User("bob"), s.Room.ID()
		bob.Joins(roomID)
		creator := s.Room.Blaming("mapping/in-creator-join").MemberOf(s.Alice.UserID).Sender()
		join := s.Room.Blaming("routing/reaches-members").Awaits(scenes.NewMember(s.Room, creator, "join"))
		scenes.MappingIn(c, join)
		s.Alice.Blaming("membership/join-local").AwaitsEvent(roomID, join.ID())
		before := s.Alice.Reads(roomID, join.ID()).Get(field).Exists()
		redaction := s.Alice.Blaming("redaction/displayname-goes").Redacts(roomID, join.ID())
		s.Room.Blaming("routing/reaches-members").AwaitsEvent(redaction)
		s.Alice.Blaming("redaction/mapping-stays").AwaitsRedaction(roomID, redaction)

		toClients := s.Alice.Reads(roomID, join.ID()).Get(field).Exists()
		given, known := delivery.LaterJoiner(s.Stage, roomID).Event(join.ID())
		if !known {
			c.Need("membership/remote-joins-us", errors.New("the state that a later joiner is given lacks the redacted join"))
		}
		toPeers := given.Get(field).Exists()
		detail := fmt.Sprintf("clients were served the mapping before: %v, after: %v; a server that joins later is given it: %v, "+
			"and GET /event serves it to peers: %v", before, toClients, toPeers, s.Room.Fetches(join.ID()).Get(field).Exists())
		reading := map[[2]bool]string{
			{true, true}: "clients-and-peers", {true, false}: "clients-only", {false, true}: "peers-only", {false, false}: "nobody",
		}[[2]bool{toClients, toPeers}]
		c.Observe(reading, "%s", detail)
	},
})

// Whether a server that joins afterwards can still resolve the member. The resident is a peer that serves the redacted join in
// the one form in which that is possible, with its mapping; what becomes of the form without it is noted.
var _ = check.Register(check.Check{
	Name:     "whether a later joiner resolves a member whose event was redacted",
	Requires: []string{"redaction/later-joiner-resolves"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		bare := joinAfterRedaction(s, func(redacted, _ []byte) ([]byte, error) { return redacted, nil })
		c.Notef("a member whose redacted join is given without a mapping: %s", bare.detail)
		kept := joinAfterRedaction(s, func(redacted, mapping []byte) ([]byte, error) {
			return federation.SetField("content."+pseudoid.MappingField, gjson.ParseBytes(mapping).Value())(redacted)
		})
		c.Observe(kept.reading, "a member whose redacted join is given with its mapping: %s", kept.detail)
	},
})

// seenAs is how a server shows the member of a peer.
type seenAs struct{ reading, detail string }

// joinAfterRedaction lets a new user join a room of a peer in which the join of another member was redacted before, and returns
// how that member is shown. serve makes the join as the peer serves it, from its redacted form and its mapping.
func joinAfterRedaction(s *stage.Stage, serve func(redacted, mapping []byte) ([]byte, error)) seenAs {
	c, resident, alice := s.C, s.Peer(), s.User("alice")
	carol, dan := resident.User("carol"), resident.User("dan")
	room := resident.Makes(federation.RoomOptions{Creator: carol})
	dan.SetProfile(maliciousName, "")
	join := room.Applies(room.MemberTemplate(dan, "join").AlterAfterSigning(func(raw []byte) ([]byte, error) {
		redacted, err := pseudoid.Redact(raw, room.Format())
		if err != nil {
			return nil, err
		}
		redacted, err = federation.SetField(room.Format().SenderField(), dan.SenderIn(room.Room))(redacted)
		if err != nil {
			return nil, err
		}
		mapping, _ := pseudoid.MappingOf(raw)
		return serve(redacted, mapping)
	}))
	room.Apply(room.Builds(federation.Proto{Type: "m.room.redaction", Sender: carol, Redacts: join.ID()}))

	if _, err := alice.JoinRoom(c.Context(), room.ID(), resident.Name()); err != nil {
		return seenAs{"other", fmt.Sprintf("the server cannot join the room: %v", err)}
	}
	room.Blaming("membership/join-remote").AwaitsMember(alice.UserID, "join")
	said := room.Says(dan, "said by a member whose join was redacted")
	barrier := room.Says(carol, "said after that")
	alice.Blaming("membership/join-remote").AwaitsEventBy(room.ID(), barrier.ID(), carol.ID())
	shown, err := alice.Event(c.Context(), room.ID(), said.ID())
	if err != nil {
		return seenAs{"not-shown", fmt.Sprintf("its message is not shown: %v", err)}
	}
	switch sender := shown.Get("sender").String(); {
	case sender == dan.ID():
		return seenAs{"resolves", "shown by its user ID"}
	case strings.HasPrefix(sender, "@_unverified_"):
		return seenAs{"placeholder", "shown as " + sender}
	default:
		return seenAs{"other", "shown as " + sender}
	}
}
