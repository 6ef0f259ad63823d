package resilience

// Many joins at once. Each of them ends as it would alone: with a mapping that names its user, and with one key, which is
// nobody else's (MSC4014, Proposal 3 and 4).

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

const (
	concurrentJoins = "resilience/concurrent-joins"
	// manyUsers is how many users join at once; users of the server do it by two requests each.
	manyUsers = 6
)

// atOnce calls do for each number below count, all concurrently, and returns the errors.
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

// joiners are users of the server who join a room at once, each by two requests.
type joiners []*stage.User

func newJoiners(s *stage.Stage) (users joiners) {
	for range manyUsers {
		users = append(users, s.User("member"))
	}
	return users
}

// join lets all join at once. A refusal fails the check: nothing prevents any of them from joining.
func (users joiners) join(c *check.C, roomID string) {
	for _, err := range atOnce(2*len(users), func(i int) error {
		_, err := users[i/2].JoinRoom(c.Context(), roomID)
		return err
	}) {
		c.Must(err)
	}
}

// haveOneKeyEach ensures that a peer in the room received joins of each user by one key, with a valid mapping, and that no two
// users share one; and that later, a server that joined after them, was served the same keys. later may be nil.
func (users joiners) haveOneKeyEach(c *check.C, witness *stage.Peer, later *stage.Room) {
	owners := map[string]string{}
	for _, user := range users {
		var keys []string
		for _, arrival := range witness.Received() {
			if event := arrival.Event; event.Membership() == "join" && event.MappedUserID() == user.UserID {
				assert.Empty(c, arrival.Problems, "what is wrong with the join of one of many")
				if !slices.Contains(keys, event.Sender()) {
					keys = append(keys, event.Sender())
				}
			}
		}
		assert.Len(c, keys, 1, "keys of one who joined among many")
		for _, key := range keys {
			assert.Empty(c, owners[key], "another user with the same key")
			owners[key] = user.UserID
			if later != nil {
				assert.Equal(c, user.UserID, later.UserIDOf(key), "the user of the key, by the mapping that a server which joins later is served")
				assert.Equal(c, "join", later.Membership(key), "the membership that a server which joins later is served")
			}
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
		users := newJoiners(s)
		c.UnderTest()
		users.join(c, room.ID())
		for _, user := range users {
			user.AwaitsMembership(room.ID(), user.UserID, "join")
			room.Hears(user)
			room.AwaitsMember(user.UserID, "join")
			alice.AwaitsMembership(room.ID(), user.UserID, "join")
		}
		room.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(room.ID(), "said after the joins"))
		users.haveOneKeyEach(c, witness, delivery.LaterJoiner(s, room.ID()))
	},
})

// Two users of the server join a room of another server at once, and the answers to their joins overtake each other: the
// later answer has both joins and comes first, the earlier one has its own alone.
var _ = check.Register(check.Check{
	Name:     "two users join a room of a peer, whose answers overtake each other",
	Requires: []string{concurrentJoins},
	Path:     "remote",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		resident := s.Peer()
		carol := resident.User("carol")
		room := resident.Makes(federation.RoomOptions{Creator: carol})
		users := joiners{s.User("first"), s.User("second")}
		overtaking := overtakes(c, resident)
		errs := atOnce(len(users), func(i int) error {
			if i == 0 {
				_, err := users[0].JoinRoom(c.Context(), room.ID(), resident.Name())
				return err
			}
			return overtaking.joinsSecond(c, users[1], room)
		})
		for i, user := range users {
			c.Must(errs[i])
			room.AwaitsMember(user.UserID, "join")
			user.AwaitsMembership(room.ID(), user.UserID, "join")
			user.AwaitsMembership(room.ID(), carol.ID(), "join") // the server may verify her in the background
		}
		users.haveOneKeyEach(c, resident, nil)
		said := room.Says(carol, "said to both who joined")
		for _, user := range users {
			user.SeesMembers(room.ID(), carol.ID(), users[0].UserID, users[1].UserID)
			shown := user.AwaitsEvent(room.ID(), said.ID())
			assert.Equal(c, carol.ID(), shown.Get("sender").String(), "sender of a remote message, as one who joined sees it")
			room.Hears(user)
		}
	},
})

// joinsSecond lets a user join once the answer to the first join is held back, and releases that when the user has joined.
func (o *overtaking) joinsSecond(c *check.C, user *stage.User, room *stage.Room) error {
	o.awaitFirst()
	if _, err := user.JoinRoom(c.Context(), room.ID(), room.Peer().Name()); err != nil {
		return err
	}
	_, err := user.SeesMembership(room.ID(), user.UserID, "join")
	o.release()
	return err
}

// overtaking is a peer that holds back its first answer to send_join.
type overtaking struct {
	limit          context.Context
	came, released chan struct{}
	release        func()
}

// overtakes makes a peer hold back its first answer to send_join until release is called. A server may send one join after the
// other: if no second comes within a moment, the peer answers the first.
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

// awaitFirst waits until the first answer is held back.
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
		peers, joins := joinFromPeers(s, roomID)
		members := []string{alice.UserID}
		for _, peer := range peers {
			alice.AwaitsMembership(roomID, peer.User("member").ID(), "join")
			members = append(members, peer.User("member").ID())
		}
		alice.SeesMembers(roomID, members...)

		room := delivery.LaterJoiner(s, roomID)
		said := alice.Says(roomID, "said to all who joined")
		for i, peer := range peers {
			member := peer.User("member")
			assert.Equal(c, joins[i].Sender(), room.SenderOf(member.ID()), "the key of one who joined among many, as a server that joins later is served it")
			peer.In(roomID).AwaitsEvent(said)
			shown := alice.AwaitsEvent(roomID, peer.In(roomID).Says(member, "said by one of many").ID())
			assert.Equal(c, member.ID(), shown.Get("sender").String(), "sender of a message of one who joined among many")
		}
	},
})

// joinFromPeers lets a user of each of many peers join a room at once: all have their templates before the first sends its
// join.
func joinFromPeers(s *stage.Stage, roomID string) (peers []*stage.Peer, joins []federation.Event) {
	for i := range manyUsers {
		peers = append(peers, s.Peer())
		joins = append(joins, peers[i].JoinOf(roomID, peers[i].User("member")))
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
		s.C.Must(err)
	}
	return peers, joins
}
