package clientview

// Twin sessions: the same session of client requests in an ordinary room and in a pseudo-ID room.

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/plan"
	"msc4014/helpers/stage"
	"msc4014/helpers/transcript"
	"msc4014/helpers/twins"
)

const likeOrdinaryRooms = "client-view/like-ordinary-rooms"

const (
	// usualTwins is how long the checks of a usual run take at most on a quiet machine: events that do not cross between servers are waited for.
	usualTwins = 100 * time.Second
	// twinPlays and longestTwins a session bound, in the check's own time, how long sessions are played, and twinShortening how long what
	// differs is shortened: together less than a slow check may take.
	twinPlays, twinShortening = 240 * time.Second, 30 * time.Second
	longestTwins              = 8 * time.Second
	// twinAttempts bounds how often a session is played to shorten it.
	twinAttempts = 40
)

// Clients work without any changes to their code (MSC4014, Hard requirements 1): a session of their requests gets in a pseudo-ID room
// what it gets in an ordinary room.
var (
	_ = registerTwins("of three users of one server", twins.OneServer, []uint64{18, 51}, 0, 4)
	_ = registerTwins("of three users of one server, others", twins.OneServer, []uint64{34, 36}, 1, 5)
	_ = registerTwins("of users of two servers", twins.TwoServers, []uint64{15}, 2)
	_ = registerTwins("of users of two servers, others", twins.TwoServers, []uint64{58}, 6)
	_ = registerTwins("with a user of a peer", twins.WithPeer, []uint64{28}, 3, 7)
)

// registerTwins registers the check that plays the sessions of some seeds; of every eight sessions of a run for twin sessions, those of its
// shares.
func registerTwins(who string, cast twins.Cast, seeds []uint64, shares ...int) *check.Check {
	twoServers := slices.Max(cast.Users) > 1
	return check.Register(check.Check{
		Name:       "twin sessions " + who,
		Requires:   []string{likeOrdinaryRooms},
		TwoServers: twoServers,
		Slow:       usualTwins,
		Body: func(c *check.C) {
			blueprint := blueprints.OneServer
			if c.Check().TwoServers {
				blueprint = blueprints.TwoServers
			}
			s := stage.Open(c, blueprint)
			hunter := &twins.Hunter{Expected: c.Expects}
			hunter.Meet = companies(s, hunter)
			plays(c, hunter, cast, seedsOf(c, seeds, shares))
			shortens(c, hunter)
			for i, one := range hunter.Found {
				tell(c, i+1, one)
			}
			for _, one := range hunter.Unsteady {
				c.Notef("seen once, and not when the session was played again: %s: %s against %s", one.Name(), one.Ordinary, one.Pseudo)
			}
			if len(hunter.Cut) > 0 {
				c.NotJudged("sessions to their end", "after steps that one kind of room takes and the other does not, nothing can be compared: seeds %v", hunter.Cut)
			}
			c.Notef("%d plays; requests and views, with errors: %s", hunter.Plays, counted(hunter.Counts))
			c.Notef("set aside by rules: %s", counted(hunter.Aside))
			c.Notef("different between ordinary rooms, too: %s", counted(hunter.Noise))
		},
	})
}

// seedsOf returns the seeds that a check plays: its own, or its shares of those of a run for twin sessions.
func seedsOf(c *check.C, own []uint64, shares []int) []uint64 {
	if c.Sessions() == 0 {
		return own
	}
	var seeds []uint64
	for i := range c.Sessions() {
		if slices.Contains(shares, i%plan.FewestSessions) {
			seeds = append(seeds, c.Seed()+uint64(i))
		}
	}
	return seeds
}

// plays plays the sessions of seeds. A run for twin sessions ends with the first difference that nobody expects, and has no verdict if there
// is not time for all that it was asked for.
func plays(c *check.C, hunter *twins.Hunter, cast twins.Cast, seeds []uint64) {
	ctx, cancel := c.WithinWork(twinPlays + time.Duration(len(seeds))*longestTwins)
	defer cancel()
	hunter.Context = ctx
	for i, seed := range seeds {
		err := hunter.Hunt(twins.Generate(cast, seed))
		if ctx.Err() != nil {
			if len(hunter.Found) == 0 && (i == 0 || c.Sessions() > 0) {
				c.Inconclusive("there was time for %d of %d sessions: %v", i, len(seeds), context.Cause(ctx))
			}
			c.NotJudged("all sessions", "there was time for %d of %d: %v", i, len(seeds), context.Cause(ctx))
			return
		}
		c.Need("client-view/unmodified-client", err)
		unexpected := slices.ContainsFunc(hunter.Found, func(one *twins.Found) bool {
			return slices.ContainsFunc(one.Names, func(name string) bool { return !c.Expects(name) })
		})
		if c.Sessions() > 0 && unexpected {
			return
		}
	}
}

// shortens looks for the shortest sessions as long as there is time.
func shortens(c *check.C, hunter *twins.Hunter) {
	ctx, cancel := c.WithinWork(twinShortening)
	defer cancel()
	hunter.Context = ctx
	for _, one := range hunter.Found {
		if !c.Expects(one.Name()) && !c.Unshortened() {
			hunter.Shorten(one, twinAttempts)
		}
	}
}

// companies returns a function that registers users for a play. They wait for nothing longer than the hunter plays.
func companies(s *stage.Stage, hunter *twins.Hunter) func(twins.Cast) (twins.Company, error) {
	within := func(limit time.Duration) (context.Context, context.CancelFunc) {
		ctx, cancel := s.C.Within(limit)
		stop := context.AfterFunc(hunter.Context, cancel)
		return ctx, func() { stop(); cancel() }
	}
	var peer *stage.Peer
	return func(cast twins.Cast) (twins.Company, error) {
		if cast.Guests > 0 && peer == nil {
			peer = s.Peer()
		}
		company := twins.Company{Ordinary: s.Format().Base, Pseudo: s.Format().RoomVersion, Within: within}
		for i, place := range cast.Users {
			user, err := s.TryUser(place, fmt.Sprintf("twin%d", i))
			if err != nil {
				return company, err
			}
			company.Users = append(company.Users, user.Client)
		}
		if cast.Guests > 0 {
			company.Guests = peer.Guests(cast.Guests)
		}
		return company, nil
	}
}

// tell fails the check by a difference, and keeps the exchanges that show it.
func tell(c *check.C, number int, one *twins.Found) {
	c.Differs(one.Names, "%s: %s in an ordinary room, %s in a pseudo-ID room", one.Name(), one.Ordinary, one.Pseudo)
	c.Notef("%s", strings.ReplaceAll(one.Story(), "\n", " /"))
	var har bytes.Buffer
	creator := transcript.Creator{Name: "msc4014", Version: plan.SuiteVersion}
	if err := transcript.WriteHAR(&har, creator, transcript.About{Check: c.Check().Name, Result: one.Name()}, one.Exchanges, 0); err != nil {
		c.SuiteError(err)
	}
	c.Attach(fmt.Sprintf("difference-%d.har", number), har.Bytes())
}

// counted lists counts by name.
func counted(counts map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%s %d", name, counts[name]))
	}
	if all == nil {
		return "nothing"
	}
	return strings.Join(all, ", ")
}
