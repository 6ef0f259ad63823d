package clientview

// Twin sessions: the same session of client requests in an ordinary room and in a pseudo-ID room.

import (
	"bytes"
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
	// twinPlays bounds, in the check's own time, how long sessions are played, and twinShortening how long what differs is shortened.
	twinPlays, twinShortening = 60 * time.Second, 30 * time.Second
	// twinAttempts bounds how often a session is played to shorten it.
	twinAttempts = 40
)

// Clients work without any changes to their code (MSC4014, Hard requirements 1): a session of their requests gets in a pseudo-ID room
// what it gets in an ordinary room.
var (
	_ = registerTwins("of three users of one server", twins.OneServer, 1, 2, 3, 4)
	_ = registerTwins("of three users of one server, others", twins.OneServer, 5, 6, 7, 8)
	_ = registerTwins("of users of two servers", twins.TwoServers, 1, 2, 3)
)

// registerTwins registers the check that plays the sessions of some seeds.
func registerTwins(who string, cast twins.Cast, seeds ...uint64) *check.Check {
	return check.Register(check.Check{
		Name:       "twin sessions " + who,
		Requires:   []string{likeOrdinaryRooms},
		TwoServers: slices.Max(cast.Users) > 1,
		Slow:       twinPlays / 4,
		Body: func(c *check.C) {
			blueprint := blueprints.OneServer
			if c.Check().TwoServers {
				blueprint = blueprints.TwoServers
			}
			s := stage.Open(c, blueprint)
			hunter := &twins.Hunter{Meet: meeting(s)}
			plays(c, hunter, cast, seeds)
			shortens(c, hunter)
			for i, one := range hunter.Found {
				tell(c, i+1, one)
			}
			for _, one := range hunter.Unsteady {
				c.Notef("seen once, and not when the session was played again: %s: %s against %s", one.Name(), one.Ordinary, one.Pseudo)
			}
			c.Notef("%d plays; requests and views, with errors: %s", hunter.Plays, counted(hunter.Counts))
			c.Notef("set aside by rules: %s", counted(hunter.Aside))
			c.Notef("different between ordinary rooms, too: %s", counted(hunter.Noise))
		},
	})
}

// plays plays the sessions of all seeds.
func plays(c *check.C, hunter *twins.Hunter, cast twins.Cast, seeds []uint64) {
	ctx, cancel := c.Within(twinPlays)
	defer cancel()
	hunter.Context = ctx
	for _, seed := range seeds {
		c.Need("client-view/unmodified-client", hunter.Hunt(twins.Generate(cast, seed)))
	}
}

// shortens looks for the shortest sessions as long as there is time.
func shortens(c *check.C, hunter *twins.Hunter) {
	ctx, cancel := c.Within(twinShortening)
	defer cancel()
	hunter.Context = ctx
	for _, one := range hunter.Found {
		if !c.Expects(one.Name()) {
			hunter.Shorten(one, twinAttempts)
		}
	}
}

// meeting returns a function that registers users for a play.
func meeting(s *stage.Stage) func(twins.Cast) (twins.Company, error) {
	return func(cast twins.Cast) (twins.Company, error) {
		company := twins.Company{Ordinary: s.Format().Base, Pseudo: s.Format().RoomVersion, Within: s.C.Within}
		for i, place := range cast.Users {
			user, err := s.TryUser(place, fmt.Sprintf("twin%d", i))
			if err != nil {
				return company, err
			}
			company.Users = append(company.Users, user.Client)
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
	if err := transcript.WriteHAR(&har, creator, one.Exchanges, 0); err != nil {
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
