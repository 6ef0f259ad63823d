package clientview

// Power levels are written by user ID, and stand in events by key.

import (
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// Clients write power levels by user ID, as in any room (MSC4014, hard requirement 1). On the wire they are by sender key (MSC1228,
// Proposal), and they count.
var _ = check.Register(check.Check{
	Name:     "a user gives power by user ID to a member of its server and to one of a peer",
	Requires: []string{"client-view/power-levels-write"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, peer := s.User("alice"), s.User("bob"), s.Peer()
		carol := peer.User("carol")
		roomID := alice.Makes(stage.Public)
		bob.Joins(roomID)
		room := peer.Joins(roomID, carol)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, carol.ID(), "join")
		want := levelsRead(c, alice, roomID)

		given := alice.GivesPower(roomID, map[string]int{bob.UserID: 50, carol.ID(): 60})
		want[bob.UserID], want[carol.ID()] = 50, 60
		bob.AwaitsEvent(roomID, given)
		assert.Equal(c, want, levelsRead(c, alice, roomID), "users of the power levels, as who wrote them reads them")
		assert.Equal(c, want, levelsRead(c, bob, roomID), "users of the power levels, as another member reads them")
		levels := room.AwaitsEvent(given)
		haveOnWire(c, room, levels, map[string]int{bob.UserID: 50, carol.ID(): 60})

		// Names take power 50.
		_, err := bob.SendState(c.Context(), roomID, "m.room.name", "", map[string]any{"name": "named by Bob"})
		c.Must(err)
		named := room.Builds(stateOf(carol, "m.room.name", "", map[string]any{"name": "named by Carol"}))
		room.Delivers(named)
		alice.AwaitsEvent(roomID, named.ID())
	},
})

// Admins change power levels by turns: each reads them, changes one, and writes all of them back. Nothing may be lost on the way from
// keys to user IDs and back.
var _ = check.Register(check.Check{
	Name:     "a user and an admin of a peer change power levels by turns",
	Requires: []string{"client-view/power-levels-write"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, peer := s.User("alice"), s.User("bob"), s.Peer()
		carol, dan := peer.User("carol"), peer.User("dan")
		roomID := alice.Makes(stage.Public)
		bob.Joins(roomID)
		room := peer.Joins(roomID, carol)
		room.JoinsByEvent(dan)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, dan.ID(), "join")
		want := levelsRead(c, alice, roomID)
		given := room.AwaitsEvent(alice.GivesPower(roomID, map[string]int{carol.ID(): 100}))

		content := csapi.Object(given.Get("content"))
		users, named := content["users"].(map[string]any)
		if !named {
			c.Failf("the power levels that a client gave to a user name no users on the wire: %v", content)
		}
		users[dan.SenderIn(room.Room)] = 30
		back := room.Builds(stateOf(carol, "m.room.power_levels", "", content))
		room.Delivers(back)
		alice.AwaitsEvent(roomID, back.ID())
		want[carol.ID()], want[dan.ID()] = 100, 30
		assert.Equal(c, want, levelsRead(c, alice, roomID), "users of the power levels that an admin of a peer wrote, as a client reads them")

		again := room.AwaitsEvent(alice.GivesPower(roomID, map[string]int{bob.UserID: 40}))
		haveOnWire(c, room, again, map[string]int{carol.ID(): 100, dan.ID(): 30, bob.UserID: 40})
		want[bob.UserID] = 40
		assert.Equal(c, want, levelsRead(c, alice, roomID), "users of the power levels that a client wrote back")
	},
})

