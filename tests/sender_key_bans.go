package main

// Chapter sender-key, what keys mean for bans: a banned key stays out, and what becomes of a second key of the same user.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// A banned user cannot come back through its client (client-server API, room membership; MSC4014, Proposal 3.2: keys
// change as little as possible so that bans hold).
var _ = check.Register(check.Check{
	Name:     "a banned user's client cannot join",
	Requires: []string{"sender-key/ban-not-evaded"},
	Path:     "client",
	Body: func(c *check.C) {
		scene := joinWitnessed(stage.Open(c, blueprints.OneServer))
		alice, bob, room := scene.alice, scene.bob, scene.room
		_, err := alice.SeesMembership(room.ID(), bob.UserID, "join")
		c.Control(err)
		alice.Bans(room.ID(), bob.UserID)
		alice.Blaming("membership/ban").AwaitsMembership(room.ID(), bob.UserID, "ban")
		room.Blaming("membership/ban").Awaits(memberByKey(scene.join.Sender(), "ban"))

		_, err = bob.JoinRoom(c.Context(), room.ID())
		c.Notef("the server answered the banned user's join with %v", err)
		barrier := alice.Says(room.ID(), "said after the ban")
		alice.Blaming("client-view/unmodified-client").AwaitsEvent(room.ID(), barrier)
		room.Blaming("routing/reaches-members").AwaitsEvent(barrier)
		for _, arrival := range scene.witness.Received() {
			if anotherMember(bob.UserID, "join", scene.join)(arrival.Event) == nil {
				c.Errorf("a peer was sent a join of the banned user, %s", arrival.Event)
			}
		}
		staysBanned(c, alice.Views(room.ID()), bob.UserID)
		if _, err := bob.SendMessage(c.Context(), room.ID(), "said in spite of the ban"); err == nil {
			c.Errorf("a banned user can send messages to the room")
		}
	},
})

// staysBanned looks at a banned user as a client sees it.
func staysBanned(c *check.C, views []stage.View, userID string) {
	for _, view := range views {
		if slices.Contains(view.Keys, userID) {
			c.Errorf("%s shows a banned user as a member", view.Name)
		}
		if view.Name != "/members" && view.Name != "/state" {
			continue // the others hold earlier events too
		}
		for _, event := range membersAs(view, userID) {
			if membership := event.Get("content.membership").String(); membership != "ban" {
				c.Errorf("%s shows the membership %q of a banned user", view.Name, membership)
			}
		}
	}
}

// membersAs are the member events that a view shows of a user ID.
func membersAs(view stage.View, userID string) []gjson.Result {
	var members []gjson.Result
	for _, event := range view.Events {
		if event.Get("type").String() == "m.room.member" && event.Get("state_key").String() == userID {
			members = append(members, event)
		}
	}
	return members
}

// outlaw is a user of a peer, in a room of alice's with another user of the peer.
type outlaw struct {
	stage      *stage.Stage
	alice      *stage.User
	peer       *stage.Peer
	carol, dan *federation.User // dan is the one who is banned, or changes keys
	room       *stage.Room
	join       federation.Event // dan's, under the first key
}

// deliverJoin is a way by which the peer tells the server of a join; it returns the server's answer.
type deliverJoin func(scene outlaw, join federation.Event) (answer string, err error)

func bySendJoin(scene outlaw, join federation.Event) (string, error) {
	ctx, cancel := scene.peer.Within()
	defer cancel()
	answer, err := scene.peer.SendJoin(ctx, scene.stage.ServerName(1), scene.room.ID(), join)
	if err != nil {
		return "nothing", err
	}
	return told(answer.Answer), nil
}

func bySend(scene outlaw, join federation.Event) (string, error) {
	answer, err := scene.room.Pushes(join)
	if err != nil {
		return "nothing", err
	}
	return told(answer.Answer), nil
}

// told is an answer in few words: that of an accepted join holds the whole state of the room.
func told(answer federation.Answer) string {
	if answer.OK() && answer.Get("state").Exists() {
		return "200 and the room's state"
	}
	return answer.String()
}

// enters makes alice's room, with carol in it.
func enters(s *stage.Stage) outlaw {
	scene := outlaw{stage: s, alice: s.User("alice"), peer: s.Peer()}
	scene.carol, scene.dan = scene.peer.User("carol"), scene.peer.User("dan")
	scene.room = scene.peer.Joins(scene.alice.Makes(stage.Public), scene.carol)
	return scene
}

// letIn plays the control: dan joins, and alice's client sees it.
func letIn(s *stage.Stage, deliver deliverJoin) outlaw {
	scene := enters(s)
	scene.isLetIn(deliver)
	return scene
}

