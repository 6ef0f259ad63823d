package auth

// What the texts leave open: authorisation rules that look at the domain or at the sigil of a user ID, which a key does not
// have.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// Two rules compare domains: that of who creates a room with the one in the room ID (authorisation rules 1.2), and, where
// m.federate is false, that of a sender with the creator's (rule 3).
var _ = check.Register(check.Check{
	Name:     "how the rules that compare domains apply",
	Requires: []string{"auth/rules-by-domain"},
	Body: func(c *check.C) {
		s := delivery.Open(stage.Open(c, blueprints.OneServer))
		own, foreign := entersRoom(s, ""), entersRoom(s, "!made-elsewhere:"+s.Peer().Name())
		local, remote := joinUnfederatedRoom(s)
		detail := fmt.Sprintf("a room of a peer whose ID names the peer can be entered: %s; one whose ID names another server: %s; "+
			"a room with m.federate false can be entered by another user of its server: %s; by a user of a peer: %s",
			outcome(own), outcome(foreign), outcome(local), outcome(remote))
		switch {
		case own != nil && local != nil:
			c.Observe("refuses-all", "%s", detail)
		case own != nil || local != nil:
			c.Observe("differs-by-rule", "%s", detail)
		case foreign == nil && remote == nil:
			c.Observe("not-applied", "%s", detail)
		case foreign != nil && remote != nil:
			c.Observe("by-mapping", "%s", detail)
		default:
			c.Observe("differs-by-rule", "%s", detail)
		}
	},
})

func outcome(err error) string {
	if err == nil {
		return "yes"
	}
	return "no (" + err.Error() + ")"
}

// entersRoom lets Alice join a room of Origin with that ID, and returns an error if she could not or sees nothing of it.
func entersRoom(s delivery.Scene, roomID string) error {
	room := s.Origin.Makes(federation.RoomOptions{Creator: s.Carol, RoomID: roomID})
	if _, err := s.Alice.JoinRoom(s.C.Context(), room.ID(), s.Origin.Name()); err != nil {
		return err
	}
	return s.Alice.SeesEvent(room.ID(), room.Says(s.Carol, "said after alice's join").ID())
}

// joinUnfederatedRoom lets another local user, and then Carol, join a room of Alice that does not federate. The errors say
// why either could not.
func joinUnfederatedRoom(s delivery.Scene) (local, remote error) {
	unfederated := stage.Option{Name: "creation_content", Value: map[string]any{"m.federate": false}}
	roomID, err := s.Alice.TryRoom(s.Format().RoomVersion, stage.Public, unfederated)
	if err != nil {
		return err, errors.New("there is no such room")
	}
	_, local = s.User("bob").JoinRoom(s.C.Context(), roomID)
	ctx, cancel := s.Origin.Within()
	defer cancel()
	_, remote = s.Origin.Join(ctx, s.ServerName(1), roomID, s.Carol)
	if remote == nil {
		_, remote = s.Alice.SeesMembership(roomID, s.Carol.ID(), "join")
	}
	return local, remote
}

// sigilProbes are events that the rules which look for '@' apply to.
var sigilProbes = []struct {
	name  string
	event func(s delivery.Scene) federation.Proto
}{
	{"state keyed by another member's key", func(s delivery.Scene) federation.Proto {
		return delivery.MemberStateUnder(s.Dan, s.Carol.SenderIn(s.Room.Room))
	}},
	{"state keyed by another's user ID", func(s delivery.Scene) federation.Proto { return delivery.MemberStateUnder(s.Dan, s.Carol.ID()) }},
	{"power levels with a user ID among their users", func(s delivery.Scene) federation.Proto {
		return powerLevelsWith(s, "@nobody:"+s.Origin.Name())
	}},
	{"power levels with neither key nor user ID among their users", func(s delivery.Scene) federation.Proto {
		return powerLevelsWith(s, "neither")
	}},
}

// sigilReadings are the readings of auth/rules-by-sigil, by which of the probes are accepted.
var sigilReadings = []struct {
	reading  string
	accepted []bool
}{
	{"by-key", []bool{false, false, false, false}},
	{"by-sigil", []bool{true, false, true, true}},
	{"not-applied", []bool{true, true, true, true}},
}

// powerLevelsWith is Carol's power levels with one more user, "" for none.
func powerLevelsWith(s delivery.Scene, more string) federation.Proto {
	users := map[string]int{s.Carol.SenderIn(s.Room.Room): 100}
	if more != "" {
		users[more] = 10
	}
	return federation.Proto{
		Type: "m.room.power_levels", StateKey: federation.StateKey(""), Sender: s.Carol,
		Content: map[string]any{"users": users, "events": map[string]any{delivery.MemberStateType: 0}},
	}
}

// Two rules look for the '@' of a user ID: a state key that begins with it is its owner's alone (authorisation rules 8), and
// the users of power levels are user IDs (rule 9.3).
var _ = check.Register(check.Check{
	Name:     "how the rules that look for a sigil apply",
	Requires: []string{"auth/rules-by-sigil"},
	Path:     "send",
	Body: func(c *check.C) {
		s := delivery.Open(stage.Open(c, blueprints.OneServer))
		s.Room = s.MakesRoom()
		s.AliceJoins()
		own := s.Dan.SenderIn(s.Room.Room)
		c.Control(errors.Join(isAccepted(s, delivery.MemberStateUnder(s.Dan, "note")),
			isAccepted(s, delivery.MemberStateUnder(s.Dan, own)), isAccepted(s, powerLevelsWith(s, ""))))

		var accepted []bool
		var details []string
		for _, probe := range sigilProbes {
			err := isAccepted(s, probe.event(s))
			accepted = append(accepted, err == nil)
			details = append(details, fmt.Sprintf("%s: accepted %t", probe.name, err == nil))
		}
		reading := "differs-by-rule"
		for _, each := range sigilReadings {
			if slices.Equal(accepted, each.accepted) {
				reading = each.reading
			}
		}
		c.Observe(reading, "%s", strings.Join(details, "; "))
	},
})

// isAccepted sends an event in a transaction, and returns an error if clients are not shown it.
func isAccepted(s delivery.Scene, proto federation.Proto) error {
	event := s.Room.Builds(proto)
	answer, err := s.Room.Pushes(event)
	s.C.Need("resilience/stays-up", err)
	s.Barrier()
	return delivery.WithAnswer(delivery.Delivered{Room: s.Room, Event: event}.IsShown(s.Alice), answer.Answer.String())
}
