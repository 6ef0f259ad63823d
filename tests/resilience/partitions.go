package resilience

// Servers that cannot reach each other for a while, and whose users change the room meanwhile. After the partition all clients
// see all messages by the right senders, and all servers have the same state (server-server API, transactions and state
// resolution; hard requirement 1 of MSC4014: by user ID, as in any room).

import (
	"maps"
	"slices"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

const (
	partitionHeals = "resilience/partition-heals"
	// healingTime is how long servers may take until they reach each other again, on a quiet machine: the suite's number, past which
	// nothing is judged. They wait longer after each attempt that failed, and the partition of a check is short.
	healingTime = 15 * time.Second
	// healingNetworkTime is the same where the network itself was cut off: earlier connections must time out, too.
	healingNetworkTime = 30 * time.Second
)

// divided is a room with members of one or two servers and of a peer. Everybody may change its topic.
type divided struct {
	*stage.Stage
	users            []*stage.User // the first of each server; that of hs1 made the room
	newcomers        []*stage.User // one of each server, who join during the partition
	peer             *stage.Peer
	carol, dan, erin *federation.User // dan is banned during the partition, erin joins
	room             *stage.Room
	elsewhere        *stage.Room   // an ordinary room of the same servers, in which nothing happens meanwhile
	healing          time.Duration // how long the servers may take until they reach each other again
	cut              time.Time     // when they could not any more
}

// opensDivided makes a room that users of that many servers are in.
func opensDivided(s *stage.Stage, servers int) *divided {
	alice := s.UserAt(1, "alice")
	d := &divided{Stage: s, users: []*stage.User{alice}, peer: s.Peer(), healing: healingTime}
	d.carol, d.dan, d.erin = d.peer.User("carol"), d.peer.User("dan"), d.peer.User("erin")
	roomID := alice.Makes(stage.Public, stage.Option{Name: "power_level_content_override", Value: map[string]any{"state_default": 0}})
	d.room = d.peer.Joins(roomID, d.carol)
	d.elsewhere = d.peer.JoinsOrdinary(alice.MakesOrdinary(stage.Public), d.carol)
	d.room.JoinsByEvent(d.dan)
	alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, d.dan.ID(), "join")
	for place := 2; place <= servers; place++ {
		bob := s.UserAt(place, "bob")
		bob.Joins(roomID, s.ServerName(1))
		bob.JoinsOrdinary(d.elsewhere.ID(), s.ServerName(1))
		d.elsewhere.Blaming(stage.OrdinaryRooms).AwaitsEvent(bob.Says(d.elsewhere.ID(), "said elsewhere"))
		alice.Blaming(stage.OrdinaryRooms).AwaitsMembership(d.elsewhere.ID(), bob.UserID, "join")
		bob.Blaming("membership/join-remote").AwaitsMembership(roomID, d.carol.ID(), "join")
		d.room.Blaming("membership/join-remote").AwaitsMember(bob.UserID, "join")
		alice.Blaming("membership/join-remote").AwaitsMembership(roomID, bob.UserID, "join")
		d.users = append(d.users, bob)
	}
	for place := range d.users {
		d.newcomers = append(d.newcomers, s.UserAt(place+1, "newcomer"))
	}
	return d
}

// senders are the user IDs of the senders of messages and topics, by event ID.
type senders map[string]string

// changesRoom lets everybody change the room during the partition: on each server the topic is set, a user joins and sends a
// message; Alice bans Dan, who sets the topic concurrently. The events of the peer's users are held back.
func (d *divided) changesRoom() (messages senders, held []federation.Event) {
	messages = senders{}
	for i, user := range d.users {
		messages[user.Sets(d.room.ID(), "m.room.topic", "", map[string]any{"topic": topicOf(user)})] = user.UserID
		d.newcomers[i].Joins(d.room.ID())
		messages[d.newcomers[i].Says(d.room.ID(), "said by a newcomer")] = d.newcomers[i].UserID
	}
	d.users[0].Bans(d.room.ID(), d.dan.ID())
	messages[d.users[0].Says(d.room.ID(), "said after the ban")] = d.users[0].UserID

	hold := func(event federation.Event) federation.Event {
		d.room.Apply(event)
		held = append(held, event)
		return event
	}
	hold(d.room.Builds(federation.Proto{
		Type: "m.room.topic", StateKey: federation.StateKey(""), Sender: d.dan, Content: map[string]string{"topic": topicOfTheBanned},
	}))
	hold(d.room.BuildsMember(d.erin, "join"))
	for _, user := range []*federation.User{d.carol, d.erin} {
		message := hold(d.room.Builds(federation.TextMessage(user, "said during the partition")))
		messages[message.ID()] = user.ID()
	}
	return messages, held
}

