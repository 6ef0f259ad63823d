package routing

// Servers whose users are invited or knock are not in the room: they get its events when a user of theirs has joined.

import (
	"strings"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// waiting is a user of a peer who is not in the room of Alice yet, and a witness who is.
type waiting struct {
	*stage.Stage
	alice   *stage.User
	witness *stage.Room
	peer    *stage.Peer
	user    *federation.User
}

var waitings = []struct {
	name, membership, path string // the membership is also the join rule
	begins                 func(w waiting)
}{
	{"is invited", "invite", "invite", func(w waiting) {
		w.alice.Blaming("membership/invite-remote").Invites(w.witness.ID(), w.user.ID())
	}},
	{"is knocking", "knock", "send_knock", func(w waiting) {
		knock := w.witness.BuildsMember(w.user, "knock")
		answer := delivery.PutMember(w.Stage, w.peer, "v1/send_knock", knock)
		w.C.Notef("the server answered the knock with %s", answer)
	}},
}

// Events and EDUs of a room go to the servers in it (server-server API, transactions): not to those whose only users there are
// invited or knocking, except for these users' own member events.
func init() {
	for _, each := range waitings {
		check.Register(check.Check{
			Name:     "nothing of a room is sent to a server whose only user there " + each.name,
			Requires: []string{"routing/joined-only"},
			Path:     each.path,
			Body: func(c *check.C) {
				s := stage.Open(c, blueprints.OneServer)
				w := waiting{Stage: s, alice: s.User("alice"), peer: s.Peer()}
				w.user = w.peer.User("waiting")
				roomID := w.alice.Makes(stage.Public)
				witness := s.Peer()
				w.witness = witness.Joins(roomID, witness.User("witness"))
				rule := w.alice.Sets(roomID, "m.room.join_rules", "", map[string]any{"join_rule": each.membership})
				w.witness.Blaming("routing/reaches-members").AwaitsEvent(rule)
				// What is queued for the peer arrives before what it is sent of another room.
				elsewhere := w.peer.Joins(w.alice.Makes(stage.Public), w.user)
				c.Control(elsewhere.Receives(w.alice.Says(elsewhere.ID(), "said elsewhere")))

				each.begins(w)
				w.awaits(each.membership)
				w.witness.Blaming("routing/reaches-members").AwaitsEvent(w.speaks(roomID))
				w.alice.Sets(roomID, "m.room.topic", "", map[string]any{"topic": "set while a user waits"})
				elsewhere.Blaming("routing/reaches-members").AwaitsEvent(w.speaks(elsewhere.ID()))
				c.Need("routing/edus", scenes.Typing.Arrives(w.peer, w.types(elsewhere.ID())))
				w.receivedNothing(roomID)
			},
		})
	}
}

// awaits waits until the witness receives the user's member event, which ends what the user waits to begin.
func (w waiting) awaits(membership string) {
	key := w.user.SenderIn(w.witness.Room)
	requirement := "membership/invite-remote"
	if membership == "knock" {
		requirement = "membership/knock"
	}
	w.witness.Blaming(requirement).Awaits(scenes.MemberByKey(key, membership))
}

// speaks lets Alice type and send a message, whose ID it returns.
func (w waiting) speaks(roomID string) (eventID string) {
	w.types(roomID)
	return w.alice.Says(roomID, "said while a user waits")
}

func (w waiting) types(roomID string) match.Matcher {
	typing, err := scenes.Typing.Happens(w.C.Context(), scenes.Occasion{User: w.alice, RoomID: roomID})
	w.C.Need("routing/edus", err)
	return typing
}

// receivedNothing ensures that the peer was sent nothing of the room but its user's own member events.
func (w waiting) receivedNothing(roomID string) {
	c := w.C
	c.NeedControl()
	own := w.user.SenderIn(w.witness.Room)
	for _, arrival := range w.peer.Received() {
		if event := arrival.Event; event.RoomID() == roomID && !event.IsState("m.room.member", own) {
			c.Errorf("a server without a joined member in the room was sent an event of type %s", event.Type())
		}
	}
	for _, edu := range w.peer.ReceivedEDUs() {
		if strings.Contains(string(edu.Raw), roomID) {
			c.Errorf("a server without a joined member in the room was sent %s of it", edu.Type)
		}
	}
}
