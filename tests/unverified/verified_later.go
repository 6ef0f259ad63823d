package unverified

// What becomes of members whose server's keys can be had later.

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
)

// recovery is a way in which the keys of a server can be had after all.
type recovery struct {
	name  string
	until failure
}

var recoveries = []recovery{
	{"comes back", closesConnections},
	{"answers late", swallowsRequests},
}

// recovered is what clients were shown of a member before and after its server's keys could be had.
type recovered struct {
	refused      error // why clients are not shown what it wrote
	claimed, key string
	join         string        // the ID of its join
	earlier      string        // the ID of a message from before the recovery
	tried        []string      // to have it verified
	verified     bool          // the server shows the true user ID
	took         time.Duration // from the recovery until then
	resent       gjson.Result  // the member event as it was sent to clients again; none if it was not
	later        gjson.Result  // a message from after the verification
	before       []stage.View  // while it could not be verified
	after        []stage.View  // at the end
	lost         []string      // the views that clients are refused, and were given before
	note         string        // on the path along which it was met
}

// meetThenRecover introduces a member who cannot be verified, makes the keys of its server available, and waits until its
// mapping is verified, once for all checks that judge it.
func meetThenRecover(c *check.C, how recovery) recovered {
	s := stage.Open(c, blueprints.OneServer)
	seen := stage.Scene(s, "a member whose server "+how.name, func() recovered {
		opened := openScene(s, how.until)
		m := opened.meets(usualPaths)
		if m.refused != nil {
			return recovered{refused: m.refused, note: m.note}
		}
		seen := opened.recovers(m.Introduction)
		after, lost := opened.looks(m.Introduction, true)
		seen.after, seen.lost, seen.note = after, append(seen.lost, lost...), m.note
		return *seen
	})
	notes(c, seen.note)
	return seen
}

// recovers makes the keys of the member's server available, once clients are shown its message by a placeholder, and waits
// until its mapping is verified.
func (s *scene) recovers(m delivery.Introduction) *recovered {
	timeline := s.Alice.Timeline(m.Room.ID())
	ctx, cancel := s.C.Within(stage.Patience)
	defer cancel()
	shown, err := timeline.Wait(ctx, match.EventID(m.Said.ID()))
	s.C.Need("unverified/event-accepted", err)
	placeholder := shown.Get("sender").String()
	s.C.Need("unverified/placeholder", isPlaceholder(s.unverified.ID(), s.ServerName(1))(placeholder))
	seen := &recovered{claimed: s.unverified.ID(), key: m.Join.Sender(), join: m.Join.ID(), earlier: m.Said.ID()}
	seen.before, seen.lost = s.looks(m, true)
	s.revive()
	s.awaitsVerification(m, timeline, placeholder, seen)
	return seen
}

// verifiedLater is meetThenRecover for checks of a member who was verified.
func verifiedLater(c *check.C, how recovery) recovered {
	seen := meetThenRecover(c, how)
	c.Need("unverified/event-accepted", seen.refused)
	c.Notef("tried: %s", strings.Join(seen.tried, "; "))
	if !seen.verified {
		c.Inconclusive("the server has not verified the member within %s of its server's recovery; tried: %s",
			joinBound, strings.Join(seen.tried, "; "))
	}
	c.Notef("the member was verified %s after its server's recovery", seen.took.Round(time.Millisecond))
	return seen
}

// awaitsVerification gives the server reasons to verify the member again, until it has: until the member event is sent again,
// or a new message shows the true user ID.
func (s *scene) awaitsVerification(m delivery.Introduction, timeline *csapi.Timeline, placeholder string, seen *recovered) {
	began := time.Now()
	ctx, cancel := s.C.Within(joinBound)
	defer cancel()
	resent := func(event gjson.Result) error {
		if event.Get("event_id").String() == seen.join && event.Get("state_key").String() == seen.claimed {
			return nil
		}
		return errors.New("another event")
	}
	seen.tried = []string{
		"to wait", "GET /profile and POST /keys/query of the placeholder",
		"messages of the member, delivered by its server and by another",
	}
	for ctx.Err() == nil && !seen.verified {
		// The answers are open (unverified/requests-stay-home): they are a mechanism for client-initiated retries.
		_, _ = s.Alice.Profile(ctx, placeholder)
		_, _ = s.Alice.QueryKeys(ctx, placeholder)
		look, done := context.WithTimeout(ctx, time.Second)
		event, err := timeline.Wait(look, resent)
		done()
		if err == nil {
			seen.resent, seen.verified = event, true
			break
		}
		seen.verified = s.sendsMessage(m, timeline).Get("sender").String() == seen.claimed
	}
	seen.took = time.Since(began)
	if !seen.verified {
		return
	}
	seen.later = s.sendsMessage(m, timeline)
	if !seen.resent.Exists() {
		look, done := s.C.Within(stage.Patience)
		defer done()
		seen.resent, _ = timeline.Wait(look, resent) // none: the checks judge that
	}
}