// cutsOff makes the peer refuse all requests until heal is called. isMissed, to be called after changesRoom, waits until hs1,
// which is never cut off itself, has failed to send the peer a transaction.
func (d *divided) cutsOff() (isMissed func(c *check.C), heal func()) {
	sent := func(request federation.Request) bool {
		return request.Endpoint == federation.Send && request.Origin == d.ServerName(1)
	}
	heal = d.peer.PlayDead(federation.DeadRefusing)
	d.cut = time.Now()
	before := 0
	for _, request := range d.peer.Requests() {
		if sent(request) {
			before++
		}
	}
	return func(c *check.C) {
		ctx, cancel := c.Within(stage.Patience)
		defer cancel()
		count := 0
		_, err := d.peer.WaitForRequest(ctx, func(request federation.Request) bool {
			if sent(request) {
				count++
			}
			return count > before
		})
		c.Need("routing/reaches-members", err)
	}, heal
}

func topicOf(user *stage.User) string { return "set by " + user.UserID }

const topicOfTheBanned = "set by one who is banned"

// meet waits until the servers reach each other again, and the peer: until what is said in the ordinary room elsewhere arrives. The
// check is inconclusive if they do not within twice the time for healing, and twice that of the partition, which no text limits: a request on
// a connection from before may have to time out first, and pauses between attempts that double are as long as the partition was. What then
// does not arrive in the pseudo-ID room is a finding.
func (d *divided) meet(c *check.C) {
	limit := 2*d.healing + 2*time.Since(d.cut).Round(time.Second)
	ctx, cancel := c.Within(limit)
	defer cancel()
	for _, user := range d.users {
		said, err := user.SendMessage(ctx, d.elsewhere.ID(), "said elsewhere after the partition")
		c.Need("client-view/unmodified-client", err)
		_, err = d.peer.WaitForEventID(ctx, said)
		for _, other := range d.users {
			if err == nil {
				_, err = other.Timeline(d.elsewhere.ID()).Wait(ctx, match.EventID(said))
			}
		}
		if err != nil {
			c.Inconclusive("the servers have not reached each other again within %s: %v", limit, err)
		}
	}
}

// heals ensures that all clients are shown all messages once the servers reach each other again, and that all agree on the state of the
// room.
func (d *divided) heals(c *check.C, messages senders) {
	began := time.Now()
	d.meet(c)
	ctx, cancel := c.Within(d.healing)
	defer cancel()
	locals := slices.Concat(d.users, d.newcomers)
	for _, eventID := range slices.Sorted(maps.Keys(messages)) {
		author := messages[eventID]
		for _, user := range locals {
			event, err := user.Timeline(d.room.ID()).Wait(ctx, match.EventID(eventID))
			c.Must(err)
			assert.Equal(c, author, event.Get("sender").String(), "sender of a message from the other side of the partition")
		}
		if author == d.carol.ID() || author == d.erin.ID() {
			continue
		}
		event, err := d.peer.WaitForEventID(ctx, eventID)
		c.Must(err)
		assert.Equal(c, author, d.room.UserIDOf(event.Sender()), "the user behind a message from the other side, by the mapping that a peer was given")
	}
	c.Notef("all clients and the peer had all messages within %s", time.Since(began).Round(100*time.Millisecond))
	d.agree(c, locals)
}

