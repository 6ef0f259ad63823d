package redaction

// Which way of taking a mapping away there is, and how far it reaches.

import (
	"errors"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/match"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// A redaction is not the way to take a mapping away; to do so "the account in question should be deactivated" (MSC4014, Addressing
// the problems 3). Whether that, or a redaction all the same, takes it out of every member event of the user is not said. Requests for
// administrators are not part of the Matrix specification, and not tried.
var _ = check.Register(check.Check{
	Name:     "which way of taking a mapping away there is, and how far it reaches",
	Requires: []string{"redaction/every-member-event"},
	Body: func(c *check.C) {
		s := stage.OpenResident(c)
		byRedaction := howFar(s, func(_ *stage.User, first string) {
			redaction := s.Alice.Blaming("redaction/displayname-goes").Redacts(s.Room.ID(), first)
			s.Alice.Blaming("redaction/mapping-stays").AwaitsRedaction(s.Room.ID(), redaction)
			s.Room.Blaming("routing/reaches-members").AwaitsEvent(redaction)
		})
		byDeactivation := howFar(s, func(user *stage.User, _ string) {
			since := s.Alice.SyncToken()
			user.Deactivates()
			// Another leave than the one before; its user ID may be gone. A server need not leave: then what it did by now counts.
			if err := s.Alice.SeesInSync(since, func(synced *csapi.Response) error { return leavesIn(synced, s.Room.ID()) }); err != nil {
				c.Notef("no leave of the deactivated user was seen: %v", err)
			}
		})
		c.Observe(wayOfTaking(byRedaction, byDeactivation),
			"of two joins of a user, the redaction of the first takes the mapping out of %s, and deactivation out of %s", byRedaction, byDeactivation)
	},
})

// taken tells which of two joins of a user are not served with the mapping any more.
type taken struct{ first, last bool }

// String describes it as part of a sentence.
func (t taken) String() string {
	return map[taken]string{{true, true}: "both", {true, false}: "the first", {false, true}: "the last", {}: "neither"}[t]
}

// wayOfTaking returns the reading of what a redaction of the first event took away, and what deactivation did.
func wayOfTaking(redaction, deactivation taken) string {
	var none taken
	switch {
	case redaction == none && deactivation == none:
		return "no-way"
	case redaction != none && deactivation != none:
		return "several-ways"
	case deactivation == taken{true, true}:
		return "deactivation-every"
	case deactivation == taken{last: true}:
		return "deactivation-last"
	case redaction == taken{true, true}:
		return "redaction-every"
	case redaction == taken{first: true}:
		return "redaction-one"
	}
	return "other"
}

// leavesIn returns an error if a /sync answer shows no leave of the room.
func leavesIn(synced *csapi.Response, roomID string) error {
	isLeave := match.All(match.Type("m.room.member"), match.KeyEqual("content.membership", "leave"))
	for _, event := range csapi.EventsIn(synced, roomID) {
		if isLeave(event) == nil {
			return nil
		}
	}
	return errors.New("no leave")
}

// howFar lets a new user join, leave and join again, takes its mapping away, and returns which of the two joins lost it.
func howFar(s stage.Residence, takeAway func(user *stage.User, first string)) taken {
	roomID, user := s.Room.ID(), s.User("member")
	isJoin := match.All(match.Type("m.room.member"), match.KeyEqual("state_key", user.UserID), match.KeyEqual("content.membership", "join"))
	joins := func(before string) (eventID string) {
		user.Joins(roomID)
		eventID = s.Alice.Blaming("membership/join-local").Awaits(roomID, func(event gjson.Result) error {
			if event.Get("event_id").String() == before {
				return errors.New("the earlier join")
			}
			return isJoin(event)
		}).Get("event_id").String()
		s.Room.Blaming("routing/reaches-members").AwaitsEvent(eventID)
		if !carriesMapping(s, eventID) {
			s.C.Need("mapping/in-local-join", errors.New("a join is served without mapping, to clients and to peers"))
		}
		return eventID
	}
	first := joins("")
	user.Leaves(roomID)
	s.Alice.Blaming("membership/leave").AwaitsMembership(roomID, user.UserID, "leave")
	last := joins(first)
	takeAway(user, first)
	return taken{!carriesMapping(s, first), !carriesMapping(s, last)}
}

// carriesMapping reports whether a client, or else a peer, is served an event with its mapping.
func carriesMapping(s stage.Residence, eventID string) bool {
	const field = "content." + pseudoid.MappingField
	return s.Alice.Reads(s.Room.ID(), eventID).Get(field).Exists() || s.Room.Fetches(eventID).Get(field).Exists()
}
