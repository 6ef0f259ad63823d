package clientview

// What the text leaves open: clients name users by user ID, also those who have no key in the room yet, and there is no mechanism for
// that (MSC4014, hard requirement 1).

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// The readings that the code distinguishes.
const (
	refused        = "refused"
	dropped        = "dropped"
	userIDOnWire   = "user-id-on-wire"
	userIDAndPower = "user-id-and-power"
	keyMadeEarly   = "key-made-early"
	appliedOnJoin  = "applied-on-join"
	otherReading   = "other"
)

// newcomer is a user without a key in a room.
type newcomer struct {
	userID string
	joins  func(*stage.Room)
	// names tries to name the room, which takes power 50.
	names func(room *stage.Room, name string)
}

// newcomerOf returns a user of hs1, or one of the peer.
func newcomerOf(s *stage.Stage, from origin, peer *stage.Peer, alice *stage.User) newcomer {
	named := func(name string) map[string]any { return map[string]any{"name": name} }
	if from == local {
		dave := s.User("dave")
		return newcomer{dave.UserID,
			func(room *stage.Room) {
				dave.Joins(room.ID())
				room.Blaming("mapping/in-local-join").AwaitsMember(dave.UserID, "join")
			},
			func(room *stage.Room, name string) {
				_, _ = dave.SendState(s.C.Context(), room.ID(), "m.room.name", "", named(name)) // whether it has an effect is read
			},
		}
	}
	erin := peer.User("erin")
	return newcomer{erin.ID(),
		func(room *stage.Room) {
			room.JoinsByEvent(erin)
			alice.Blaming("membership/remote-joins-us").AwaitsMembership(room.ID(), erin.ID(), "join")
		},
		func(room *stage.Room, name string) {
			_, err := room.Pushes(room.Builds(stateOf(erin, "m.room.name", "", named(name))))
			s.C.Need("resilience/stays-up", err)
		},
	}
}

// gift is power given to a newcomer.
type gift struct {
	way  string
	from origin
	// gives gives the power and returns the room and the ID of the power levels, "" for the first of the room, or the refusal.
	gives func(userID string) (roomID, eventID string, err error)
}

var _ = check.Register(check.Check{
	Name:     "power given by user ID to users who have not joined",
	Requires: []string{"client-view/power-levels-before-join"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		made := func(options ...stage.Option) (roomID, eventID string, err error) {
			roomID, err = alice.TryRoom(s.Format().RoomVersion, options...)
			return roomID, "", err
		}
		written := func(userID string) (roomID, eventID string, err error) {
			roomID = alice.Makes(stage.Public)
			levels, err := alice.PowerLevels(c.Context(), roomID)
			c.Need("client-view/power-levels-read", err)
			eventID, err = alice.SendState(c.Context(), roomID, "m.room.power_levels", "", withLevel(levels, userID, 60))
			return roomID, eventID, err
		}
		seen := map[string]string{}
		var details []string
		for _, each := range []gift{
			{"in power levels, to a user of the server", local, written},
			{"in power levels, to a user of a peer", remote, written},
			{"by trusted_private_chat", local, func(userID string) (string, string, error) {
				return made(stage.Option{Name: "preset", Value: "trusted_private_chat"}, stage.Option{Name: "invite", Value: []string{userID}},
					stage.InitialState("m.room.join_rules", "", map[string]any{"join_rule": "public"}))
			}},
			{"by power_level_content_override", local, func(userID string) (string, string, error) {
				users := map[string]int{alice.UserID: 100, userID: 60}
				return made(stage.Public, stage.Option{Name: "power_level_content_override", Value: map[string]any{"users": users}})
			}},
		} {
			reading := comesTo(s, each, peer, alice)
			seen[each.way] = reading
			details = append(details, each.way+": "+reading)
		}
		c.Observe(together(seen, "in power levels, to a user of a peer", "differs-by-way"), "%s", strings.Join(details, "; "))
	},
})

// withLevel returns power levels in which a user has another level.
func withLevel(levels gjson.Result, userID string, level int) map[string]any {
	content := csapi.Object(levels)
	users, _ := content["users"].(map[string]any)
	if users == nil {
		users = map[string]any{}
	}
	users[userID] = level
	content["users"] = users
	return content
}

