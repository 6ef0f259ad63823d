package resilience

// Chapter resilience, crowds: many joins at once. Each of them is what it would be alone: it ends with a mapping that
// names its user, and with one key, which is nobody else's (MSC4014, Proposal 3 and 4).

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

const (
	concurrentJoins = "resilience/concurrent-joins"
	// crowdSize is how many users join at once; users of the server do it from two devices each.
	crowdSize = 6
)

// atOnce calls do for each number below count, all at the same time, and returns the errors.
func atOnce(count int, do func(i int) error) []error {
	var (
		errs    = make([]error, count)
		start   = make(chan struct{})
		pending sync.WaitGroup
	)
	for i := range count {
		pending.Go(func() {
			<-start
			errs[i] = do(i)
		})
	}
	close(start)
	pending.Wait()
	return errs
}

// crowd are users of the server who join a room at once, each by two requests.
type crowd []*stage.User

func gathers(s *stage.Stage) (users crowd) {
	for range crowdSize {
		users = append(users, s.User("member"))
	}
	return users
}

// join lets all join at once. A refusal ends the check: nothing stood in the way of any of them.
func (users crowd) join(c *check.C, roomID string) {
	for _, err := range atOnce(2*len(users), func(i int) error {
		_, err := users[i/2].JoinRoom(c.Context(), roomID)
		return err
	}) {
		c.Need(concurrentJoins, err)
	}
}

// haveOneKeyEach sees to it that a peer in the room was told of each user by one key, with a mapping that holds, and that
// no two users share one; so it must be, too, for a server that joins now.
func (users crowd) haveOneKeyEach(c *check.C, room *stage.Room, witness, later *stage.Peer) {
	var joined *stage.Room
	if later != nil {
		joined = later.Joins(room.ID(), later.User("later"))
	}
	owners := map[string]string{}
	for _, user := range users {
		keys := map[string]bool{}
		for _, arrival := range witness.Received() {
			if event := arrival.Event; event.Membership() == "join" && event.MappedUserID() == user.UserID {
				assert.Empty(c, arrival.Problems, "what is wrong with the join of one of many")
				keys[event.Sender()] = true
			}
		}
		assert.Len(c, keys, 1, "keys of one who joined among many")
		for key := range keys {
			assert.Empty(c, owners[key], "another user with the same key")
			owners[key] = user.UserID
			if joined == nil {
				continue
			}
			assert.Equal(c, user.UserID, joined.UserIDOf(key), "whom a server that joins later takes the key for")
			assert.Equal(c, "join", joined.Membership(key), "the membership that a server which joins later is told")
		}
	}
}

// Users of the server join a room of it at once, each from two devices.
var _ = check.Register(check.Check{
	Name:     "many users join a room at once",
	Requires: []string{concurrentJoins},
	Path:     "client",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, witness := s.User("alice"), s.Peer()
		room := witness.Joins(alice.Makes(stage.Public), witness.User("witness"))
		users := gathers(s)
		users.join(c, room.ID())
		for _, user := range users {
			user.AwaitsMembership(room.ID(), user.UserID, "join")
			room.Hears(user)
			room.AwaitsMember(user.UserID, "join")
			alice.AwaitsMembership(room.ID(), user.UserID, "join")
		}
		room.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(room.ID(), "said after the joins"))
		users.haveOneKeyEach(c, room, witness, s.Peer())
	},
})

