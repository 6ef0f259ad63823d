package auth

// Chapter auth, what the texts leave open: authorisation rules that look at the domain or at the sigil of a user ID, which a
// key does not have.

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// Two rules compare domains: that of who creates a room with the one in the room ID (authorisation rules 1.2), and, where
// m.federate is false, that of a sender with the creator's (rule 3).
var _ = check.Register(check.Check{
	Name:     "what the rules that compare domains come to",
	Requires: []string{"auth/rules-by-domain"},
	Body: func(c *check.C) {
		p := delivery.Open(stage.Open(c, blueprints.OneServer))
		own, foreign := entersRoomOf(p, ""), entersRoomOf(p, "!made-elsewhere:"+p.Peer().Name())
		local, remote := entersUnfederated(p)
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

// entersRoomOf lets alice enter a room of Origin with that ID, and tells why she could not, or nil.
func entersRoomOf(p delivery.Scene, roomID string) error {
	room := p.Origin.Makes(federation.RoomOptions{Creator: p.Carol, RoomID: roomID})
	if _, err := p.Alice.JoinRoom(p.C.Context(), room.ID(), p.Origin.Name()); err != nil {
		return err
	}
	err := p.Alice.SeesEvent(room.ID(), room.Says(p.Carol, "said when alice has come").ID())
	return err
}

// entersUnfederated lets another local user, and then carol, enter a room of alice's that does not federate, and tells for
// each why not, or nil.
func entersUnfederated(p delivery.Scene) (local, remote error) {
	unfederated := stage.Option{Name: "creation_content", Value: map[string]any{"m.federate": false}}
	roomID, err := p.Alice.TryRoom(pseudoid.RoomVersion, stage.Public, unfederated)
	if err != nil {
		return err, errors.New("there is no such room")
	}
	_, local = p.User("bob").JoinRoom(p.C.Context(), roomID)
	ctx, cancel := p.Origin.Within()
	defer cancel()
	_, remote = p.Origin.Join(ctx, p.ServerName(1), roomID, p.Carol)
	if remote == nil {
		_, remote = p.Alice.SeesMembership(roomID, p.Carol.ID(), "join")
	}
	return local, remote
}

// sigilProbe is an event that the rules which look for '@' are about.
type sigilProbe struct {
	name  string
	event func(p delivery.Scene) federation.Proto
}

var sigilProbes = []sigilProbe{
	{"state keyed by another member's key", func(p delivery.Scene) federation.Proto {
		return delivery.MemberStateUnder(p.Dan, p.Carol.SenderIn(p.Room.Room))
	}},
	{"state keyed by another's user ID", func(p delivery.Scene) federation.Proto { return delivery.MemberStateUnder(p.Dan, p.Carol.ID()) }},
	{"power levels with a user ID among their users", func(p delivery.Scene) federation.Proto { return powerOf(p, "@nobody:"+p.Origin.Name()) }},
	{"power levels with neither key nor user ID among their users", func(p delivery.Scene) federation.Proto { return powerOf(p, "neither") }},
}

// powerOf is carol's power levels with one more who has some.
func powerOf(p delivery.Scene, more string) federation.Proto {
	users := map[string]int{p.Carol.SenderIn(p.Room.Room): 100}
	if more != "" {
		users[more] = 10
	}
	return federation.Proto{
		Type: "m.room.power_levels", StateKey: federation.StateKey(""), Sender: p.Carol,
		Content: map[string]any{"users": users, "events": map[string]any{delivery.MemberStateType: 0}},
	}
}

// Two rules look for the '@' of a user ID: a state key that begins with it is its owner's alone (authorisation rules 8), and
// the users of power levels are user IDs (rule 9.3).
var _ = check.Register(check.Check{
	Name:     "what the rules that look for a sigil come to",
	Requires: []string{"auth/rules-by-sigil"},
	Path:     "send",
	Body: func(c *check.C) {
		p := delivery.Open(stage.Open(c, blueprints.OneServer))
		p.Room = p.MakesRoom()
		p.Alice.Joins(p.Room.ID(), p.Origin.Name())
		own := p.Dan.SenderIn(p.Room.Room)
		c.Control(errors.Join(isTaken(p, delivery.MemberStateUnder(p.Dan, "note")), isTaken(p, delivery.MemberStateUnder(p.Dan, own)), isTaken(p, powerOf(p, ""))))

		var taken []bool
		var details []string
		for _, probe := range sigilProbes {
			err := isTaken(p, probe.event(p))
			taken = append(taken, err == nil)
			details = append(details, fmt.Sprintf("%s: taken %t", probe.name, err == nil))
		}
		readings := map[string][]bool{
			"by-key": {false, false, false, false}, "by-sigil": {true, false, true, true}, "not-applied": {true, true, true, true},
		}
		reading := "differs-by-rule"
		for name, expected := range readings {
			if slices.Equal(taken, expected) {
				reading = name
			}
		}
		c.Observe(reading, "%s", strings.Join(details, "; "))
	},
})

// isTaken sends an event in a transaction and tells why clients are not shown it, or nil.
func isTaken(p delivery.Scene, proto federation.Proto) error {
	event := p.Room.Builds(proto)
	answer, err := p.Room.Pushes(event)
	p.C.Need("resilience/stays-up", err)
	p.Barrier()
	return delivery.WithAnswer(delivery.Delivered{Room: p.Room, Event: event}.IsShown(p.Alice), answer.Answer.String())
}
