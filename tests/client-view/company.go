package clientview

// What clients do with rooms is tried in an ordinary room first: hard requirement 1 asks that it works as there, not that the server
// has every feature of the Matrix specification.

import (
	"fmt"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// company is a public room of hs1 with two members: Alice, a user of hs1 who created it, and the other, of hs1 or of a peer.
type company struct {
	*stage.Stage
	roomID   string
	ordinary bool // it is not a pseudo-ID room
	alice    *stage.User
	bob      *stage.User // the other, if it is of hs1

	peer  *stage.Peer
	room  *stage.Room      // the peer's
	carol *federation.User // the other, if it is of the peer
}

// origin is where the other member is from.
type origin string

const (
	local  origin = "a user of the same server"
	remote origin = "a user of a peer"
)

// feature is something that clients do in rooms. It returns an error if it does not work.
type feature struct {
	name string
	try  func(company) error
}

// inVain is how long a check of several features takes that waits in vain for each that a server lacks.
const inVain = 30 * time.Second

// works tries features in an ordinary room and then in a pseudo-ID room, each with users of its own. What works in the first must work
// in the second. The check ends as unsupported if nothing does in the first.
func works(c *check.C, from origin, options []stage.Option, features []feature) {
	worksOn(c, blueprints.OneServer, from, options, features)
}

// worksOn is works on a server of another blueprint.
func worksOn(c *check.C, blueprint stage.Blueprint, from origin, options []stage.Option, features []feature) {
	s := stage.Open(c, blueprint)
	ordinary := keepsCompany(s, from, true, options)
	var known []feature
	for _, each := range features {
		if err := each.try(ordinary); err != nil {
			c.NotJudged(each.name, "it does not work in an ordinary room either: %v", err)
			continue
		}
		known = append(known, each)
	}
	if len(known) == 0 {
		c.Unsupported("nothing of this works in an ordinary room of the server either")
	}
	pseudonymous := keepsCompany(s, from, false, options)
	c.UnderTest()
	for _, each := range known {
		if err := each.try(pseudonymous); err != nil {
			c.Errorf("%s: works in an ordinary room, and not in a pseudo-ID room: %v", each.name, err)
		}
	}
}

// keepsCompany creates the room and lets the other join.
func keepsCompany(s *stage.Stage, from origin, ordinary bool, options []stage.Option) company {
	m := company{Stage: s, ordinary: ordinary, alice: s.User("alice")}
	options = append([]stage.Option{stage.Public}, options...)
	if ordinary {
		m.roomID = m.alice.MakesOrdinary(options...)
	} else {
		m.roomID = m.alice.Makes(options...)
	}
	if from == local {
		m.bob = s.User("bob")
	} else {
		m.peer = s.Peer()
		m.carol = m.peer.User("carol")
	}
	m.joins()
	return m
}

// joins lets the other join, or join again, and waits until Alice and, if it is of a peer, the peer are told.
func (m *company) joins() {
	blame := "membership/join-local"
	switch {
	case m.bob != nil && m.ordinary:
		m.bob.JoinsOrdinary(m.roomID)
	case m.bob != nil:
		m.bob.Joins(m.roomID)
	case m.ordinary:
		m.room = m.peer.JoinsOrdinary(m.roomID, m.carol)
	default:
		m.room = m.peer.Joins(m.roomID, m.carol)
	}
	if m.bob == nil {
		blame = "membership/remote-joins-us"
	}
	if m.ordinary {
		blame = stage.OrdinaryRooms
	}
	m.alice.Blaming(blame).AwaitsMembership(m.roomID, m.other(), "join")
	if m.room != nil {
		// Servers may begin to send events to the server of a new member a little after they show the member to clients.
		said := m.alice.Says(m.roomID, "said to the new member")
		if m.ordinary {
			m.C.Need(stage.OrdinaryRooms, m.room.Receives(said))
		} else {
			m.C.Need("routing/reaches-members", m.room.Receives(said))
		}
	}
}

// other returns the user ID of the other member.
func (m company) other() string {
	if m.bob != nil {
		return m.bob.UserID
	}
	return m.carol.ID()
}

// sends lets the other send an event, which Alice must see as sent by that user.
func (m company) sends(eventType string, content map[string]any) (eventID string, err error) {
	if m.bob != nil {
		eventID, err = m.bob.SendEvent(m.C.Context(), m.roomID, eventType, content)
		if err != nil {
			return "", err
		}
	} else {
		event := m.room.Builds(federation.Proto{Type: eventType, Sender: m.carol, Content: content})
		m.room.Delivers(event)
		eventID = event.ID()
	}
	return eventID, m.alice.SeesEvent(m.roomID, eventID)
}

// says lets the other send a text message with further content.
func (m company) says(text string, more map[string]any) (eventID string, err error) {
	content := map[string]any{"msgtype": "m.text", "body": text}
	for name, value := range more {
		content[name] = value
	}
	return m.sends("m.room.message", content)
}

// differs returns an error if two values are not the same.
func differs(what string, got, want any) error {
	if fmt.Sprint(got) != fmt.Sprint(want) {
		return fmt.Errorf("%s: %v, wanted %v", what, got, want)
	}
	return nil
}
