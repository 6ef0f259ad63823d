package signing

// Who signs events: the sender key, and servers beside it or not.

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// Events are signed by the sender_key (MSC4014, Proposal 2), whatever their type.
var _ = check.Register(check.Check{
	Name:     "events of every type are signed by their sender key",
	Requires: []string{"signing/every-event-type"},
	Body: func(c *check.C) {
		wire := scenes.CollectWire(stage.Open(c, blueprints.OneServer))
		for _, problem := range withoutOwnSignature(wire).Summary(len(wire.Events), c.Notef) {
			c.Errorf("%s", problem)
		}
		c.Need("membership/invite-local", wire.Refusals["an invite"])
		c.Need("redaction/own-by-key", wire.Refusals["a redaction"])
		for _, kind := range []string{
			"m.room.create", "m.room.member (join)", "m.room.power_levels", "m.room.join_rules", "m.room.history_visibility",
			"m.room.name", "m.room.message", "m.room.redaction", "m.room.member (invite)",
		} {
			if !slices.ContainsFunc(wire.Events, func(event federation.Event) bool { return scenes.KindOf(event) == kind }) {
				c.Errorf("the peer in the room was never given the event of type %s", kind)
			}
		}
	},
})

func withoutOwnSignature(wire scenes.Wire) (found scenes.Breaches) {
	for _, event := range wire.Events {
		if _, err := pseudoid.VerifySenderSignature(event.JSON(), event.Format()); err != nil {
			found.Add(event, "has no valid signature by its own sender key", "%v", err)
		}
	}
	return found
}

// Whether servers sign beside the sender key: MSC1228 has the key's signature "instead of" the server's (Proposal), and
// the resident server signs joins in other rooms (server-server API, send_join).
var _ = check.Register(check.Check{
	Name:     "whether servers sign events too",
	Requires: []string{"signing/server-signatures"},
	Body: func(c *check.C) {
		wire := scenes.CollectWire(stage.Open(c, blueprints.OneServer))
		var with, without []string
		for _, event := range wire.Events {
			switch {
			case event.Membership() == "invite": // completed by another server, which may be the same
			case isSignedBy(event, wire.Server):
				with = append(with, scenes.KindOf(event))
			default:
				without = append(without, scenes.KindOf(event))
			}
		}
		onJoin := signsRemoteJoin(c)
		detail := fmt.Sprintf("%s signed %d of %d events of its users, and the join that it was sent: %t",
			wire.Server, len(with), len(wire.Events), onJoin)
		switch {
		case len(with) > 0 && len(without) > 0:
			slices.Sort(with)
			c.Observe("other", "%s; it signed %s", detail, strings.Join(slices.Compact(with), ", "))
		case len(with) > 0 && onJoin:
			c.Observe("origin-and-resident", "%s", detail)
		case len(with) > 0:
			c.Observe("origin-only", "%s", detail)
		case onJoin:
			c.Observe("resident-on-joins", "%s", detail)
		default:
			c.Observe("none", "%s", detail)
		}
	},
})

// isSignedBy reports whether a server's name is among the signatures of an event.
func isSignedBy(event federation.Event, server string) bool {
	return event.Get("signatures").Map()[server].Exists()
}

// signsRemoteJoin reports whether the server signs the join of a user of a peer, as it returns it or as it sends it to others.
func signsRemoteJoin(c *check.C) bool {
	s := stage.OpenResident(c)
	joining, server := s.Peer(), s.ServerName(1)
	user := joining.User("second")
	room := joining.Joins(s.Room.ID(), user)
	returned, known := room.StateEvent("m.room.member", user.SenderIn(room.Room))
	require.True(c, known, "the peer knows its own join")
	sent := s.Room.Blaming("routing/reaches-members").AwaitsEvent(returned.ID())
	return isSignedBy(sent, server) || isSignedBy(returned, server)
}