// sendsMessage delivers a new message of the member, and returns it as Alice's client is shown it. Its own server delivers it,
// or Origin if the server under test does not accept it from that one yet.
func (s *scene) sendsMessage(m delivery.Introduction, timeline *csapi.Timeline) gjson.Result {
	said := m.Room.AppliesText(s.unverified, "said by a member whose server is back")
	ctx, cancel := s.C.Within(s.Patience)
	defer cancel()
	answer, err := s.deadServer.SendTransaction(ctx, s.ServerName(1), []federation.Event{said}, nil)
	if err != nil || !answer.OK() || len(answer.PDUErrors) > 0 {
		err = s.Sends(said)
	}
	shown, missing := timeline.Wait(ctx, match.EventID(said.ID()))
	if missing != nil {
		s.C.Need("unverified/event-accepted", errors.Join(err, missing))
	}
	return shown
}

func init() {
	for _, how := range recoveries {
		// Once the server verifies the user ID, it should send the member event again, with that (MSC4014, Changes from
		// MSC1228 6.2).
		check.Register(check.Check{
			Name:     "the member event is sent again when a member's server " + how.name,
			Requires: []string{"unverified/verified-later"},
			Path:     "send",
			Slow:     swallowingTime,
			Body: func(c *check.C) {
				seen := verifiedLater(c, how)
				if !seen.resent.Exists() {
					c.Failf("the member was verified, and its member event was not sent to clients again")
				}
				assert.Equal(c, seen.claimed, seen.resent.Get("sender").String(), "the sender of the member event that was sent again")
			},
		})
		// Events sent after this show the true user (MSC4014, Changes from MSC1228 6.2).
		check.Register(check.Check{
			Name:     "later events show the true user ID when a member's server " + how.name,
			Requires: []string{"unverified/later-events-true"},
			Path:     "send",
			Slow:     swallowingTime,
			Body: func(c *check.C) {
				seen := verifiedLater(c, how)
				assert.Equal(c, seen.claimed, seen.later.Get("sender").String(), "the sender of a message sent after the verification")
			},
		})
	}
}

// The key pairs up the unverified and the verified sender (MSC4014, Key-aware clients).
var _ = check.Register(check.Check{
	Name:     "a member keeps its sender key when it is verified",
	Requires: []string{"unverified/sender-key-shown"},
	Path:     "send",
	Slow:     swallowingTime,
	Body: func(c *check.C) {
		seen := verifiedLater(c, recoveries[0])
		judgeSenderKeys(c, sighting{key: seen.key, join: seen.join, said: seen.earlier, views: append(seen.before, seen.after...), lost: seen.lost})
		assert.Equal(c, seen.key, seen.later.Get("sender_key").String(), "the sender_key of a message sent after the verification")
	},
})

// Events sent prior to the verification "will show" the placeholder (MSC4014, Changes from MSC1228 6.2): on a client's screen,
// or to clients that fetch them later, too.
var _ = check.Register(check.Check{
	Name:     "what earlier events show after the verification",
	Requires: []string{"unverified/earlier-events"},
	Path:     "send",
	Slow:     swallowingTime,
	Body: func(c *check.C) {
		seen := meetThenRecover(c, recoveries[0])
		if !seen.verified {
			c.Observe(verdict.NoneSeen, "%s", whyNot(seen.refused, "the member was not verified later"))
			return
		}
		var senders []string
		verified := 0
		for _, view := range seen.after {
			for _, event := range scenes.EventsOf(view, seen.earlier) {
				senders = append(senders, view.Name+" "+event.Get("sender").String())
				if event.Get("sender").String() == seen.claimed {
					verified++
				}
			}
		}
		reading := "differs-by-view"
		switch {
		case len(senders) == 0:
			reading = verdict.NoneSeen
		case verified == 0:
			reading = "placeholder-stays"
		case verified == len(senders):
			reading = "true-user-id"
		}
		c.Observe(reading, "a message from before the verification: %s", strings.Join(senders, ", "))
	},
})
