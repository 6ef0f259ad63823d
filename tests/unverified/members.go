package unverified

// What clients are shown of a member whose mapping cannot be verified.

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/foreign"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// demands are demands on what clients are shown (MSC4014, Changes from MSC1228 6). The first two are judged for each way in
// which a server can fail; what the others forbid is not there where the placeholder is, and they are judged once.
var demands = []struct {
	requirement string
	name        string
	failures    []failure
	judge       func(c *check.C, seen sighting)
	accepted    bool // nothing is to be judged unless the events are accepted
}{
	// Today such events are dropped; with this proposal they are accepted.
	{"unverified/event-accepted", "the events of a member whose server %s are accepted", failures, judgeAcceptance, true},
	// The sender becomes a fake user ID of the reader's own server.
	{"unverified/placeholder", "a member whose server %s shows by a placeholder", failures, judgePlaceholder, true},
	// Not the claimed user ID, which would let malicious servers pretend that somebody is in the room (option C).
	{"unverified/claimed-id-hidden", "a member whose server %s does not show by the user ID that it claims",
		failures[:1], judgeHiddenClaim, false},
	// Nor an empty or malformed one, which would break clients (option A).
	{"unverified/no-raw-key-shown", "a member whose server %s shows by no malformed user ID", failures[:1], judgeUserIDs, false},
	// Clients pair up an unverified and a verified sender by the key (Key-aware clients).
	{"unverified/sender-key-shown", "a member whose server %s shows with its sender key", failures[:1], judgeSenderKeys, true},
}

func init() {
	for _, demand := range demands {
		for _, how := range demand.failures {
			check.Register(check.Check{
				Name:     fmt.Sprintf(demand.name, how.name),
				Requires: []string{demand.requirement},
				Path:     delivery.Send.Name,
				Slow:     how.lasts,
				Body: func(c *check.C) {
					seen := meetUnverified(c, how, usualPaths...)
					if demand.accepted {
						c.Need("unverified/event-accepted", seen.refused)
					}
					demand.judge(c, seen)
				},
			})
		}
	}
}

// The same holds when the member is in the state of a room just joined, and by backfill (MSC1228, Handling the mxid
// mapping, Implementation), and where gaps of a room are filled.
func init() {
	for _, along := range otherPaths {
		check.Register(check.Check{
			Name:     "a member who cannot be verified, met by " + along.name,
			Requires: []string{"unverified/every-path"},
			Path:     along.name,
			Deadly:   along.deadly,
			Body: func(c *check.C) {
				seen := meetUnverified(c, closesConnections, along.Path)
				if seen.refused != nil {
					c.Errorf("%v", seen.refused)
				}
				for _, demand := range demands[1:] {
					if seen.refused == nil || !demand.accepted {
						demand.judge(c, seen)
					}
				}
			},
		})
	}
}

// judgeAcceptance ensures that the member's join is in the room's state, as other servers are served it.
func judgeAcceptance(c *check.C, seen sighting) {
	if !delivery.ServesLaterJoiner(stage.Open(c, blueprints.OneServer), seen.roomID, seen.join) {
		c.Errorf("a server that joined later was not served the join of the member who cannot be verified")
	}
}

// judgePlaceholder ensures that every view shows the events of the member, and the member itself, by the placeholder.
func judgePlaceholder(c *check.C, seen sighting) {
	seen.losesNothing(c)
	wanted := isPlaceholder(seen.claimed, seen.own)
	shown := 0
	for _, view := range seen.views {
		for _, event := range scenes.EventsOf(view, seen.join, seen.said) {
			shown++
			if sender := event.Get("sender").String(); wanted(sender) != nil {
				c.Errorf("%s: the sender of an event of type %s: %v", view.Name, event.Get("type").String(), wanted(sender))
			}
			if stateKey := event.Get("state_key"); stateKey.Exists() && wanted(stateKey.String()) != nil {
				c.Errorf("%s: the state key of the member event: %v", view.Name, wanted(stateKey.String()))
			}
		}
		isMember := slices.ContainsFunc(view.Keys, func(userID string) bool { return wanted(userID) == nil })
		if view.Name == "/joined_members" && isMember == seen.left {
			c.Errorf("/joined_members has %s: the placeholder among them is %t, wanted %t", strings.Join(view.Keys, ", "), isMember, !seen.left)
		}
	}
	if shown == 0 {
		c.Errorf("no client view shows what the member who cannot be verified wrote")
	}
}