// Two users of the server join a room of another server at once, and the answers to their joins overtake each other: the
// later answer knows of both joins and comes first, the earlier one knows of its own alone.
var _ = check.Register(check.Check{
	Name:     "two users join a room of a peer, whose answers overtake each other",
	Requires: []string{concurrentJoins},
	Path:     "remote",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		resident := s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol})
		users := crowd{s.User("first"), s.User("second")}
		overtaking := overtakes(c, resident)

		errs := atOnce(len(users), func(i int) error {
			if i == 1 {
				overtaking.awaitFirst()
			}
			_, err := users[i].JoinRoom(c.Context(), room.ID(), resident.Name())
			if err == nil && i == 1 {
				_, err = users[i].SeesMembership(room.ID(), users[i].UserID, "join")
				overtaking.release()
			}
			return err
		})
		for i, user := range users {
			c.Must(errs[i])
			room.AwaitsMember(user.UserID, "join")
			user.AwaitsMembership(room.ID(), user.UserID, "join")
		}
		users.haveOneKeyEach(c, room, resident, nil)
		said := room.Says(carol, "said to both who joined")
		for _, user := range users {
			user.SeesMembers(room.ID(), carol.ID(), users[0].UserID, users[1].UserID)
			shown := user.AwaitsEvent(room.ID(), said.ID())
			assert.Equal(c, carol.ID(), shown.Get("sender").String(), "sender of a remote message, as one who joined sees it")
			room.Hears(user)
		}
	},
})

// overtaking is a peer that keeps its first answer to send_join back.
type overtaking struct {
	limit          context.Context
	came, released chan struct{}
	release        func()
}

// overtakes has a peer keep its first answer to send_join back until release is called. A server may well send one join
// after the other: when no second comes for a moment, the peer answers the first.
func overtakes(c *check.C, peer *stage.Peer) *overtaking {
	limit, cancel := c.Within(time.Second)
	c.Cleanup(cancel)
	o := &overtaking{limit: limit, came: make(chan struct{}), released: make(chan struct{})}
	o.release = sync.OnceFunc(func() { close(o.released) })
	var taken atomic.Bool
	peer.Handle(federation.SendJoin, func(_ *federation.Request, honest func() federation.Answer) federation.Answer {
		answer := honest()
		if taken.CompareAndSwap(false, true) {
			close(o.came)
			o.wait(o.released)
		}
		return answer
	})
	return o
}

// awaitFirst waits until the first answer is there and kept back.
func (o *overtaking) awaitFirst() { o.wait(o.came) }

func (o *overtaking) wait(until <-chan struct{}) {
	select {
	case <-until:
	case <-o.limit.Done():
	}
}

// Users of many servers join a room at once, by send_join.
var _ = check.Register(check.Check{
	Name:     "users of many peers join a room at once",
	Requires: []string{concurrentJoins},
	Path:     "send_join",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice := s.User("alice")
		roomID := alice.Makes(stage.Public)
		var (
			peers [crowdSize]*stage.Peer
			joins [crowdSize]federation.Event
		)
		for i := range peers { // all have their templates before the first sends its join
			peers[i] = s.Peer()
			joins[i] = peers[i].JoinOf(roomID, peers[i].User("member"))
		}
		for _, err := range atOnce(len(peers), func(i int) error {
			ctx, cancel := peers[i].Within()
			defer cancel()
			answer, err := peers[i].SendJoin(ctx, s.ServerName(1), roomID, joins[i])
			if err == nil && answer.Room == nil {
				err = fmt.Errorf("a join among many was refused: %s", answer.Answer)
			}
			return err
		}) {
			c.Must(err)
		}
		members := []string{alice.UserID}
		for _, peer := range peers {
			alice.AwaitsMembership(roomID, peer.User("member").ID(), "join")
			members = append(members, peer.User("member").ID())
		}
		alice.SeesMembers(roomID, members...)

		later := s.Peer()
		room := later.Joins(roomID, later.User("later"))
		said := alice.Says(roomID, "said to all who joined")
		for i, peer := range peers {
			member := peer.User("member")
			assert.Equal(c, joins[i].Sender(), room.SenderOf(member.ID()), "the key by which a server that joins later knows who joined among many")
			peer.In(roomID).AwaitsEvent(said)
			shown := alice.AwaitsEvent(roomID, peer.In(roomID).Says(member, "said by one of many").ID())
			assert.Equal(c, member.ID(), shown.Get("sender").String(), "sender of a message of one who joined among many")
		}
	},
})