// comesTo gives the power, lets the newcomer join, and says what that came to.
func comesTo(s *stage.Stage, given gift, peer *stage.Peer, alice *stage.User) string {
	c := s.C
	user := newcomerOf(s, given.from, peer, alice)
	roomID, eventID, err := given.gives(user.userID)
	if err != nil {
		c.Notef("%s: %v", given.way, err)
		return refused
	}
	room := peer.Joins(roomID, peer.User("witness"))
	levels := firstLevels(room)
	if eventID != "" {
		levels, _ = room.Event(eventID)
	}
	user.joins(room)
	key := room.Blaming("mapping/in-local-join").MemberOf(user.userID).Get("state_key").String()
	has := hasPower(s, alice, room, user)
	users := levels.Get("content.users")
	switch {
	case users.Get(gjson.Escape(key)).Exists() && has:
		return keyMadeEarly
	case users.Get(gjson.Escape(key)).Exists():
		return otherReading
	case users.Get(gjson.Escape(user.userID)).Exists() && has:
		return userIDAndPower
	case users.Get(gjson.Escape(user.userID)).Exists():
		return userIDOnWire
	case has:
		return appliedOnJoin
	}
	return dropped
}

// firstLevels returns the first power levels of a room.
func firstLevels(room *stage.Room) (first federation.Event) {
	for _, event := range room.Events() {
		if event.IsState("m.room.power_levels", "") && (first.IsZero() || event.Depth() < first.Depth()) {
			first = event
		}
	}
	return first
}

// hasPower reports whether a user that has joined can name the room. The server may give it the power a little after the join: it tries
// again after each of a few messages.
func hasPower(s *stage.Stage, alice *stage.User, room *stage.Room, user newcomer) bool {
	const rounds = 3
	for i := range rounds {
		name := fmt.Sprintf("named in round %d", i)
		room.Blaming("routing/reaches-members").AwaitsEvent(alice.Says(room.ID(), "said before an attempt to name the room"))
		user.names(room, name)
		alice.Blaming("membership/remote-joins-us").AwaitsEvent(room.ID(), room.Says(room.Peer().User("witness"), "said after it").ID())
		if content, err := alice.StateEvent(s.C.Context(), room.ID(), "m.room.name", ""); err == nil && content.Get("name").String() == name {
			return true
		}
	}
	return false
}

// together returns the reading that all ways have in common, or differs. That remote users are refused where keys are made early is no
// difference: only their own server can make theirs.
func together(readings map[string]string, ofRemote, differs string) string {
	var all []string
	for way, reading := range readings {
		if way == ofRemote && reading == refused && slices.Contains(slices.Collect(maps.Values(readings)), keyMadeEarly) {
			continue
		}
		all = append(all, reading)
	}
	slices.Sort(all)
	if all = slices.Compact(all); len(all) > 1 {
		return differs
	}
	return all[0]
}

var _ = check.Register(check.Check{
	Name:     "state keyed by the user ID of users who have not joined",
	Requires: []string{"client-view/state-key-before-join"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		room := peer.Joins(alice.Makes(stage.Public), peer.User("witness"))
		seen := map[string]string{}
		var details []string
		for _, from := range []origin{local, remote} {
			user := newcomerOf(s, from, peer, alice)
			written, err := alice.SendState(c.Context(), room.ID(), noteType, user.userID, map[string]any{"by": "an admin"})
			if err != nil {
				c.Notef("keyed by %s: %v", from, err)
				seen[string(from)] = refused
			} else {
				stateKey, _ := room.Blaming("routing/reaches-members").AwaitsEvent(written).StateKey()
				user.joins(room)
				switch key := room.Blaming("mapping/in-local-join").MemberOf(user.userID).Get("state_key").String(); stateKey {
				case user.userID:
					seen[string(from)] = userIDOnWire
				case key:
					seen[string(from)] = keyMadeEarly
				default:
					seen[string(from)] = otherReading
				}
			}
			details = append(details, fmt.Sprintf("%s: %s", from, seen[string(from)]))
		}
		c.Observe(together(seen, string(remote), "differs-by-user"), "%s", strings.Join(details, "; "))
	},
})
