package redaction

// Who may redact: a member its own events, whoever has the same sender key; others' events by power. A redaction that is not
// allowed may be accepted into the room; the event that it redacts must stay as it is.

import (
	"fmt"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/check"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

const redactable = "said, to be redacted"

// isRedacted returns an error if a client is shown the body of a message.
func isRedacted(user *stage.User, roomID, eventID string) error {
	event := user.Reads(roomID, eventID)
	if body := event.Get("content.body"); body.Exists() {
		return fmt.Errorf("GET /event of the redacted message %s still has the body %q", eventID, body.String())
	}
	return nil
}

// A member may redact its own events: the sender keys of the message and of the redaction are equal (MSC1228, Other things
// that might fall out nicely).
var _ = check.Register(check.Check{
	Name:     "a user redacts its own message",
	Requires: []string{"redaction/own-by-key"},
	Path:     "client",
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		bob, roomID := s.User("bob"), s.Room.ID()
		bob.Joins(roomID)
		said := bob.Says(roomID, redactable)
		s.Alice.Blaming("membership/join-local").AwaitsEvent(roomID, said)
		s.Room.Blaming("routing/reaches-members").AwaitsEvent(said)
		c.UnderTest()
		redaction := bob.Redacts(roomID, said)
		s.Alice.AwaitsRedaction(roomID, redaction)
		assert.NoError(c, isRedacted(s.Alice, roomID, said))
		s.Room.Awaits(redactionOf(said))
	},
})

// And so may a member of another server.
var _ = check.Register(check.Check{
	Name:     "a user of a peer redacts its own message",
	Requires: []string{"redaction/own-by-key"},
	Path:     "send",
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		carol, roomID := s.Witness.User("witness"), s.Room.ID()
		said := s.Room.Says(carol, redactable)
		s.Alice.Blaming("membership/remote-joins-us").AwaitsEvent(roomID, said.ID())
		c.UnderTest()
		s.Room.Redacts(carol, said.ID())
		barrier := s.Room.Says(carol, "said after the redaction")
		s.Alice.AwaitsEvent(roomID, barrier.ID())
		assert.NoError(c, isRedacted(s.Alice, roomID, said.ID()))
	},
})

// Others' events it may redact only with the power to (room version 3, Handling redactions). Control and lie differ in who
// redacts alone. The author is of another server: whether users of one server may redact each other's events is open
// (redaction/other-key-same-server).
func init() {
	for _, each := range []struct {
		name, path string
		// members joins one with power to redact and one without.
		members func(s stage.Residence) (powerful, powerless member)
		// says sends a message of a user of another server than these two.
		says func(s stage.Residence) (eventID string)
	}{
		{"a user without power cannot redact another's message", "client", func(s stage.Residence) (powerful, powerless member) {
			var users []member
			for _, name := range []string{"powerful", "powerless"} {
				user := s.User(name)
				user.Joins(s.Room.ID())
				users = append(users, attempting{local{user, s.C, s.Room.ID(), "client-view/unmodified-client"}})
			}
			return users[0], users[1]
		}, func(s stage.Residence) string {
			said := s.Room.Says(s.Witness.User("witness"), redactable)
			s.Alice.Blaming("membership/remote-joins-us").AwaitsEvent(s.Room.ID(), said.ID())
			return said.ID()
		}},
		{"a user of a peer without power cannot redact another's message", "send", func(s stage.Residence) (powerful, powerless member) {
			powerfulUser := s.Witness.User("powerful")
			s.Witness.Joins(s.Room.ID(), powerfulUser)
			return remote{powerfulUser, s.Room}, remote{s.Witness.User("witness"), s.Room}
		}, func(s stage.Residence) string {
			said := s.Alice.Says(s.Room.ID(), redactable)
			s.Room.Blaming("routing/reaches-members").AwaitsEvent(said)
			return said
		}},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"redaction/others-by-power"},
			Path:     each.path,
			Body: func(c *check.C) {
				s := stage.OpenResident(c)
				alice, roomID := s.Alice, s.Room.ID()
				powerful, powerless := each.members(s)
				alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, powerful.ID(), "join")
				alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, powerless.ID(), "join")
				power := alice.Blaming("client-view/power-levels-write").GivesPower(roomID, map[string]int{powerful.ID(): 50})
				s.Room.Blaming("routing/reaches-members").AwaitsEvent(power)
				first, second := each.says(s), each.says(s)

				powerful.redacts(first)
				alice.Blaming("client-view/unmodified-client").AwaitsEvent(roomID, powerful.says("said after the redaction"))
				c.Control(isRedacted(alice, roomID, first))
				s.Room.Fetches(second)

				c.UnderTest()
				powerless.redacts(second)
				alice.Blaming("client-view/unmodified-client").AwaitsEvent(roomID, powerless.says("said after the other redaction"))
				isNotRedacted(s, second)
			},
		})
	}
}

// isNotRedacted ensures that clients and peers are served a message with its body.
func isNotRedacted(s stage.Residence, eventID string) {
	const broken = "a member without power has redacted another's message"
	if isRedacted(s.Alice, s.Room.ID(), eventID) == nil {
		s.C.Errorf(broken + ": GET /event shows it without its body")
	}
	for _, view := range s.Alice.Views(s.Room.ID()) {
		for _, event := range scenes.EventsOf(view, eventID) {
			if event.Get("content.body").String() != redactable {
				s.C.Errorf("%s: %s shows %s", broken, view.Name, event.Get("content").Raw)
			}
		}
	}
	served := s.Room.Fetches(eventID)
	assert.Equal(s.C, redactable, served.Get("content.body").String(), "the body of the message as peers are served it")
}

// Whether a member without power may redact the events of another key of the same server: by the Matrix specification
// domains are compared, by MSC1228 keys are. Tried by the server's clients, and by a peer.
var _ = check.Register(check.Check{
	Name:     "whether another user of the same server may redact",
	Requires: []string{"redaction/other-key-same-server"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		alice, roomID := s.Alice, s.Room.ID()
		bob, eve := s.User("bob"), s.User("eve")
		bob.Joins(roomID)
		eve.Joins(roomID)
		byClient := mayRedact(alice, roomID, local{bob, c, roomID, "client-view/unmodified-client"},
			attempting{local{eve, c, roomID, "client-view/unmodified-client"}})

		carol, dan := s.Witness.User("witness"), s.Witness.User("dan")
		s.Witness.Joins(roomID, dan)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, dan.ID(), "join")
		bySend := mayRedact(alice, roomID, remote{carol, s.Room}, remote{dan, s.Room})
		detail := fmt.Sprintf("by its client: %v; by /send of a peer: %v", byClient, bySend)
		switch {
		case byClient != bySend:
			c.Observe("differs-by-path", "%s", detail)
		case byClient:
			c.Observe("accepted", "%s", detail)
		default:
			c.Observe("refused", "%s", detail)
		}
	},
})

// mayRedact lets one member redact a message of another, and reports whether Alice's client is shown it as redacted.
func mayRedact(alice *stage.User, roomID string, author, redactor member) bool {
	said := author.says(redactable)
	alice.Blaming("client-view/unmodified-client").AwaitsEvent(roomID, said)
	redactor.redacts(said)
	alice.Blaming("client-view/unmodified-client").AwaitsEvent(roomID, redactor.says("said after the redaction"))
	return isRedacted(alice, roomID, said) == nil
}
