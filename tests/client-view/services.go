package clientview

// Application services: what they are pushed is a view of a room, too.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
)

// push is the view of application services.
const push = "application-service push"

// viewPushed returns the room, on a server with application services, and what one of them that is interested in everybody was pushed,
// with the stripped state that the same server shows.
func viewPushed(c *check.C) viewed {
	s := stage.Open(c, blueprints.ServingServer)
	pushed := stage.Scene(s, "client-view: a member of each kind, as an application service sees it", func() viewed {
		p := newPreparing(s)
		p.isServed()
		p.prepares()
		p.collect(func(each endpoint) bool { return each.pushed || each.stripped })
		return p.viewed
	})
	if _, none := pushed.without[pushedRedactions]; none {
		c.NotJudged(pushedRedactions, "an application service is not pushed those of ordinary rooms either")
	}
	return pushed
}

// isServed ends the check as unsupported if the application service is pushed nothing of an ordinary room either.
func (p *preparing) isServed() {
	ordinary, service := p.alice.MakesOrdinary(stage.Public), p.Service(stage.Everyone)
	redaction, err := p.alice.Redact(p.C.Context(), ordinary, p.alice.Says(ordinary, "to be redacted"), "")
	p.C.Need("client-view/unmodified-client", err)
	said := p.alice.Says(ordinary, "said to an application service")
	if _, err := service.IsPushed(ordinary, match.EventID(said)); err != nil {
		p.C.Timely(err)
		p.C.Unsupported("an application service that is registered in /complement/appservice is pushed nothing of an ordinary room either: %v", err)
	}
	if !slices.ContainsFunc(service.Events(ordinary), func(event gjson.Result) bool { return event.Get("event_id").String() == redaction }) {
		p.without[pushedRedactions] = absence{}
	}
}

// pushedRedactions are not in every server's pushes, whatever the room.
const pushedRedactions = "redactions that are pushed"

// whatIsPushed is everything, without redactions if they are not pushed in ordinary rooms either.
func whatIsPushed(v viewed, given answers) (ids []string) {
	for _, id := range everything(v, given) {
		event, _ := v.event(id)
		if _, none := v.without[pushedRedactions]; none && event.Type() == "m.room.redaction" {
			continue
		}
		ids = append(ids, id)
	}
	return ids
}

// pushes collects what the application service is pushed, up to the end of the room.
func pushes(p *preparing) ([]*csapi.Response, error) {
	service := p.Service(stage.Everyone)
	if _, err := service.IsPushed(p.roomID, match.EventID(p.last(1)[0])); err != nil {
		return nil, err
	}
	var events []string
	for _, event := range service.Events(p.roomID) {
		events = append(events, event.Raw)
	}
	return []*csapi.Response{{Body: []byte(`{"events":[` + strings.Join(events, ",") + `]}`)}}, nil
}

// The sender key is sent to clients, too (MSC4014, Changes from MSC1228 5). Whether that is so where events are not whole, and where who
// gets them is not a client, is not said.
var _ = check.Register(check.Check{
	Name:     "whether stripped state and application-service push have sender keys",
	Requires: []string{"client-view/sender-key-elsewhere"},
	Slow:     collecting,
	Body: func(c *check.C) {
		v := viewPushed(c)
		var stripped, pushed keyed
		for _, each := range endpoints {
			switch {
			case each.pushed:
				pushed.count(v.answers[each.name])
			case each.stripped:
				stripped.count(v.answers[each.name])
			}
		}
		detail := fmt.Sprintf("of the events in stripped state, %s; of those that are pushed, %s", stripped, pushed)
		switch {
		case stripped == keyed{} || pushed == keyed{}:
			c.Observe(verdict.NoneSeen, "%s", detail)
		case stripped.partly() || pushed.partly():
			c.Observe("some-events", "%s", detail)
		case stripped.with > 0 && pushed.with > 0:
			c.Observe("both", "%s", detail)
		case stripped.with > 0:
			c.Observe("stripped-state-only", "%s", detail)
		case pushed.with > 0:
			c.Observe("push-only", "%s", detail)
		default:
			c.Observe("neither", "%s", detail)
		}
	},
})

// keyed counts events with and without a sender key.
type keyed struct{ with, without int }

func (k *keyed) count(given answers) {
	for _, shown := range given.shown {
		if shown.Get("sender_key").Exists() {
			k.with++
		} else {
			k.without++
		}
	}
}

func (k keyed) partly() bool { return k.with > 0 && k.without > 0 }

func (k keyed) String() string { return fmt.Sprintf("%d have it and %d do not", k.with, k.without) }

// Namespaces of application services have user IDs (application service API, "Registration"), and services need no change for pseudo-ID
// rooms, as no client does (MSC4014, hard requirement 1): a bridge is told of rooms that its users are in, or invited to.
func init() {
	for _, each := range []struct {
		name, requirement string
		features          []feature
	}{
		{"an application service is pushed invites of its users", byStateKey.requirement, []feature{
			{"an invite of its user", company.invitesBridged},
		}},
		{"an application service is pushed what is said in rooms of its users", bySender.requirement, []feature{
			{"what its user says", func(m company) error { return m.tellsBridge(nil) }},
			{"what others say where its user is", func(m company) error { return m.tellsBridge(m.alice) }},
		}},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{each.requirement},
			Slow:     inVain,
			Body:     func(c *check.C) { worksOn(c, blueprints.ServingServer, local, nil, each.features) },
		})
	}
}

// invitesBridged lets Alice invite a user of the bridge, of which the bridge must be told.
func (m company) invitesBridged() error {
	invited := m.User(stage.BridgedPrefix + "invited")
	if err := m.alice.Invite(m.C.Context(), m.roomID, invited.UserID); err != nil {
		return err
	}
	_, err := m.Service(stage.Bridge).IsPushed(m.roomID, match.Membership(invited.UserID, "invite"))
	return err
}

// tellsBridge lets a user of the bridge join, and then a member, or else that user, say something that the bridge must be pushed.
func (m company) tellsBridge(speaker *stage.User) error {
	bridged := m.User(stage.BridgedPrefix + "user")
	if _, err := bridged.JoinRoom(m.C.Context(), m.roomID); err != nil {
		return err
	}
	if speaker == nil {
		speaker = bridged
	}
	said, err := speaker.SendMessage(m.C.Context(), m.roomID, "said where a user of the bridge is")
	if err != nil {
		return err
	}
	_, err = m.Service(stage.Bridge).IsPushed(m.roomID, match.EventID(said))
	return err
}
