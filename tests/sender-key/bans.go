package senderkey

// Chapter sender-key, what keys mean for bans: a banned key stays out, and what becomes of a second key of the same user.

import (
	"fmt"
	"slices"
	"strings"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/scenes"
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
		room.Blaming("membership/ban").Awaits(scenes.MemberByKey(scene.join.Sender(), "ban"))

		_, err = bob.JoinRoom(c.Context(), room.ID())
		c.Notef("the server answered the banned user's join with %v", err)
		barrier := alice.Says(room.ID(), "said after the ban")
		alice.Blaming("client-view/unmodified-client").AwaitsEvent(room.ID(), barrier)
		room.Blaming("routing/reaches-members").AwaitsEvent(barrier)
		for _, arrival := range scene.witness.Received() {
			if scenes.AnotherMember(bob.UserID, "join", scene.join)(arrival.Event) == nil {
				c.Errorf("a peer was sent a join of the banned user, %s", arrival.Event)
			}
		}
		scenes.StaysBanned(c, alice.Views(room.ID()), bob.UserID)
		if _, err := bob.SendMessage(c.Context(), room.ID(), "said in spite of the ban"); err == nil {
			c.Errorf("a banned user can send messages to the room")
		}
	},
})

// Nor can its server bring it back under the same key (MSC4014, Proposal 3.2; authorisation rules, m.room.member: a
// banned user cannot join).
func init() {
	for _, path := range []delivery.Path{delivery.SendJoin, delivery.Send} {
		check.Register(check.Check{
			Name:     "a banned key cannot join, by " + path.Name,
			Requires: []string{"sender-key/ban-not-evaded"},
			Path:     path.Name,
			Body: func(c *check.C) {
				scene := scenes.OpenBanOfMember(stage.Open(c, blueprints.OneServer), path)
				scene.Bans()
				evasion := scene.DansJoin()
				answer, broken := scene.Delivers(path, evasion)
				c.Need("resilience/stays-up", broken)
				c.Notef("the server answered the banned key's join with %s", answer)
				scenes.StaysBanned(c, scene.Alice.Refused(scene.Room.ID(), evasion), scene.Dan.ID())
				later := scene.Stage.Peer()
				later.Joins(scene.Room.ID(), later.User("witness")).NotServed(evasion)
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
		scene := scenes.OpenBanOfMember(stage.Open(c, blueprints.OneServer), delivery.Send)
		evasion := scene.DansJoin()
		scene.Bans()
		answer, broken := scene.Delivers(delivery.Send, evasion)
		c.Need("resilience/stays-up", broken)
		c.Notef("the server answered the banned key's join with %s", answer)
		views := scene.Alice.Views(scene.Room.ID())
		for _, view := range views {
			if view.Has(evasion.ID()) {
				c.Errorf("%s shows a join that the ban forbids", view.Name)
			}
		}
		scenes.StaysBanned(c, views, scene.Dan.ID())
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
		observeRotation(c, scenes.OpenBanOfMember(s, delivery.SendJoin))
		observeEvasion(c, scenes.OpenBanOfMember(s, delivery.SendJoin))
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
func observeRotation(c *check.C, scene scenes.Ban) {
	observe := func(reading, format string, arguments ...any) {
		c.ObserveOn("sender-key/rotation", reading, format, arguments...)
		if reading == breaksClients {
			reading = "other"
		}
		c.ObserveOn("mapping/two-keys-one-user", reading, format, arguments...)
	}
	scene.Dan.NewKey(scene.Room.ID())
	second := scene.DansJoin()
	answer, broken := scene.Delivers(delivery.SendJoin, second)
	detail := "send_join of the second key was answered " + answer
	if broken != nil {
		observe(breaksClients, "%s", detail)
		c.Errorf("when a member had joined again under a second key, %s", brokenFor(c, broken))
		return
	}
	shown, elsewhere := shownAs(scene, second)
	older, newer := slices.Contains(shown, scene.Join.ID()), slices.Contains(shown, second.ID())
	switch {
	case strings.HasPrefix(elsewhere, "@_unverified_"):
		observe("placeholder", "%s; it shows as %s", detail, elsewhere)
	case elsewhere != "":
		observe("other", "%s; clients see the second key as %s", detail, elsewhere)
	case older && newer:
		observe("both-shown", "%s", detail)
	case newer:
		observe("newer-shown", "%s", detail)
	case older && delivery.ServesLaterJoiner(scene.Stage, scene.Room.ID(), second.ID()):
		observe("older-shown", "%s", detail)
	case older:
		observe("refused", "%s", detail)
	default:
		observe("other", "%s; clients see neither key's member event", detail)
	}
}

// observeEvasion lets dan be banned and come back under a fresh key.
func observeEvasion(c *check.C, scene scenes.Ban) {
	const requirement = "sender-key/ban-evaded-by-new-key"
	scene.Bans()
	asked := asksToJoin(scene)
	scene.Dan.NewKey(scene.Room.ID())
	fresh := scene.DansJoin()
	answer, broken := scene.Delivers(delivery.SendJoin, fresh)
	detail := fmt.Sprintf("make_join by user ID was answered %s, send_join of the fresh key %s", asked, answer)
	if broken != nil {
		c.ObserveOn(requirement, breaksClients, "%s", detail)
		c.Errorf("when a banned user had joined again under a fresh key, %s", brokenFor(c, broken))
		return
	}
	shown, elsewhere := shownAs(scene, fresh)
	switch {
	case slices.Contains(shown, fresh.ID()):
		c.ObserveOn(requirement, "accepted", "%s; clients are shown %d member events of the user", detail, len(shown))
	case elsewhere != "":
		c.ObserveOn(requirement, "other", "%s; clients see the join as one of %s", detail, elsewhere)
	case delivery.ServesLaterJoiner(scene.Stage, scene.Room.ID(), fresh.ID()):
		c.ObserveOn(requirement, "accepted-hidden", "%s", detail)
	default:
		c.ObserveOn(requirement, "refused", "%s", detail)
	}
}

// asksToJoin asks for a join template for dan, by user ID, and tells the answer.
func asksToJoin(o scenes.Ban) string {
	ctx, cancel := o.Peer.Within()
	defer cancel()
	answer, err := o.Peer.MakeJoin(ctx, o.Stage.ServerName(1), o.Room.ID(), o.Dan.ID())
	o.Stage.C.Need("resilience/stays-up", err)
	if answer.OK() {
		return "200"
	}
	return answer.String()
}

// shownAs tells which member events a client is shown for dan's user ID, by /members; or, if the event stands there
// under another user ID, which one.
func shownAs(o scenes.Ban, event federation.Event) (ids []string, elsewhere string) {
	c := o.Stage.C
	answer, err := o.Alice.Members(c.Context(), o.Room.ID(), nil)
	c.Need("client-view/unmodified-client", err)
	for _, member := range answer.Get("chunk").Array() {
		id, stateKey := member.Get("event_id").String(), member.Get("state_key").String()
		switch {
		case stateKey == o.Dan.ID():
			ids = append(ids, id)
		case id == event.ID():
			elsewhere = stateKey
		}
	}
	return ids, elsewhere
}
