package membership

// A room with members of the server and of a peer, for what is done to their memberships.

import (
	"context"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// meeting is a room of Alice, and a peer whose user Carol is in it.
type meeting struct {
	*stage.Stage
	alice *stage.User
	peer  *stage.Peer
	carol *federation.User
	room  *stage.Room // as the peer knows it
}

// openMeeting makes a public room.
func openMeeting(c *check.C) meeting {
	s := stage.Open(c, blueprints.OneServer)
	opened := meeting{Stage: s, alice: s.User("alice"), peer: s.Peer()}
	opened.carol = opened.peer.User("carol")
	opened.room = opened.peer.Joins(opened.alice.Makes(stage.Public), opened.carol)
	opened.alice.Blaming("membership/remote-joins-us").AwaitsMembership(opened.room.ID(), opened.carol.ID(), "join")
	return opened
}

// openClosedMeeting makes a room that then takes an invite to enter.
func openClosedMeeting(c *check.C) meeting {
	opened := openMeeting(c)
	opened.joinRule("invite")
	return opened
}

// joinRule sets the join rule, and waits until the peer knows it.
func (m meeting) joinRule(rule string, allow ...any) {
	content := map[string]any{"join_rule": rule}
	if allow != nil {
		content["allow"] = allow
	}
	m.room.Blaming("routing/reaches-members").AwaitsEvent(m.alice.Sets(m.room.ID(), "m.room.join_rules", "", content))
}

// party is a user of the server or of the peer whose membership changes.
type party struct {
	id     string // user ID
	local  *stage.User
	remote *federation.User
}

// party registers a user.
func (m meeting) party(name string, isRemote bool) party {
	if isRemote {
		user := m.peer.User(name)
		return party{id: user.ID(), remote: user}
	}
	user := m.User(name)
	return party{id: user.UserID, local: user}
}

// joined registers a user that joins the room, and returns its key, too.
func (m meeting) joined(name string, isRemote bool) (user party, key string) {
	user = m.party(name, isRemote)
	if isRemote {
		m.peer.Joins(m.room.ID(), user.remote)
		m.alice.Blaming("membership/remote-joins-us").AwaitsMembership(m.room.ID(), user.id, "join")
		return user, user.remote.SenderIn(m.room.Room)
	}
	user.local.Joins(m.room.ID())
	m.alice.Blaming("membership/join-local").AwaitsMembership(m.room.ID(), user.id, "join")
	return user, m.room.Blaming("mapping/in-local-join").AwaitsMember(user.id, "join").Sender()
}

// joins lets a user join the room, if the server lets it.
func (m meeting) joins(user party) error {
	if user.local != nil {
		_, err := user.local.JoinRoom(m.C.Context(), m.room.ID())
		return err
	}
	_, err := m.peer.TryJoin(m.ServerName(1), m.room.ID(), user.remote)
	return err
}

// admits is the positive control of refused joins: a user joins, and Alice's client sees it.
func (m meeting) admits(user party) error {
	if err := m.joins(user); err != nil {
		return err
	}
	_, err := m.alice.SeesMembership(m.room.ID(), user.id, "join")
	return err
}

// keepsOut ensures that a user cannot join. What the request is answered with does not matter.
func (m meeting) keepsOut(user party, membership string) {
	m.C.NeedControl()
	m.C.Notef("the join of %s was answered with %v", user.id, m.joins(user))
	m.barrier()
	m.is(user.id, membership)
	if user.local != nil {
		if _, err := user.local.SendMessage(m.C.Context(), m.room.ID(), "said without having joined"); err == nil {
			m.C.Errorf("a user that must not be in the room can send messages to it")
		}
	}
}

// barrier has Carol say something, and waits until Alice's client sees it. She says it once she has heard what Alice said last: beside
// earlier events, it would leave the state of the room to state resolution.
func (m meeting) barrier() {
	m.room.Blaming("routing/reaches-members").AwaitsEvent(m.alice.Says(m.room.ID(), "said before that"))
	m.alice.AwaitsEvent(m.room.ID(), m.room.Says(m.carol, "said in between").ID())
}

// membership is the membership of a user in the room's present state, as Alice's client is given it; "" for none.
func (m meeting) membership(userID string) string {
	return membershipOf(m.C, m.alice, m.room.ID(), userID)
}

// is ensures that Alice's client is given a membership of a user in the room's present state.
func (m meeting) is(userID, membership string) {
	assert.Equal(m.C, membership, m.membership(userID), "the membership of a user in the room's state, as a client is given it")
}

// membershipOf is the membership of a user in the present state of a room, as a client of the server is given it; "" for none.
func membershipOf(c *check.C, by *stage.User, roomID, userID string) string {
	state, err := by.State(c.Context(), roomID)
	c.Need("client-view/unmodified-client", err)
	for _, event := range state.JSON().Array() {
		if event.Get("type").String() == "m.room.member" && event.Get("state_key").String() == userID {
			return event.Get("content.membership").String()
		}
	}
	return ""
}

// act is a request by which a user changes the membership of another one, by user ID.
type act func(u *stage.User, ctx context.Context, roomID, userID string) error

var (
	inviting act = func(u *stage.User, ctx context.Context, roomID, userID string) error {
		return u.Invite(ctx, roomID, userID)
	}
	kicking act = func(u *stage.User, ctx context.Context, roomID, userID string) error {
		return u.Kick(ctx, roomID, userID, theReason)
	}
	banning act = func(u *stage.User, ctx context.Context, roomID, userID string) error {
		return u.Ban(ctx, roomID, userID, theReason)
	}
	unbanning act = func(u *stage.User, ctx context.Context, roomID, userID string) error {
		return u.Unban(ctx, roomID, userID)
	}
)

// theReason is the reason of kicks and bans.
const theReason = "because of the check"

// does lets a user change the membership of another one. A refusal counts against what the check judges.
func (a act) does(c *check.C, by *stage.User, roomID, userID string) {
	c.Must(a(by, c.Context(), roomID, userID))
}

// awaitsAct waits until the peer receives the member event of a key, and ensures that it is of Alice.
func (m meeting) awaitsAct(key, membership string) federation.Event {
	event := m.room.Awaits(scenes.MemberByKey(key, membership))
	assert.Equal(m.C, m.alice.UserID, m.room.UserIDOf(event.Sender()), "the user whose key sent the member event (%s)", membership)
	return event
}

// saysBefore ensures that a member event shows the membership before it, where it shows that at all.
func saysBefore(c *check.C, event gjson.Result, membership string) {
	if before := event.Get("unsigned.prev_content"); before.Exists() {
		assert.Equal(c, membership, before.Get("membership").String(), "the membership in prev_content of a member event (%s)",
			event.Get("content.membership").String())
	}
}
