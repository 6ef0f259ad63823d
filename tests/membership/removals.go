package membership

// Kicks and bans: of local and remote members, by clients and by other servers.

import (
	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// removal is a way to remove a member.
type removal struct {
	requirement, does, done string
	membership, afterwards  string // of who was removed
	act                     act
}

var removals = []removal{
	{"membership/kick", "kicks", "is kicked", "leave", "who was kicked can join again", kicking},
	{"membership/ban", "bans", "is banned", "ban", "who was banned can neither join nor be invited", banning},
}

func init() {
	for _, each := range removals {
		// Clients kick and ban by user ID (client-server API, Room membership; hard requirement 1). Who is removed sees that, and so does
		// everybody else, also other servers.
		check.Register(check.Check{
			Name: "a local member " + each.done, Requires: []string{each.requirement}, Path: "client",
			Body: each.removesLocal,
		})
		check.Register(check.Check{
			Name: "a member of a peer " + each.done, Requires: []string{each.requirement}, Path: "client, of a remote member",
			Body: each.removesRemote,
		})
		check.Register(check.Check{
			Name: "a member of another server " + each.done, Requires: []string{each.requirement}, Path: "client, two servers", TwoServers: true,
			Body: each.removesOfOther,
		})
		// The key stands where the user ID stands in other rooms (MSC1228, Proposal), also in what other servers' moderators do.
		check.Register(check.Check{
			Name: "a user of a peer " + each.does + " a local member", Requires: []string{each.requirement}, Path: "send",
			Body: each.removedByPeer,
		})
		check.Register(check.Check{
			Name: "a local member " + each.afterwards, Requires: []string{each.requirement}, Path: "join again",
			Body: func(c *check.C) { each.joinsAgain(c, false) },
		})
		check.Register(check.Check{
			Name: "a member of a peer " + each.afterwards, Requires: []string{each.requirement},
			Path: "join again, of a remote member",
			Body: func(c *check.C) { each.joinsAgain(c, true) },
		})
	}
}

func (r removal) removesLocal(c *check.C) {
	m := openMeeting(c)
	bob, key := m.joined("bob", false)
	before := bob.local.SyncToken()
	r.act.does(c, m.alice, m.room.ID(), bob.id)

	for _, shown := range []struct {
		what  string
		event func() (sender, reason string)
	}{
		{"a client in the room", func() (string, string) {
			event := m.alice.AwaitsMembership(m.room.ID(), bob.id, r.membership)
			saysBefore(c, event, "join")
			return event.Get("sender").String(), event.Get("content.reason").String()
		}},
		{"the client of who is removed", func() (string, string) {
			event := bob.local.AwaitsOwn(before, m.room.ID(), r.membership)
			return event.Get("sender").String(), event.Get("content.reason").String()
		}},
	} {
		sender, reason := shown.event()
		assert.Equal(c, m.alice.UserID, sender, "the sender of the removal, as %s sees it", shown.what)
		assert.Equal(c, theReason, reason, "the reason of the removal, as %s sees it", shown.what)
	}
	m.awaitsAct(key, r.membership)
	m.alice.SeesMembers(m.room.ID(), m.alice.UserID, m.carol.ID())
	if _, err := bob.local.SendMessage(c.Context(), m.room.ID(), "said after the removal"); err == nil {
		c.Errorf("a user that was removed from the room can still send messages to it")
	}
}

func (r removal) removesRemote(c *check.C) {
	m := openMeeting(c)
	dan, key := m.joined("dan", true)
	r.act.does(c, m.alice, m.room.ID(), dan.id)
	event := m.alice.AwaitsMembership(m.room.ID(), dan.id, r.membership)
	assert.Equal(c, m.alice.UserID, event.Get("sender").String(), "the sender of the removal, as a client in the room sees it")
	saysBefore(c, event, "join")
	m.awaitsAct(key, r.membership)
	m.alice.SeesMembers(m.room.ID(), m.alice.UserID, m.carol.ID())
}

func (r removal) removesOfOther(c *check.C) {
	s := stage.OpenSharedRoom(c)
	r.removesOrdinarily(s)
	c.UnderTest()
	s.Alice.Blaming("membership/join-remote").AwaitsMembership(s.RoomID, s.Bob.UserID, "join")
	before := s.Bob.SyncToken()
	r.act.does(c, s.Alice, s.RoomID, s.Bob.UserID)
	s.Alice.AwaitsMembership(s.RoomID, s.Bob.UserID, r.membership)
	own := s.Bob.AwaitsOwn(before, s.RoomID, r.membership)
	assert.Equal(c, s.Alice.UserID, own.Get("sender").String(), "the sender of the removal, as the client of who is removed sees it")
	s.Alice.SeesMembers(s.RoomID, s.Alice.UserID)
}

// removesOrdinarily is the positive control: who is removed from an ordinary room by a user of another server is told.
func (r removal) removesOrdinarily(s stage.SharedRoom) {
	alice, bob := s.Alice.Blaming(stage.OrdinaryRooms), s.Bob
	roomID := alice.MakesOrdinary(stage.Public)
	bob.JoinsOrdinary(roomID, s.ServerName(1))
	alice.AwaitsMembership(roomID, bob.UserID, "join")
	before := bob.SyncToken()
	s.C.Control(r.act(alice, s.C.Context(), roomID, bob.UserID))
	s.C.Control(bob.SeesRoomIn(before, "leave", roomID))
}

func (r removal) removedByPeer(c *check.C) {
	s := stage.Open(c, blueprints.OneServer)
	bob, dora, resident := s.User("bob"), s.User("dora"), s.Peer()
	carol := resident.User("carol")
	room := resident.Makes(federation.RoomOptions{Creator: carol})
	for _, user := range []*stage.User{dora, bob} {
		user.Joins(room.ID(), resident.Name())
		room.Blaming("membership/join-remote").AwaitsMember(user.UserID, "join")
		user.LetsVerify(room.ID(), carol.ID())
	}
	dora.Blaming("membership/join-remote").AwaitsMembership(room.ID(), bob.UserID, "join")
	before := bob.SyncToken()

	room.Delivers(room.Builds(membershipBy(room, carol, room.SenderOf(bob.UserID), r.membership)))
	event := dora.AwaitsMembership(room.ID(), bob.UserID, r.membership)
	assert.Equal(c, carol.ID(), event.Get("sender").String(), "the sender of the removal, as a client in the room sees it")
	own := bob.AwaitsOwn(before, room.ID(), r.membership)
	assert.Equal(c, carol.ID(), own.Get("sender").String(), "the sender of the removal, as the client of who is removed sees it")
	dora.SeesMembers(room.ID(), dora.UserID, carol.ID())
}

// membershipBy is a member event of one member about another.
func membershipBy(room *stage.Room, by *federation.User, key, membership string) federation.Proto {
	return federation.Proto{
		Type: "m.room.member", StateKey: federation.StateKey(key), Sender: by, Content: map[string]string{"membership": membership},
	}
}

// joinsAgain ensures that a user who was kicked can join again, and one who was banned cannot, nor be invited.
func (r removal) joinsAgain(c *check.C, isRemote bool) {
	m := openMeeting(c)
	target, key := m.joined("target", isRemote)
	if r.membership == "leave" {
		r.act.does(c, m.alice, m.room.ID(), target.id)
		m.awaitsAct(key, "leave")
		c.Must(m.admitsAgain(target))
		return
	}
	other, otherKey := m.joined("other", isRemote)
	m.alice.Kicks(m.room.ID(), other.id)
	m.room.Blaming("membership/kick").Awaits(scenes.MemberByKey(otherKey, "leave"))
	c.Control(m.admitsAgain(other))

	r.act.does(c, m.alice, m.room.ID(), target.id)
	m.awaitsAct(key, "ban")
	c.UnderTest()
	m.keepsOut(target, "ban")
	c.Notef("the invite of a banned user was answered with %v", m.alice.Invite(c.Context(), m.room.ID(), target.id))
	m.barrier()
	m.is(target.id, "ban")
}

// admitsAgain lets a user join that was in the room before, and ensures that clients see it as a member.
func (m meeting) admitsAgain(user party) error {
	if err := m.joins(user); err != nil {
		return err
	}
	said := ""
	if user.local == nil {
		said = m.room.Says(user.remote, "said after coming back").ID()
	} else {
		eventID, err := user.local.SendMessage(m.C.Context(), m.room.ID(), "said after coming back")
		if err != nil {
			return err
		}
		said = eventID
	}
	if err := m.alice.SeesEvent(m.room.ID(), said); err != nil {
		return err
	}
	m.is(user.id, "join")
	return nil
}