// The same with two admins who are clients of two servers.
var _ = check.Register(check.Check{
	Name:       "admins of two servers change power levels by turns",
	Requires:   []string{"client-view/power-levels-write"},
	TwoServers: true,
	Body: func(c *check.C) {
		s := stage.OpenSharedRoom(c)
		dan, erin := s.UserAt(1, "dan"), s.UserAt(2, "erin")
		dan.Joins(s.RoomID)
		erin.Joins(s.RoomID, s.ServerName(1))
		s.Bob.Blaming("membership/join-local").AwaitsMembership(s.RoomID, dan.UserID, "join")
		s.Alice.Blaming("membership/join-remote").AwaitsMembership(s.RoomID, erin.UserID, "join")
		want := levelsRead(c, s.Alice, s.RoomID)
		writes := func(from, to *stage.User, userID string, level int) {
			to.AwaitsEvent(s.RoomID, from.GivesPower(s.RoomID, map[string]int{userID: level}))
			want[userID] = level
			for _, reader := range []*stage.User{from, to} {
				what := "users of the power levels that " + from.UserID + " wrote, as " + reader.UserID + " reads them"
				assert.Equal(c, want, levelsRead(c, reader, s.RoomID), what)
			}
		}
		writes(s.Alice, s.Bob, s.Bob.UserID, 100)
		writes(s.Bob, s.Alice, erin.UserID, 20)
		writes(s.Alice, s.Bob, dan.UserID, 30)
		writes(s.Bob, s.Alice, dan.UserID, 10)
	},
})

// Power levels that are written back name former members, too, which still have their keys in the room.
var _ = check.Register(check.Check{
	Name:     "power levels are written back that name members who left",
	Requires: []string{"client-view/power-levels-write"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, bob, peer := s.User("alice"), s.User("bob"), s.Peer()
		carol, dan := peer.User("carol"), peer.User("dan")
		roomID := alice.Makes(stage.Public)
		bob.Joins(roomID)
		room := peer.Joins(roomID, carol)
		room.JoinsByEvent(dan)
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, dan.ID(), "join")
		want := levelsRead(c, alice, roomID)
		room.AwaitsEvent(alice.GivesPower(roomID, map[string]int{bob.UserID: 40, dan.ID(): 30}))
		bob.Leaves(roomID)
		room.Leaves(dan)
		alice.Blaming("membership/leave").AwaitsMembership(roomID, bob.UserID, "leave")
		alice.Blaming("membership/leave-remote").AwaitsMembership(roomID, dan.ID(), "leave")

		again := room.AwaitsEvent(alice.GivesPower(roomID, map[string]int{carol.ID(): 20}))
		haveOnWire(c, room, again, map[string]int{bob.UserID: 40, dan.ID(): 30, carol.ID(): 20})
		want[bob.UserID], want[dan.ID()], want[carol.ID()] = 40, 30, 20
		assert.Equal(c, want, levelsRead(c, alice, roomID), "users of the power levels that name members who left")
	},
})

// levelsRead returns the users of a room's power levels, as a client reads them.
func levelsRead(c *check.C, user *stage.User, roomID string) map[string]int {
	levels, err := user.PowerLevels(c.Context(), roomID)
	c.Need("client-view/power-levels-read", err)
	read := map[string]int{}
	levels.Get("users").ForEach(func(userID, level gjson.Result) bool {
		read[userID.String()] = int(level.Int())
		return true
	})
	return read
}

// haveOnWire ensures that the keys of users have these levels in power levels that a peer received.
func haveOnWire(c *check.C, room *stage.Room, levels federation.Event, want map[string]int) {
	for userID, level := range want {
		key := room.Blaming("mapping/in-local-join").MemberOf(userID).Get("state_key").String()
		if got := levels.Get(match.Path("content", "users", key)).Raw; got != fmt.Sprint(level) {
			c.Errorf("the power levels on the wire give %q to the key of a user that was given %d", got, level)
		}
	}
}

// stateOf is a state event of a user of a peer.
func stateOf(sender *federation.User, eventType, stateKey string, content map[string]any) federation.Proto {
	return federation.Proto{Type: eventType, StateKey: federation.StateKey(stateKey), Sender: sender, Content: content}
}
