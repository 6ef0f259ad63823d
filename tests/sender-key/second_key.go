package senderkey

// A second key of the same user: while the user is a member, and when its first key is banned.

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

// describeBroken describes in short what a client in the room got for an answer, and notes all of it.
func describeBroken(c *check.C, broken error) string {
	c.Notef("%v", broken)
	if refusal, refused := csapi.Refused(broken); refused {
		return fmt.Sprintf("the /sync of a client in the room was answered %d", refusal.Status)
	}
	return "the /sync of a client in the room got no answer"
}

// observeRotation lets Dan join a second time, under a new key: whether the server accepts that, and what clients see when both
// keys are joined (MSC4014, Proposal 3.2), are two questions with one answer.
func observeRotation(c *check.C, scene scenes.Ban) {
	observe := func(reading, format string, arguments ...any) {
		c.ObserveOn("sender-key/rotation", reading, format, arguments...)
		if reading == breaksClients {
			reading = "other"
		}
		c.ObserveOn("mapping/two-keys-one-user", reading, format, arguments...)
	}
	observeSecondJoin(scene, "when a member had joined again under a second key", observe)
}

// observeSecondJoin lets Dan join under a new key, delivers the join and observes what clients are shown. If they are not served any
// more, what happened is told as the reason of the fail.
func observeSecondJoin(scene scenes.Ban, what string, observe func(reading, format string, arguments ...any)) {
	scene.Dan.NewKey(scene.Room.ID())
	second := scene.DansJoin()
	answer, broken := scene.Delivers(delivery.SendJoin, second)
	detail := "send_join of the second key was answered " + answer
	if broken != nil {
		observe(breaksClients, "%s", detail)
		scene.C.Errorf("%s, %s", what, describeBroken(scene.C, broken))
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

// observeEvasion lets Dan be banned and join under a new key.
func observeEvasion(c *check.C, scene scenes.Ban) {
	const requirement = "sender-key/ban-evaded-by-new-key"
	scene.Bans()
	asked := makeJoinAnswer(scene)
	scene.Dan.NewKey(scene.Room.ID())
	fresh := scene.DansJoin()
	answer, broken := scene.Delivers(delivery.SendJoin, fresh)
	detail := fmt.Sprintf("make_join by user ID was answered %s, send_join of the fresh key %s", asked, answer)
	if broken != nil {
		c.ObserveOn(requirement, breaksClients, "%s", detail)
		c.Errorf("when a banned user had joined again under a fresh key, %s", describeBroken(c, broken))
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

// makeJoinAnswer requests a join template for Dan, by user ID, and returns the answer in short.
func makeJoinAnswer(scene scenes.Ban) string {
	ctx, cancel := scene.Peer.Within()
	defer cancel()
	answer, err := scene.Peer.MakeJoin(ctx, scene.ServerName(1), scene.Room.ID(), scene.Dan.ID())
	scene.C.Need("resilience/stays-up", err)
	if answer.OK() {
		return "200"
	}
	return answer.String()
}

// shownAs returns the member events that a client is shown for Dan's user ID, by /members; and, if it is shown the event under
// another user ID, that one.
func shownAs(scene scenes.Ban, event federation.Event) (ids []string, elsewhere string) {
	c := scene.C
	answer, err := scene.Alice.Members(c.Context(), scene.Room.ID(), nil)
	c.Need("client-view/unmodified-client", err)
	for _, member := range answer.Get("chunk").Array() {
		id, stateKey := member.Get("event_id").String(), member.Get("state_key").String()
		switch {
		case stateKey == scene.Dan.ID():
			ids = append(ids, id)
		case id == event.ID():
			elsewhere = stateKey
		}
	}
	return ids, elsewhere
}
