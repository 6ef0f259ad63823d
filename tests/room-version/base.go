package roomversion

// On whose rules the room version builds.

import (
	"cmp"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// The proposal names neither an identifier nor the version on whose rules the new one builds. What version 11 and 12
// changed, and what version 10 did, shows in the server's own events.
var _ = check.Register(check.Check{
	Name:     "the room version's identifier and base",
	Requires: []string{"room-version/identifier"},
	Body: func(c *check.C) {
		if seen := stage.OnVersion12(c); seen != "" {
			c.Observe("msc4014-base-12", "%s", seen)
			return
		}
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		room := peer.Joins(alice.Makes(stage.Public), peer.User("witness"))
		create, known := room.StateEvent("m.room.create", "")
		if !known {
			c.Blocked("membership/remote-joins-us", "the answer to send_join has no create event")
		}
		createIDs := map[string]string{} // by base version: version 11 changed the redaction
		for _, format := range s.Format().Redactions() {
			id, err := pseudoid.EventID(create.JSON(), format)
			if err != nil {
				c.Blocked("event-format/event-id", "the create event has no event ID: %v", err)
			}
			createIDs[id] = format.Base
		}
		redaction := ""
		for _, event := range room.Events() {
			for _, id := range event.AuthEvents() {
				redaction = cmp.Or(redaction, createIDs[id])
			}
		}
		levels, err := alice.PowerLevels(c.Context(), room.ID())
		c.Need("client-view/power-levels-read", err)
		_, err = alice.SendState(c.Context(), room.ID(), "m.room.power_levels", "", withBan(levels, 60))
		c.Need("client-view/power-levels-write", err)
		_, err = alice.SendState(c.Context(), room.ID(), "m.room.power_levels", "", withBan(levels, "70"))

		base, seen := baseOf(featuresOfBase(createIDs["$"+strings.TrimPrefix(room.ID(), "!")] != "", redaction == pseudoid.FormatV10.Base, err == nil))
		if redaction == "" {
			base, seen = "other", "events do not name the create event by an ID of version 10 or 11; "+seen
		}
		if create.Get("content.creator").Exists() {
			seen += "; the create event has a creator in its content"
		}
		reading := "msc4014-base-" + base
		if !slices.Contains([]string{"10", "11", "12"}, base) {
			reading = "other"
		}
		if s.Format().RoomVersion != pseudoid.RoomVersion {
			reading = strings.Replace(reading, "msc4014", "other-identifier", 1)
		}
		c.Observe(reading, "%s: %s", s.Format().RoomVersion, seen)
	},
})

// withBan is power levels with another one for banning.
func withBan(levels gjson.Result, power any) map[string]any {
	content := csapi.Object(levels)
	content["ban"] = power
	return content
}

// feature is what some base versions have, and no others.
type feature struct {
	name string
	seen bool
	of   []string
}

// featuresOfBase are the features by which base versions differ, each seen or not. A creator in the content of the create event is
// none: MSC1228 removes it, whatever the base.
func featuresOfBase(roomIDOfCreate, redactionOf10, stringAsPower bool) []feature {
	return []feature{
		{"the room ID is the ID of the create event", roomIDOfCreate, []string{"12"}},
		{"event IDs follow the redaction of version 10", redactionOf10, []string{"10", "older"}},
		{"a power level that is a string is accepted", stringAsPower, []string{"older"}},
	}
}

// baseOf returns the one base version that has exactly the features seen, "other" if none has.
func baseOf(features []feature) (base, detail string) {
	bases := []string{"10", "11", "12", "older"}
	var lines []string
	for _, each := range features {
		bases = slices.DeleteFunc(bases, func(base string) bool { return slices.Contains(each.of, base) != each.seen })
		if each.seen {
			lines = append(lines, each.name)
		} else {
			lines = append(lines, "not: "+each.name)
		}
	}
	if len(bases) != 1 {
		return "other", strings.Join(lines, "; ")
	}
	return bases[0], strings.Join(lines, "; ")
}
