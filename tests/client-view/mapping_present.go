package clientview

// Which views carry the mapping.

import (
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/pseudoid"
)

// Clients must have enough data to become aware of keys (MSC4014, hard requirement 2), and MSC1228 has a new field in /sync that tells
// them of mappings as they are resolved (Implementation); where the mapping stands in what they are shown is not said.
var _ = check.Register(check.Check{
	Name:     "which views carry the mapping",
	Requires: []string{"client-view/mapping-present"},
	Slow:     collecting,
	Body: func(c *check.C) {
		v := view(c)
		var with, without, partly []string
		for _, each := range endpoints {
			carry, lack := 0, 0
			for _, shown := range v.answers[each.name].shown {
				switch carried, is := v.carriesMapping(shown); {
				case is && carried:
					carry++
				case is:
					lack++
				}
			}
			switch {
			case carry > 0 && lack > 0:
				partly = append(partly, each.name)
			case carry > 0:
				with = append(with, each.name)
			case lack > 0:
				without = append(without, each.name)
			}
		}
		detail := "every member event: " + list(with) + "; some: " + list(partly) + "; none: " + list(without)
		switch field := v.mappingField(); {
		case field != "":
			c.Observe("sync-field", "/sync has %s; events with the mapping: %s", field, detail)
		case len(without) == 0 && len(partly) == 0:
			c.Observe("every-view", "%s", detail)
		case len(with) == 0 && len(partly) == 0:
			c.Observe("no-view", "%s", detail)
		default:
			c.Observe("some-views", "%s", detail)
		}
	},
})

// carriesMapping reports whether a view of a member event carries the mapping that the event has; is is false where the event has none, or
// where it is another question whether clients are shown it: when it is redacted, or not verified.
func (v viewed) carriesMapping(shown gjson.Result) (carried, is bool) {
	original, known := v.original(shown)
	key, _ := original.StateKey()
	if of, _ := v.by(key); !known || original.MappedUserID() == "" || v.redacted[original.ID()] || of.kind == unverified {
		return false, false
	}
	return shown.Get("content." + pseudoid.MappingField).Exists(), true
}

// mappingField names a field of /sync for mappings, "" if there is none.
func (v viewed) mappingField() (found string) {
	for name, given := range v.answers {
		if !strings.Contains(name, "/sync") {
			continue
		}
		for _, body := range given.bodies {
			for _, place := range []string{"@this", pathIn("rooms.join.{room}", v.roomID)} {
				gjson.GetBytes(body, place).ForEach(func(field, _ gjson.Result) bool {
					if name := field.String(); strings.Contains(name, "mxid") || strings.Contains(name, "mapping") {
						found = name
					}
					return found == ""
				})
			}
		}
	}
	return found
}

func list(names []string) string {
	if len(names) == 0 {
		return "no view"
	}
	return strings.Join(names, ", ")
}
