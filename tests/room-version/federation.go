package roomversion

// Chapter room-version, as other servers see it: make_join, and the rules that rooms of the version follow.

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// The answer to make_join names the room's version, by which the joining server knows how to write its join
// (server-server API, make_join).
var _ = check.Register(check.Check{
	Name:     "make_join names the room version",
	Requires: []string{"room-version/make-join-names-it"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		peer := s.Peer()
		answer := peer.AsksToJoin(s.User("alice").Makes(stage.Public))
		if !answer.OK() {
			c.Blocked("membership/remote-joins-us", "make_join was answered %s", answer)
		}
		assert.Equal(c, pseudoid.RoomVersion, answer.Get("room_version").String(), "room_version in the answer to make_join")
	},
})

// A server that does not list the version cannot join: it is told M_INCOMPATIBLE_ROOM_VERSION, and which version it
// would need (server-server API, make_join).
var _ = check.Register(check.Check{
	Name:     "make_join refuses servers without the room version",
	Requires: []string{"room-version/make-join-refuses-others"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		peer := s.Peer()
		room := s.User("alice").Makes(stage.Public)
		others := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"}
		c.Control(accepted(peer.AsksToJoin(room, append(slices.Clone(others), pseudoid.RoomVersion)...)))

		refusal := peer.AsksToJoin(room, others...)
		if refusal.OK() {
			c.Failf("make_join of a server that lists versions 1 to 11 alone was accepted: %s", refusal)
		}
		assert.Equal(c, http.StatusBadRequest, refusal.Status, "status of the refusal")
		assert.Equal(c, "M_INCOMPATIBLE_ROOM_VERSION", refusal.Get("errcode").String(), "errcode of the refusal")
		assert.Equal(c, pseudoid.RoomVersion, refusal.Get("room_version").String(), "room_version of the refusal")
	},
})

func accepted(answer federation.Answer) error {
	if answer.OK() {
		return nil
	}
	return fmt.Errorf("answered %s", answer)
}

// The proposal names neither an identifier nor the version on whose rules the new one builds. What version 11 and 12
// changed, and what version 10 did, shows in the server's own events.
var _ = check.Register(check.Check{
	Name:     "the room version's identifier and base",
	Requires: []string{"room-version/identifier"},
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		room := peer.Joins(alice.Makes(stage.Public), peer.User("witness"))
		create, known := room.StateEvent("m.room.create", "")
		if !known {
			c.Blocked("membership/remote-joins-us", "the answer to send_join has no create event")
		}
		createID, err := pseudoid.EventID(create.JSON(), s.Format()) // by version 10's redaction, which version 11 changed
		if err != nil {
			c.Blocked("event-format/event-id", "the create event has no event ID: %v", err)
		}
		namesIt := func(event federation.Event) bool { return slices.Contains(event.AuthEvents(), createID) }
		levels, err := alice.PowerLevels(c.Context(), room.ID())
		c.Need("client-view/power-levels-read", err)
		_, err = alice.SendState(c.Context(), room.ID(), "m.room.power_levels", "", withBan(levels, 60))
		c.Need("client-view/power-levels-write", err)
		_, err = alice.SendState(c.Context(), room.ID(), "m.room.power_levels", "", withBan(levels, "70"))

		base, seen := baseOf(signsOfBase(!strings.Contains(room.ID(), ":"), create.Get("content.creator").Exists(),
			slices.ContainsFunc(room.Events(), namesIt), err == nil))
		reading := "msc4014-base-" + base
		if !slices.Contains([]string{"10", "11", "12"}, base) {
			reading = "other"
		}
		c.Observe(reading, "%s: %s", pseudoid.RoomVersion, seen)
	},
})

// withBan is power levels with another one for banning.
func withBan(levels gjson.Result, power any) map[string]any {
	content := csapi.Object(levels)
	content["ban"] = power
	return content
}

// sign is something that is so in some base versions, and in those alone.
type sign struct {
	text string
	seen bool
	of   []string
}

// signsOfBase are what tells base versions apart, each seen or not.
func signsOfBase(noServerInRoomID, creatorInContent, redactionOf10, stringAsPower bool) []sign {
	return []sign{
		{"the room ID names no server", noServerInRoomID, []string{"12"}},
		{"the create event has a creator in its content", creatorInContent, []string{"10", "older"}},
		{"event IDs follow the redaction of version 10", redactionOf10, []string{"10", "older"}},
		{"a power level that is a string is accepted", stringAsPower, []string{"older"}},
	}
}

// baseOf is the one base version that fits all signs, "other" if none does.
func baseOf(signs []sign) (base, told string) {
	bases := []string{"10", "11", "12", "older"}
	var lines []string
	for _, each := range signs {
		bases = slices.DeleteFunc(bases, func(base string) bool { return slices.Contains(each.of, base) != each.seen })
		if each.seen {
			lines = append(lines, each.text)
		} else {
			lines = append(lines, "not: "+each.text)
		}
	}
	if len(bases) != 1 {
		return "other", strings.Join(lines, "; ")
	}
	return bases[0], strings.Join(lines, "; ")
}
