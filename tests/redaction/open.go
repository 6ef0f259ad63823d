package redaction

// What the text leaves open about redaction, leaving and deactivation: what becomes of the mapping, for those who are there
// and for those who come later (MSC4014, Addressing the problems 3: "how this functions at a protocol level is
// undetermined at this point").

import (
	"errors"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// Whether a redacted member event is still served with its mapping: to a client, and to a server that joins afterwards.
var _ = check.Register(check.Check{
	Name:     "whether a redacted member event is served with its mapping",
	Requires: []string{"redaction/mapping-field-stays"},
	Body: func(c *check.C) {
		const requirement, field = "redaction/mapping-field-stays", "content." + pseudoid.MappingField
		s := stage.OpenResident(c)
		bob, roomID := s.User("bob"), s.Room.ID()
		bob.Joins(roomID)
		join := s.Room.Blaming("routing/reaches-members").Awaits(scenes.NewMember(s.Room, s.Room.Blaming("mapping/in-creator-join").MemberOf(s.Alice.UserID).Sender(), "join"))
		scenes.MappingIn(c, join)
		s.Alice.Blaming("membership/join-local").AwaitsEvent(roomID, join.ID())
		before := s.Alice.Reads(roomID, join.ID()).Get(field).Exists()
		redaction := s.Alice.Blaming("redaction/others-by-power").Redacts(roomID, join.ID())
		s.Room.Blaming("routing/reaches-members").AwaitsEvent(redaction)
		s.Alice.Blaming("client-view/unmodified-client").AwaitsEvent(roomID, redaction)

		toClients := s.Alice.Reads(roomID, join.ID()).Get(field).Exists()
		later := s.Peer()
		given, known := later.Joins(roomID, later.User("later")).Event(join.ID())
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

// Whether a server that joins afterwards can still resolve the member. The resident is a peer that hands out the redacted
// join in the one form in which that is possible, with its mapping; what becomes of the bare form is noted.
var _ = check.Register(check.Check{
	Name:     "whether a later joiner resolves a member whose event was redacted",
	Requires: []string{"redaction/later-joiner-resolves"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		bare := joinsAfterRedaction(s, func(redacted, _ []byte) ([]byte, error) { return redacted, nil })
		c.Notef("a member whose redacted join is given without a mapping: %s", bare.told)
		kept := joinsAfterRedaction(s, func(redacted, mapping []byte) ([]byte, error) {
			return federation.SetField("content."+pseudoid.MappingField, gjson.ParseBytes(mapping).Value())(redacted)
		})
		c.Observe(kept.reading, "a member whose redacted join is given with its mapping: %s", kept.told)
	},
})

// seenAs is how a server shows the member of a peer.
type seenAs struct{ reading, told string }

// joinsAfterRedaction lets a new user join a room of a peer in which the join of another member was redacted before, and
// tells how that member is shown. serve makes the form of the join that the peer serves, of its redacted form and its
// mapping.
func joinsAfterRedaction(s *stage.Stage, serve func(redacted, mapping []byte) ([]byte, error)) seenAs {
	c, resident, alice := s.C, s.Peer(), s.User("alice")
	carol, dan := resident.User("carol"), resident.User("dan")
	room := resident.Makes(federation.RoomOptions{Creator: carol})
	dan.SetProfile(maliciousName, "")
	join, err := room.MemberTemplate(dan, "join").AlterAfterSigning(func(raw []byte) ([]byte, error) {
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
	}).Build()
	if err != nil {
		c.SuiteError(err)
	}
	room.Apply(join)
	room.Apply(room.Builds(federation.Proto{Type: "m.room.redaction", Sender: carol, Redacts: join.ID()}))

	if _, err := alice.JoinRoom(c.Context(), room.ID(), resident.Name()); err != nil {
		return seenAs{"other", fmt.Sprintf("the server does not get into the room: %v", err)}
	}
	room.Blaming("membership/join-remote").AwaitsMember(alice.UserID, "join")
	said := room.Says(dan, "said by a member whose join was redacted")
	barrier := room.Says(carol, "said after that")
	alice.Blaming("membership/join-remote").AwaitsEvent(room.ID(), barrier.ID())
	shown, err := alice.Event(c.Context(), room.ID(), said.ID())
	if err != nil {
		return seenAs{"not-shown", fmt.Sprintf("what it says is not shown: %v", err)}
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

// What deactivating an account does to the mapping: "in order to remove the mxid_mapping field (e.g. for PII removal), the
// account in question should be deactivated".
var _ = check.Register(check.Check{
	Name:     "what deactivation does to the mapping",
	Requires: []string{"redaction/deactivation"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		bob, alice, roomID := s.User("bob"), s.Alice, s.Room.ID()
		bob.Joins(roomID)
		said := bob.Says(roomID, "said before the deactivation")
		alice.Blaming("client-view/unmodified-client").AwaitsEvent(roomID, said)
		bob.Deactivates()
		// Who leaves is not looked for by user ID, since that may be gone.
		ctx, cancel := c.Within(stage.Patience)
		defer cancel()
		_, err := alice.Timeline(roomID).Wait(ctx, match.All(match.Type("m.room.member"), match.KeyEqual("content.membership", "leave")))
		earlier := alice.Reads(roomID, said).Get("sender").String()
		detail := fmt.Sprintf("an earlier message is shown as by %s", earlier)
		switch {
		case err != nil && earlier == bob.UserID:
			c.Observe("stays-joined", "%s; no leave was seen: %v", detail, err)
		case err == nil && earlier == bob.UserID:
			c.Observe("mapping-stays", "%s", detail)
		case err == nil:
			c.Observe("mapping-removed", "%s", detail)
		default:
			c.Observe("other", "%s; no leave was seen: %v", detail, err)
		}
	},
})

// What leaving does to the mapping, and so to how earlier events show: to a client that was there, and to a server that
// joins when the member is gone and fetches what it said (MSC4014, discussion).
var _ = check.Register(check.Check{
	Name:     "what leaving does to how earlier events show",
	Requires: []string{"redaction/leave-and-mapping"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		alice, gone := s.Alice, s.Witness.User("gone")
		s.Witness.Joins(s.Room.ID(), gone)
		said := s.Room.Says(gone, "said before leaving")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(s.Room.ID(), said.ID())
		s.Room.Leaves(gone)
		barrier := s.Room.Says(s.Witness.User("witness"), "said when the other has left")
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(s.Room.ID(), barrier.ID())
		present := alice.Reads(s.Room.ID(), said.ID()).Get("sender").String()

		later, err := shownToLaterJoiner(s.Stage, s.Witness, gone)
		detail := fmt.Sprintf("%s is shown as %q to a client that was there, and as %q on a server that joins later", gone.ID(), present, later)
		if err != nil {
			detail += fmt.Sprintf(" (%v)", err)
		}
		switch {
		case present == gone.ID() && later == gone.ID():
			c.Observe("user-id-for-all", "%s", detail)
		case present == gone.ID() && err == nil:
			c.Observe("user-id-for-present", "%s", detail)
		case err == nil && later != gone.ID():
			c.Observe("user-id-gone", "%s", detail)
		default:
			c.Observe("other", "%s", detail)
		}
	},
})

// shownToLaterJoiner lets a user of the server under test join a room of a peer when another has spoken there and left, and
// returns as whose the message is shown; the error tells why it is not shown.
func shownToLaterJoiner(s *stage.Stage, resident *stage.Peer, gone *federation.User) (sender string, err error) {
	carol, joiner := resident.User("carol"), s.User("joiner")
	room := resident.Makes(federation.RoomOptions{Creator: carol})
	build := func(template federation.Template) {
		event, err := template.Build()
		if err != nil {
			s.C.SuiteError(err)
		}
		room.Apply(event)
	}
	build(room.MemberTemplate(gone, "join"))
	said := room.Builds(federation.TextMessage(gone, "said before leaving"))
	room.Apply(said)
	build(room.MemberTemplate(gone, "leave"))
	if _, err := joiner.JoinRoom(s.C.Context(), room.ID(), resident.Name()); err != nil {
		return "", fmt.Errorf("the server does not get into a room that a member has left: %w", err)
	}
	room.Blaming("membership/join-remote").AwaitsMember(joiner.UserID, "join")
	joiner.Blaming("membership/join-remote").AwaitsMembership(room.ID(), joiner.UserID, "join")
	found, err := joiner.PagesBackTo(room.ID(), said.ID())
	return found.Get("sender").String(), err
}
