package membership

// Membership changes that clients write as state, keyed by user ID: PUT /state/m.room.member/{userId}.

import (
	"github.com/stretchr/testify/assert"

	"msc4014/helpers/check"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// writtenChange is a change of a user's membership that a client writes as state.
type writtenChange struct {
	name, requirement string
	from, to          string // memberships; "" is that of a user who was never in the room
	own               bool   // the user writes it itself
}

// PUT /state takes member events, too (client-server API, Room events), and clients key them by user ID (hard requirement 1). A server
// that takes none in ordinary rooms need take none in pseudo-ID rooms.
func init() {
	for _, each := range []writtenChange{
		{"a local user is invited by a state event", "membership/invite-local", "", "invite", false},
		{"a local member is kicked by a state event", "membership/kick", "join", "leave", false},
		{"a local member is banned by a state event", "membership/ban", "join", "ban", false},
		{"the ban of a local user is lifted by a state event", "membership/unban", "ban", "leave", false},
		{"a local member leaves by a state event", "membership/leave", "join", "leave", true},
	} {
		check.Register(check.Check{
			Name: each.name, Requires: []string{each.requirement}, Path: "client, as state", Body: each.body,
		})
	}
}

func (w writtenChange) body(c *check.C) {
	m := openMeeting(c)
	w.ordinarily(m)
	bob, key := m.party("bob", false), ""
	if w.from != "" {
		bob, key = m.joined("bob", false)
	}
	if w.from == "ban" {
		m.alice.Bans(m.room.ID(), bob.id)
		m.room.Blaming("membership/ban").Awaits(scenes.MemberByKey(key, "ban"))
	}

	c.UnderTest()
	by := w.writer(m.alice, bob.local)
	c.Must(w.writes(c, by, bob.id, m.room.ID()))
	shown := m.alice.AwaitsMembership(m.room.ID(), bob.id, w.to)
	assert.Equal(c, by.UserID, shown.Get("sender").String(), "the sender of the member event, as a client in the room sees it")
	m.is(bob.id, w.to)

	wanted := scenes.MemberByKey(key, w.to)
	if w.from == "" {
		wanted = scenes.OfMembership(w.to)
	}
	sent := m.room.Awaits(wanted)
	_, err := pseudoid.ParseSenderKey(stateKeyOf(sent))
	assert.NoError(c, err, "the state key of the member event, as a peer receives it")
	assert.Equal(c, by.UserID, m.room.UserIDOf(sent.Sender()), "the user whose key sent the member event")
}

// ordinarily ends the check as unsupported if the same does not work in an ordinary room of the server.
func (w writtenChange) ordinarily(m meeting) {
	bob := m.User("ordinary-bob")
	roomID := m.alice.MakesOrdinary(stage.Public)
	alice := m.alice.Blaming(stage.OrdinaryRooms)
	if w.from != "" {
		bob.JoinsOrdinary(roomID)
		alice.AwaitsMembership(roomID, bob.UserID, "join")
	}
	if w.from == "ban" {
		m.C.Need(stage.OrdinaryRooms, alice.Ban(m.C.Context(), roomID, bob.UserID, ""))
		alice.AwaitsMembership(roomID, bob.UserID, "ban")
	}
	err := w.writes(m.C, w.writer(m.alice, bob), bob.UserID, roomID)
	if err == nil {
		_, err = alice.SeesMembership(roomID, bob.UserID, w.to)
	}
	if err != nil {
		m.C.Unsupported("this does not work in an ordinary room of the server either: %v", err)
	}
}

// writer is who writes the change.
func (w writtenChange) writer(alice, bob *stage.User) *stage.User {
	if w.own {
		return bob
	}
	return alice
}

func (w writtenChange) writes(c *check.C, by *stage.User, userID, roomID string) error {
	_, err := by.SendState(c.Context(), roomID, "m.room.member", userID, map[string]any{"membership": w.to})
	return err
}
