package membership

// A room with members of the server and of a peer, for what is done to their memberships.

import (
	"context"
	"fmt"

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
	peer   *stage.Peer // of the remote one
}

// party registers a user.
func (m meeting) party(name string, isRemote bool) party {
	if isRemote {
		return guestOf(m.peer, m.peer.User(name))
	}
	user := m.User(name)
	return party{id: user.UserID, local: user}
}

// guestOf is a user of a peer.
func guestOf(peer *stage.Peer, user *federation.User) party {
	return party{id: user.ID(), remote: user, peer: peer}
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
	_, err := user.peer.TryJoin(m.ServerName(1), m.room.ID(), user.remote)
	return err
}

// pushesJoin sends the join of a user of a peer by send_join without asking for a template, or returns why it is refused. In a restricted
// room it names Alice as who lets the user in.
func (m meeting) pushesJoin(user party) error {
	join := m.room.MemberTemplate(user.remote, "join")
	if rules, _ := m.room.StateEvent("m.room.join_rules", ""); rules.Get("content.join_rule").String() == "restricted" {
		join = join.Naming("join_authorised_via_users_server", m.room.SenderOf(m.alice.UserID))
	}
	ctx, cancel := user.peer.Within()
	defer cancel()
	answer, err := user.peer.SendJoin(ctx, m.ServerName(1), m.room.ID(), m.room.Made(join))
	m.C.Need("resilience/stays-up", err)
	if !answer.OK() {
		return fmt.Errorf("send_join without make_join was answered with %s", answer.Answer)
	}
	return nil
}

// admits is the positive control of refused joins: a user joins, and Alice's client sees it.
func (m meeting) admits(user party) error {
	if err := m.joins(user); err != nil {
		return err
	}
	_, err := m.alice.SeesMembership(m.room.ID(), user.id, "join")
	return err
}

// keepsOut ensures that a user cannot join, nor one of a peer that sends its join although make_join is refused: join rules hold for every
// join (authorisation rules, m.room.member). What the requests are answered with does not matter.
func (m meeting) keepsOut(user party, membership string) {
	m.C.NeedControl()
	err := m.joins(user)
	m.C.Notef("the join of %s was answered with %v", user.id, err)
	if user.remote != nil && err != nil {
		m.C.Notef("then its join was answered with %v", m.pushesJoin(user))
	}
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