// isLetIn plays the control in a room that is there.
func (o *outlaw) isLetIn(deliver deliverJoin) {
	o.join = o.joins()
	answer, err := deliver(*o, o.join)
	if err == nil {
		_, err = o.alice.SeesMembership(o.room.ID(), o.dan.ID(), "join")
	}
	o.stage.C.Control(withAnswer(err, answer))
	o.room.Apply(o.join)
}

// joins makes dan's join at the room's end, under the key that dan has now.
func (o outlaw) joins() federation.Event {
	event, err := o.room.MemberTemplate(o.dan, "join").Build()
	if err != nil {
		o.stage.C.SuiteError(err)
	}
	return event
}

// isBanned lets alice ban dan by user ID.
func (o outlaw) isBanned() {
	o.alice.Bans(o.room.ID(), o.dan.ID())
	o.alice.Blaming("membership/ban").AwaitsMembership(o.room.ID(), o.dan.ID(), "ban")
	o.room.Blaming("membership/ban").Awaits(memberByKey(o.join.Sender(), "ban"))
}

// tries delivers a join and waits until the server has dealt with it. The barrier stands beside the join, not behind it:
// it arrives whatever became of that. broken is the error that the server answers alice's client with afterwards, if so.
func (o outlaw) tries(deliver deliverJoin, join federation.Event) (answer string, broken error) {
	c := o.stage.C
	barrier := o.room.Builds(federation.Proto{
		Type: "m.room.message", Sender: o.carol, Content: map[string]string{"msgtype": "m.text", "body": "said after the join"},
	})
	answer, err := deliver(o, join)
	c.Need("resilience/stays-up", err)
	o.room.Delivers(barrier)
	ctx, cancel := c.Within(stage.Patience)
	defer cancel()
	_, err = o.alice.WaitForEvent(ctx, o.room.ID(), match.EventID(barrier.ID()))
	refusal, refused := csapi.Refused(err)
	if refused && refusal.Status >= http.StatusInternalServerError || csapi.NoAnswer(err) && !errors.Is(err, context.DeadlineExceeded) {
		return answer, err
	}
	c.Need("membership/remote-joins-us", err)
	return answer, nil
}

// Nor can its server bring it back under the same key (MSC4014, Proposal 3.2; authorisation rules, m.room.member: a
// banned user cannot join).
func init() {
	for name, deliver := range map[string]deliverJoin{"send_join": bySendJoin, "send": bySend} {
		check.Register(check.Check{
			Name:     "a banned key cannot join, by " + name,
			Requires: []string{"sender-key/ban-not-evaded"},
			Path:     name,
			Body: func(c *check.C) {
				scene := letIn(stage.Open(c, blueprints.OneServer), deliver)
				scene.isBanned()
				evasion := scene.joins()
				answer, broken := scene.tries(deliver, evasion)
				c.Need("resilience/stays-up", broken)
				c.Notef("the server answered the banned key's join with %s", answer)
				staysBanned(c, scene.alice.Refused(scene.room.ID(), evasion), scene.dan.ID())
				later := scene.stage.Peer()
				later.Joins(scene.room.ID(), later.User("witness")).NotServed(evasion)
			},
		})
	}
}

// Nor by an event that stands beside the ban, as if its server had not known of it yet: what the current state forbids is
// kept from clients and out of the state (server-server API, soft failure).
var _ = check.Register(check.Check{
	Name:     "a banned key cannot join beside the ban",
	Requires: []string{"sender-key/ban-not-evaded"},
	Path:     "send",
	Body: func(c *check.C) {
		scene := letIn(stage.Open(c, blueprints.OneServer), bySend)
		evasion := scene.joins()
		scene.isBanned()
		answer, broken := scene.tries(bySend, evasion)
		c.Need("resilience/stays-up", broken)
		c.Notef("the server answered the banned key's join with %s", answer)
		views := scene.alice.Views(scene.room.ID())
		for _, view := range views {
			if view.Has(evasion.ID()) {
				c.Errorf("%s shows a join that the ban forbids", view.Name)
			}
		}
		staysBanned(c, views, scene.dan.ID())
	},
})

// What becomes of a second key of a user: while the user is a member (MSC4014, Proposal 3.2: there are legitimate reasons
// for cycling keys), and when its first key is banned (MSC1228, Proposal: it is up to server owners; MSC4014, Proposal 3.2:
// keys SHOULD NOT change, or bans are evaded). Whatever a server decides, clients of the room must go on: deployed servers
// break here.
var _ = check.Register(check.Check{
	Name:     "a second key of the same user",
	Requires: []string{"sender-key/rotation", "mapping/two-keys-one-user", "sender-key/ban-evaded-by-new-key", "resilience/stays-up"},
	Path:     "send_join",
	Deadly:   true,
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		observeRotation(c, letIn(s, bySendJoin))
		observeEvasion(c, letIn(s, bySendJoin))
	},
})

