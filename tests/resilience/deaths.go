package resilience

// What is known to end deployed servers, and whether the server comes back from it. Some die again of what they stored, a while after
// each start: that is a loss, and no outage.

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
	"msc4014/runtime"
)

const (
	// watchTime is how long servers are watched after they were started on the data of their deaths: of queues on disk, Dendrite
	// handles what it died of up to half a minute later.
	watchTime = 45 * time.Second
	// moreStarts is how often a server is started that exits again meanwhile.
	moreStarts = 3
)

// death is what ends a deployed server. Nobody waits for an answer: there may be none.
type death struct {
	name    string
	deliver func(o elsewhere, mallory *stage.Peer)
}

var deaths = []death{
	{"a mapping that names another member's key", func(o elsewhere, mallory *stage.Peer) {
		attacked, lie := o.attackedRoom(mallory)
		o.noteAnswer(attacked.Pushes(lie))
	}},
	{"a mapping that names another member's key, in a gap", func(o elsewhere, mallory *stage.Peer) {
		attacked, lie := o.attackedRoom(mallory)
		attacked.Apply(lie)
		attacked.AppliesText(mallory.User("member"), "said in the gap")
		o.noteAnswer(attacked.Pushes(attacked.AppliesText(mallory.User("member"), "said after the gap")))
	}},
	{"a member in the state that fills a gap", func(o elsewhere, mallory *stage.Peer) {
		attacked := mallory.Joins(o.alice.Makes(stage.Public), mallory.User("member"))
		joined := attacked.BuildsMember(mallory.User("other"), "join")
		defer delivery.Scene{Stage: o.Stage, Alice: o.alice, Origin: mallory, Room: attacked}.LeavesOut(joined)()
		attacked.Apply(joined)
		attacked.AppliesText(mallory.User("member"), "said in the gap")
		o.noteAnswer(attacked.Pushes(attacked.AppliesText(mallory.User("member"), "said after the gap")))
		ctx, cancel := mallory.Within()
		defer cancel()
		_, err := mallory.WaitForRequest(ctx, func(request federation.Request) bool {
			return request.Endpoint == federation.GetStateIDs || request.Endpoint == federation.GetState
		})
		o.C.Notef("the server asked for the state: %t", err == nil)
	}},
	{"an invite to a room that is new to the server", func(o elsewhere, mallory *stage.Peer) {
		inviter := mallory.User("inviter")
		room := mallory.Makes(federation.RoomOptions{Creator: inviter})
		ctx, cancel := mallory.Within()
		defer cancel()
		_, answer, err := room.Invite(ctx, o.ServerName(1), inviter, o.alice.UserID)
		o.C.Notef("the invite was answered %s (%v)", answer, err)
	}},
}

// attackedRoom returns a room of Alice with a member of the peer's, and a join of another user of the peer whose mapping names the
// member's key.
func (o elsewhere) attackedRoom(mallory *stage.Peer) (*stage.Room, federation.Event) {
	member, liar := mallory.User("member"), mallory.User("liar")
	attacked := mallory.Joins(o.alice.Makes(stage.Public), member)
	join := attacked.MemberTemplate(liar, "join").NamingKey(member.KeyIn(attacked.ID()).Public)
	return attacked, attacked.Made(join)
}

func (o elsewhere) noteAnswer(answer *federation.TransactionAnswer, err error) {
	if err != nil {
		o.C.Notef("the transaction got no answer: %v", err)
		return
	}
	o.C.Notef("the transaction was answered %s", answer.Answer)
}

// startAgain starts one server after the other on the data of its death, and then watches all of them.
func startAgain(c *check.C, deaths []death) {
	var watched []*restarted
	for _, each := range deaths {
		s, _ := stage.OpenExpendable(c, blueprints.DyingServer, true)
		v := &restarted{elsewhere: openElsewhere(s), death: each.name}
		each.deliver(v.elsewhere, s.Peer())
		survived := c.Survives(s.Deployment)
		c.Notef("%s: the server survived it: %t", each.name, survived)
		if err := v.startsAtLast(c.Context()); err != nil {
			v.fails(err)
			continue
		}
		if err := v.works(); err != nil {
			c.Errorf("%s: after the start: %v", each.name, err)
		}
		watched = append(watched, v) // also those that survived: an event that is handled later ends a server later
	}
	watchAll(c, watched)
}

// restarted is a server that was started again after its death.
type restarted struct {
	elsewhere
	death   string
	started time.Time
	exits   []string // how it ended after starts
}

// errNotItsFault is in the errors of restarts that say nothing about the server.
var errNotItsFault = errors.New("that is not the server's fault")

// fails fails the check because the server does not start, or ends it if that is not the server's fault.
func (v *restarted) fails(err error) {
	if errors.Is(err, errNotItsFault) {
		v.C.SuiteError(err)
	}
	v.C.Errorf("%v", err)
}

// startsAtLast starts the server on its data, by SIGKILL if it runs, and again if it exits before it is ready: at most moreStarts times
// in all after the first. It returns an error if that is not enough.
func (v *restarted) startsAtLast(ctx context.Context) error {
	for {
		err := v.Deployment.Restart(ctx, 0, true, nil)
		var failed *runtime.StartError
		switch {
		case err == nil:
			v.started = time.Now()
			return nil
		case !errors.As(err, &failed), ctx.Err() != nil && len(v.exits) == 0: // the engine's, or want of time
			return fmt.Errorf("%s: %w: %w", v.death, errNotItsFault, err)
		case ctx.Err() != nil:
			return fmt.Errorf("%s ends the server at its start (%s): %w", v.death, strings.Join(v.exits, ", "), err)
		}
		if v.exits = append(v.exits, failed.Cause); len(v.exits) > moreStarts {
			return fmt.Errorf("%s ends the server at each start (%s): %w", v.death, strings.Join(v.exits, ", "), err)
		}
	}
}

// watch waits until ctx ends, and starts the server again whenever it exits before that.
func (v *restarted) watch(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-v.Deployment.Server(0).Exited():
		}
		ending, killed := v.Deployment.Server(0).Ending()
		if killed {
			return fmt.Errorf("%s: %w: it %s", v.death, errNotItsFault, ending)
		}
		v.exits = append(v.exits, fmt.Sprintf("%s %.1f s after it was ready", ending, time.Since(v.started).Seconds()))
		if len(v.exits) > moreStarts {
			return fmt.Errorf("%s ends the server after each start (%s)", v.death, strings.Join(v.exits, ", "))
		}
		if err := v.startsAtLast(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
}

// watchAll watches servers for watchTime, and fails the check because of those that end again, for good or not, or do not work then.
func watchAll(c *check.C, watched []*restarted) {
	if len(watched) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(c.Context(), watchTime)
	defer cancel()
	ended := make([]error, len(watched))
	var pending sync.WaitGroup
	for i, each := range watched {
		pending.Go(func() { ended[i] = each.watch(ctx) })
	}
	pending.Wait()
	for i, each := range watched {
		switch {
		case ended[i] != nil && !errors.Is(ended[i], errNotItsFault):
			c.Errorf("%v", ended[i])
		case len(each.exits) > 0:
			c.Errorf("%s ended the server again when it was started (%s)", each.death, strings.Join(each.exits, ", "))
		case ended[i] == nil:
			if err := each.works(); err != nil {
				c.Errorf("%s: %v after the start: %v", each.death, watchTime, err)
			}
		}
	}
	// Last, since it ends the check: what another server did is a fail all the same.
	if err := errors.Join(ended...); errors.Is(err, errNotItsFault) {
		c.SuiteError(err)
	}
}