// isPlaceholder returns a function that returns an error if a user ID is not the placeholder of the claimed one on a server.
// Names with ports are judged by their beginning and end alone: their form is for unverified/placeholder-form.
func isPlaceholder(claimed, own string) func(userID string) error {
	localpart, domain, _ := strings.Cut(strings.TrimPrefix(claimed, "@"), ":")
	letter := "@_unverified_" + localpart + "_" + domain + ":" + own
	return func(userID string) error {
		switch {
		case userID == letter:
			return nil
		case !strings.Contains(domain, ":"):
			return fmt.Errorf("%q, wanted %q", userID, letter)
		case strings.HasPrefix(userID, "@_unverified_"+localpart+"_") && strings.HasSuffix(userID, ":"+own):
			return nil
		}
		return fmt.Errorf("%q, wanted @_unverified_%s_... of %s", userID, localpart, own)
	}
}

// judgeHiddenClaim ensures that the claimed user ID is nowhere but in the mapping that claims it.
func judgeHiddenClaim(c *check.C, seen sighting) {
	seen.losesNothing(c)
	for _, view := range seen.views {
		if slices.Contains(view.Keys, seen.claimed) {
			c.Errorf("%s has %s, whose mapping is not verified", view.Name, seen.claimed)
		}
		for _, event := range view.Events {
			if path := findText(event, seen.claimed); path != "" {
				c.Errorf("%s shows %s, whose mapping is not verified, in %s of an event of type %s", view.Name, seen.claimed, path,
					event.Get("type").String())
			}
		}
	}
}

// findText returns the path at which an event has a text, as a value or as a key, outside of mappings; "" for nowhere.
func findText(event gjson.Result, text string) (found string) {
	whole, err := foreign.Parse([]byte(event.Raw))
	if err != nil {
		return ""
	}
	whole.Walk(func(at foreign.Place, value foreign.Value) bool {
		switch name := at.Name(); {
		case found != "" || name.String() == pseudoid.MappingField:
			return false
		case name.String() == text:
			found = cmp.Or(at.Parent(), "the event")
		case value.IsString() && value.String() == text:
			found = cmp.Or(at.String(), "the event")
		}
		return found == ""
	})
	return found
}

// judgeUserIDs ensures that there are valid user IDs wherever clients expect user IDs.
func judgeUserIDs(c *check.C, seen sighting) {
	seen.losesNothing(c)
	isIt := isPlaceholder(seen.claimed, seen.own)
	look := func(where, userID string) {
		if err := pseudoid.ValidUserID(userID); err != nil && isIt(userID) != nil {
			c.Errorf("%s: %v", where, err)
		}
	}
	for _, view := range seen.views {
		for _, userID := range view.Keys {
			look(view.Name, userID)
		}
		for _, event := range view.Events {
			eventType := event.Get("type").String()
			look(view.Name+", sender of an event of type "+eventType, event.Get("sender").String())
			if eventType == "m.room.member" {
				look(view.Name+", state key of a member event", event.Get("state_key").String())
			}
		}
	}
}

// judgeSenderKeys ensures that the member's events have its sender key.
func judgeSenderKeys(c *check.C, seen sighting) {
	seen.losesNothing(c)
	for _, view := range seen.views {
		for _, event := range scenes.EventsOf(view, seen.join, seen.said) {
			if key := event.Get("sender_key").String(); key != seen.key {
				c.Errorf("%s: an event of type %s has the sender_key %q, and is of %q", view.Name, event.Get("type").String(), key, seen.key)
			}
		}
	}
}