// breaksClients is the reading of a server that takes the second key and no longer serves the room to its clients.
const breaksClients = "breaks-clients"

// brokenFor tells in short what a client of the room got for an answer, and notes all of it.
func brokenFor(c *check.C, broken error) string {
	c.Notef("%v", broken)
	if refusal, refused := csapi.Refused(broken); refused {
		return fmt.Sprintf("the /sync of a client in the room was answered %d", refusal.Status)
	}
	return "the /sync of a client in the room got no answer"
}

// observeRotation lets dan join a second time under a fresh key: whether the server accepts that, and what clients see when
// both keys are joined (MSC4014, Proposal 3.2), are two questions with one answer.
func observeRotation(c *check.C, scene outlaw) {
	observe := func(reading, format string, arguments ...any) {
		c.ObserveOn("sender-key/rotation", reading, format, arguments...)
		if reading == breaksClients {
			reading = "other"
		}
		c.ObserveOn("mapping/two-keys-one-user", reading, format, arguments...)
	}
	scene.dan.NewKey(scene.room.ID())
	second := scene.joins()
	answer, broken := scene.tries(bySendJoin, second)
	detail := "send_join of the second key was answered " + answer
	if broken != nil {
		observe(breaksClients, "%s", detail)
		c.Errorf("when a member had joined again under a second key, %s", brokenFor(c, broken))
		return
	}
	shown, elsewhere := scene.shownAs(second)
	older, newer := slices.Contains(shown, scene.join.ID()), slices.Contains(shown, second.ID())
	switch {
	case strings.HasPrefix(elsewhere, "@_unverified_"):
		observe("placeholder", "%s; it shows as %s", detail, elsewhere)
	case elsewhere != "":
		observe("other", "%s; clients see the second key as %s", detail, elsewhere)
	case older && newer:
		observe("both-shown", "%s", detail)
	case newer:
		observe("newer-shown", "%s", detail)
	case older && scene.servesPeers(second):
		observe("older-shown", "%s", detail)
	case older:
		observe("refused", "%s", detail)
	default:
		observe("other", "%s; clients see neither key's member event", detail)
	}
}

// observeEvasion lets dan be banned and come back under a fresh key.
func observeEvasion(c *check.C, scene outlaw) {
	const requirement = "sender-key/ban-evaded-by-new-key"
	scene.isBanned()
	asked := scene.asksToJoin()
	scene.dan.NewKey(scene.room.ID())
	fresh := scene.joins()
	answer, broken := scene.tries(bySendJoin, fresh)
	detail := fmt.Sprintf("make_join by user ID was answered %s, send_join of the fresh key %s", asked, answer)
	if broken != nil {
		c.ObserveOn(requirement, breaksClients, "%s", detail)
		c.Errorf("when a banned user had joined again under a fresh key, %s", brokenFor(c, broken))
		return
	}
	shown, elsewhere := scene.shownAs(fresh)
	switch {
	case slices.Contains(shown, fresh.ID()):
		c.ObserveOn(requirement, "accepted", "%s; clients are shown %d member events of the user", detail, len(shown))
	case elsewhere != "":
		c.ObserveOn(requirement, "other", "%s; clients see the join as one of %s", detail, elsewhere)
	case scene.servesPeers(fresh):
		c.ObserveOn(requirement, "accepted-hidden", "%s", detail)
	default:
		c.ObserveOn(requirement, "refused", "%s", detail)
	}
}

// asksToJoin asks for a join template for dan, by user ID, and tells the answer.
func (o outlaw) asksToJoin() string {
	ctx, cancel := o.peer.Within()
	defer cancel()
	answer, err := o.peer.MakeJoin(ctx, o.stage.ServerName(1), o.room.ID(), o.dan.ID())
	o.stage.C.Need("resilience/stays-up", err)
	if answer.OK() {
		return "200"
	}
	return answer.String()
}

// shownAs tells which member events a client is shown for dan's user ID, by /members; or, if the event stands there
// under another user ID, which one.
func (o outlaw) shownAs(event federation.Event) (ids []string, elsewhere string) {
	c := o.stage.C
	answer, err := o.alice.Members(c.Context(), o.room.ID(), nil)
	c.Need("client-view/unmodified-client", err)
	for _, member := range answer.Get("chunk").Array() {
		id, stateKey := member.Get("event_id").String(), member.Get("state_key").String()
		switch {
		case stateKey == o.dan.ID():
			ids = append(ids, id)
		case id == event.ID():
			elsewhere = stateKey
		}
	}
	return ids, elsewhere
}

// servesPeers tells whether a server that joins later is given the event in the room's state.
func (o outlaw) servesPeers(event federation.Event) bool {
	later := o.stage.Peer()
	_, known := later.Joins(o.room.ID(), later.User("witness")).Event(event.ID())
	return known
}
