package unverified

// Members who cannot be verified and have power: the creator of a room, and a moderator.

import (
	"errors"
	"fmt"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// officer is a member with power in a room of a peer, Resident, that Alice joins. Its own server is another one.
type officer struct {
	*stage.Stage
	alice    *stage.User
	resident *stage.Peer
	host     *federation.User // of resident
	user     *federation.User // the officer
	room     *stage.Room      // as resident knows it
	missed   bool             // the server gets the officer's events as what it missed
	wanted   func(userID string) error
}

// The events of a user whose keys cannot be had are accepted, and clients see a fake user ID in its place (MSC4014, Changes from
// MSC1228 6): also where the user is the creator of the room or its moderator, whose power is by key. Clients work without
// changes (hard requirement 1), so the room can be entered and used. The control is the same room with the user's server
// there.
func init() {
	for _, founds := range []bool{true, false} {
		name := map[bool]string{true: "creator", false: "moderator"}[founds]
		for _, each := range []struct {
			what  string
			judge func(o *officer) []string
		}{
			{"a room whose %s cannot be verified can be used", (*officer).roomIsUsed},
			{"the power of a %s who cannot be verified counts", (*officer).powerCounts},
			{"a kick by a %s who cannot be verified takes effect", (*officer).kicks},
			{"an invite by a %s who cannot be verified is shown", (*officer).invites},
		} {
			check.Register(check.Check{
				Name:     fmt.Sprintf(each.what, name),
				Requires: []string{"unverified/founder-or-moderator"},
				Path:     "the state of send_join",
				Deadly:   founds, // deployed servers crash when they enter the room
				Body: func(c *check.C) {
					s := stage.Open(c, blueprints.OneServer)
					missed := controlsOffice(s, founds, each.judge)
					unverified, err := opensOffice(s, founds, true)
					if err != nil {
						c.Failf("the room cannot be entered: %v", err)
					}
					unverified.missed = missed
					for _, problem := range each.judge(unverified) {
						c.Errorf("%s", problem)
					}
				},
			})
		}
	}
}

// controlsOffice judges a room whose officer's server is there. It reports whether the server gets the officer's events as what it missed, because
// it does not take them in a transaction of Resident, which is open (mapping/delivered-by-third-server).
func controlsOffice(s *stage.Stage, founds bool, judge func(*officer) []string) (missed bool) {
	var refusals error
	for _, missed := range []bool{false, true} {
		verified, err := opensOffice(s, founds, false)
		s.C.Control(err)
		verified.missed = missed
		problems := judge(verified)
		if len(problems) == 0 {
			s.C.Control(nil)
			return missed
		}
		for _, problem := range problems {
			refusals = errors.Join(refusals, errors.New(problem))
		}
	}
	s.C.Control(refusals)
	return true
}

// opensOffice makes the room, and lets Alice join it when the officer's server may be dead. The error is hers.
func opensOffice(s *stage.Stage, founds, dies bool) (*officer, error) {
	home := s.Peer()
	o := &officer{Stage: s, alice: s.User("alice"), resident: s.Peer(), user: home.User("officer")}
	o.host = o.resident.User("host")
	o.wanted = func(userID string) error {
		if userID != o.user.ID() {
			return fmt.Errorf("%q, wanted %q", userID, o.user.ID())
		}
		return nil
	}
	if founds {
		made := home.Makes(federation.RoomOptions{Creator: o.user})
		o.room = o.resident.JoinsVia(home.Name(), made.ID(), o.host).At(1)
	} else {
		o.room = o.resident.Makes(federation.RoomOptions{Creator: o.host})
		o.room.Applies(o.room.MemberTemplate(o.user, "join"))
		o.room.Apply(o.room.Builds(federation.Proto{
			Type: "m.room.power_levels", StateKey: federation.StateKey(""), Sender: o.host, Content: map[string]any{
				"users": map[string]int{o.host.SenderIn(o.room.Room): 100, o.user.SenderIn(o.room.Room): 50}, "state_default": 50, "kick": 50, "invite": 50,
			},
		}))
	}
	if dies {
		home.PlayDead(federation.DeadRefusing)
		o.wanted = isPlaceholder(o.user.ID(), s.ServerName(1))
	}
	_, err := o.alice.JoinRoom(s.C.Context(), o.room.ID(), o.resident.Name())
	if err == nil {
		verifiable := []string{o.host.ID()}
		if !dies {
			verifiable = append(verifiable, o.user.ID())
		}
		o.alice.LetsVerify(o.room.ID(), verifiable...)
	}
	return o, err
}

// does lets Resident deliver an event of the officer.
func (o *officer) does(proto federation.Proto) federation.Event {
	proto.Sender = o.user
	event := o.room.Builds(proto)
	o.delivers(event)
	return event
}

// delivers lets Resident send an event of the officer, or what its host says after that event, before which the server asks for it. It waits
// until Alice is shown what was said beside both.
func (o *officer) delivers(event federation.Event) {
	barrier := o.room.Builds(federation.TextMessage(o.host, "said beside an event of the officer"))
	if o.missed {
		o.room.Apply(event)
		o.room.Says(o.host, "said after an event of the officer")
	} else {
		o.room.Delivers(event)
	}
	o.awaits(barrier)
}

// awaits lets Resident send a message, and waits until Alice is shown it.
func (o *officer) awaits(barrier federation.Event) {
	o.room.Delivers(barrier)
	o.alice.AwaitsEvent(o.room.ID(), barrier.ID())
}

// senderOf is the problem with the sender of an event, as Alice is shown it.
func (o *officer) senderOf(event federation.Event, what string) []string {
	shown, err := o.alice.Event(o.C.Context(), o.room.ID(), event.ID())
	if err != nil {
		return []string{what + " is not shown"}
	}
	if err := o.wanted(shown.Get("sender").String()); err != nil {
		return []string{fmt.Sprintf("the sender of %s: %v", what, err)}
	}
	return nil
}

// stateIs is the problem with a field of the room's state, as Alice is shown it.
func (o *officer) stateIs(eventType, stateKey, field, wanted string) []string {
	state, err := o.alice.StateEvent(o.C.Context(), o.room.ID(), eventType, stateKey)
	if err != nil {
		return []string{fmt.Sprintf("the state has no %s of %q", eventType, stateKey)}
	}
	if value := state.Get(field).String(); value != wanted {
		return []string{fmt.Sprintf("%s of the state's %s is %q, wanted %q", field, eventType, value, wanted)}
	}
	return nil
}

// roomIsUsed: Alice and the host's server exchange messages, and what names the officer names it by user ID.
func (o *officer) roomIsUsed() (problems []string) {
	c := o.C
	said := o.room.Says(o.host, "said by the host")
	if err := o.alice.SeesEvent(o.room.ID(), said.ID()); err != nil {
		problems = append(problems, "messages of others in the room are not shown")
	}
	if eventID, err := o.alice.SendMessage(c.Context(), o.room.ID(), "said by alice"); err != nil || o.room.Receives(eventID) != nil {
		problems = append(problems, "what clients say in the room does not reach the others")
	}
	problems = append(problems, o.senderOf(o.does(federation.TextMessage(o.user, "said by the officer")), "a message of the officer")...)
	state, err := o.alice.State(c.Context(), o.room.ID())
	if err != nil {
		return append(problems, "GET /state is refused")
	}
	key := o.user.SenderIn(o.room.Room)
	for _, event := range state.JSON().Array() {
		eventType := event.Get("type").String()
		original, known := o.room.Event(event.Get("event_id").String())
		if known && original.Sender() == key {
			if err := o.wanted(event.Get("sender").String()); err != nil {
				problems = append(problems, fmt.Sprintf("the sender of the %s in the state: %v", eventType, err))
			}
		}
		if creator := event.Get("content.creator"); eventType == "m.room.create" && known && original.Sender() == key && creator.Exists() {
			if err := o.wanted(creator.String()); err != nil {
				problems = append(problems, fmt.Sprintf("the creator in the create event: %v", err))
			}
		}
		if eventType == "m.room.power_levels" {
			problems = append(problems, o.powerShown(event.Get("content.users"))...)
		}
	}
	return problems
}

// powerShown are the problems with the users in power levels: one must be the officer, and none a key.
func (o *officer) powerShown(users gjson.Result) (problems []string) {
	shown := false
	users.ForEach(func(userID, _ gjson.Result) bool {
		if o.wanted(userID.String()) == nil {
			shown = true
		} else if err := pseudoid.ValidUserID(userID.String()); err != nil {
			problems = append(problems, fmt.Sprintf("a user in the power levels: %v", err))
		}
		return true
	})
	if !shown {
		problems = append(problems, "the power levels do not have the officer by the user ID that clients are to see: "+users.Raw)
	}
	return problems
}

// powerCounts: the officer sets the topic, which takes power.
func (o *officer) powerCounts() []string {
	const topic = "set by the officer"
	set := o.does(federation.Proto{Type: "m.room.topic", StateKey: federation.StateKey(""), Content: map[string]string{"topic": topic}})
	return append(o.senderOf(set, "the topic's event"), o.stateIs("m.room.topic", "", "topic", topic)...)
}

// kicks: the officer kicks a member of Resident.
func (o *officer) kicks() []string {
	guest := o.resident.User("guest")
	barrier := o.room.Builds(federation.TextMessage(o.host, "said beside the join of a guest"))
	o.room.Delivers(o.room.BuildsMember(guest, "join"))
	o.awaits(barrier)
	if err := o.stateIs("m.room.member", guest.ID(), "membership", "join"); err != nil {
		return err
	}
	kick := o.does(federation.Proto{
		Type: "m.room.member", StateKey: federation.StateKey(guest.SenderIn(o.room.Room)), Content: map[string]string{"membership": "leave"},
	})
	return append(o.senderOf(kick, "the kick"), o.stateIs("m.room.member", guest.ID(), "membership", "leave")...)
}

// invites: the officer invites a user of Resident, who signs the invite, too.
func (o *officer) invites() []string {
	guest := o.resident.User("guest")
	key := guest.KeyIn(o.room.ID())
	template, err := o.room.Template(federation.Proto{
		Type: "m.room.member", StateKey: federation.StateKey(string(key.Public)), Sender: o.user, Content: map[string]string{"membership": "invite"},
	})
	if err != nil {
		o.C.SuiteError(err)
	}
	invite := o.room.Made(template.WithMappingOf(guest).NamingKey(key.Public).AlsoSignedBy(template.SignerOf(key)))
	o.delivers(invite)
	return append(o.senderOf(invite, "the invite"), o.stateIs("m.room.member", guest.ID(), "membership", "invite")...)
}