// agree ensures that clients of all servers are shown one state, and that all servers serve it to the peer.
func (d *divided) agree(c *check.C, locals []*stage.User) {
	members := []string{d.carol.ID(), d.erin.ID()}
	for _, user := range locals {
		members = append(members, user.UserID)
	}
	last := locals[0].Says(d.room.ID(), "said after the partition")
	d.room.AwaitsEvent(last)
	var shown, served []string
	for i, user := range locals {
		user.AwaitsEvent(d.room.ID(), last)
		user.SeesMembers(d.room.ID(), members...)
		state, err := user.State(c.Context(), d.room.ID())
		c.Must(err)
		var ids []string
		for _, event := range state.JSON().Array() {
			ids = append(ids, event.Get("event_id").String())
			if event.Get("type").String() == "m.room.topic" {
				assert.NotEqual(c, topicOfTheBanned, event.Get("content.topic").String(), "the topic that %s is shown", user.UserID)
			}
		}
		slices.Sort(ids)
		if i == 0 {
			shown = ids
		}
		assert.Equal(c, shown, ids, "the state of the room by event IDs, as a client of another server is shown it")
	}
	for i := range d.users {
		state, err := d.room.At(i + 1).ServedState(last)
		c.Must(err)
		if i == 0 {
			served = state
		}
		assert.Equal(c, served, state, "the state of the room by event IDs, as another server serves it")
	}
	assert.Equal(c, served, shown, "the state that clients are shown, against that which peers are served")
}

// sends has the peer send the events that it held back to every server.
func (d *divided) sends(c *check.C, held []federation.Event) {
	for i := range d.users {
		_, err := d.room.At(i + 1).Pushes(held...)
		c.Need("resilience/stays-up", err)
	}
}

// A server and a peer cannot reach each other.
var _ = check.Register(check.Check{
	Name:     "a server and a peer are cut off from each other",
	Requires: []string{partitionHeals},
	Path:     "peer",
	Slow:     15 * time.Second,
	Body: func(c *check.C) {
		d := opensDivided(stage.Open(c, blueprints.OneServer), 1)
		isMissed, heal := d.cutsOff()
		messages, held := d.changesRoom()
		isMissed(c)
		heal()
		d.sends(c, held)
		d.heals(c, messages)
	},
})

// Two servers and a peer cannot reach each other.
var _ = check.Register(check.Check{
	Name:       "two servers and a peer are cut off from each other",
	Requires:   []string{partitionHeals},
	Path:       "federation",
	Slow:       time.Minute,
	TwoServers: true,
	Containers: true,
	Body: func(c *check.C) {
		d := opensDivided(stage.Open(c, blueprints.PrivatePair), 2)
		d.healing = healingNetworkTime
		d.CutOff(2)
		isMissed, heal := d.cutsOff()
		messages, held := d.changesRoom()
		isMissed(c)
		d.Rejoin(2)
		heal()
		d.sends(c, held)
		d.heals(c, messages)
	},
})

// A server is frozen. Not all other servers send it what happened meanwhile: it requests the rest (server-server API,
// get_missing_events).
var _ = check.Register(check.Check{
	Name:       "a server that was frozen catches up",
	Requires:   []string{partitionHeals},
	Path:       "pause",
	Slow:       45 * time.Second,
	TwoServers: true,
	Body: func(c *check.C) {
		d := opensDivided(stage.Open(c, blueprints.PrivatePair), 2)
		alice := d.users[0]
		d.newcomers = d.newcomers[:1]
		d.cut = time.Now()
		d.Pause(2)
		c.UnderTest()
		d.newcomers[0].Joins(d.room.ID())
		d.room.JoinsByEvent(d.erin)
		messages := senders{}
		for _, user := range []*federation.User{d.carol, d.erin} {
			said := d.room.Says(user, "said to one server alone")
			alice.Blaming("membership/remote-joins-us").AwaitsEvent(d.room.ID(), said.ID())
			messages[said.ID()] = user.ID()
		}
		alice.Bans(d.room.ID(), d.dan.ID())
		messages[alice.Says(d.room.ID(), "said to a frozen server")] = alice.UserID
		d.Resume(2)
		d.heals(c, messages)
	},
})
