package unverified

// Whether clients are served an unverified mapping.

import (
	"strings"

	"msc4014/helpers/check"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/verdict"
)

// MSC1228 asks whether unverified mappings should be removed before clients are served, "to stop client developers relying on
// it" (Handling the mxid mapping, Implementation).
var _ = check.Register(check.Check{
	Name:     "whether clients are served a mapping that is not verified",
	Requires: []string{"unverified/mapping-in-content"},
	Body: func(c *check.C) {
		seen := meetUnverified(c, closesConnections, usualPaths...)
		var with, without []string
		for _, view := range seen.views {
			for _, event := range scenes.EventsOf(view, seen.join) {
				if event.Get("content." + pseudoid.MappingField).Exists() {
					with = append(with, view.Name)
				} else {
					without = append(without, view.Name)
				}
			}
		}
		switch {
		case len(with)+len(without) == 0:
			c.Observe(verdict.NoneSeen, "%s", whyNot(seen.refused, "no client view has the member event"))
		case len(without) == 0:
			c.Observe("served", "in %s", strings.Join(with, ", "))
		case len(with) == 0:
			c.Observe("removed", "in %s", strings.Join(without, ", "))
		default:
			c.Observe("differs-by-view", "served in %s; removed in %s",
				strings.Join(with, ", "), strings.Join(without, ", "))
		}
	},
})
