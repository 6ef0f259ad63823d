package eventformat

// The checks of the chapter, each with the function that judges the collected events.

import (
	"maps"
	"slices"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// judgeFormat registers a check that names every collected event which breaks a demand.
func judgeFormat(name, requirement string, judge func(scenes.Wire) scenes.Breaches) {
	check.Register(check.Check{
		Name:     name,
		Requires: []string{requirement},
		Body: func(c *check.C) {
			wire := scenes.CollectWire(stage.Open(c, blueprints.OneServer))
			for _, what := range slices.Sorted(maps.Keys(wire.Refusals)) {
				c.Notef("the events were collected without %s: %v", what, wire.Refusals[what])
			}
			for _, problem := range judge(wire).Summary(len(wire.Events), c.Notef) {
				c.Errorf("%s", problem)
			}
		},
	})
}

// observeFormat registers a check that observes which reading of an open requirement the collected events show.
func observeFormat(name, requirement string, observe func(scenes.Wire) (reading, detail string)) {
	check.Register(check.Check{
		Name:     name,
		Requires: []string{requirement},
		Body: func(c *check.C) {
			reading, detail := observe(scenes.CollectWire(stage.Open(c, blueprints.OneServer)))
			c.Observe(reading, "%s", detail)
		},
	})
}

func init() {
	// Events now have a sender_key field (MSC4014, Proposal 1).
	judgeFormat("every event has sender_key", "event-format/sender-key-field", withoutSenderKeyField)
	// Events no longer have a sender field (MSC4014, Proposal 1; Changes from MSC1228 4).
	judgeFormat("no event has sender", "event-format/no-sender-field", withSenderField)
	// The key is a base64-encoded Ed25519 public key, encoded as other binary data of events is, and no sigil is introduced
	// (MSC4014, Proposal 1).
	judgeFormat("sender keys are unpadded base64 of Ed25519 keys", "event-format/key-encoding", badKeys)
	// The key stands where a user ID stands in other rooms, as the state key of member events, too (MSC1228, Proposal).
	judgeFormat("member events are keyed by sender key", "event-format/member-state-key", badMemberStateKeys)
	// And in the users of power levels, which a client writes by user ID (MSC1228, Proposal).
	check.Register(check.Check{
		Name:     "power levels are keyed by sender key",
		Requires: []string{"event-format/power-levels-by-key"},
		Body: func(c *check.C) {
			wire := scenes.CollectWire(stage.Open(c, blueprints.OneServer))
			problems := badPowerLevels(wire).Summary(len(wire.Events), c.Notef)
			for _, problem := range problems {
				c.Errorf("%s", problem)
			}
			c.Need("mapping/in-creator-join", wire.Knows(wire.Alice))
			c.Need("mapping/in-local-join", wire.Knows(wire.Bob))
			if len(problems) > 0 {
				return
			}
			first, newest := wire.PowerLevels()
			assert.Contains(c, first.Map(), wire.Keys[wire.Alice], "users of the power levels that the room was made with, the creator's key among them")
			c.Need("client-view/power-levels-write", wire.Refusals["power levels by user ID"])
			assert.EqualValues(c, scenes.BobsPower, newest.Map()[wire.Keys[wire.Bob]].Int(),
				"the power of the key of a user to whom a client gave it by user ID")
			assert.Contains(c, newest.Map(), wire.Keys[wire.Alice], "users of the power levels that a client wrote, its own key among them")
		},
	})
	// The create event names no user ID: its creator is gone, or a key (MSC1228, Proposal; MSC2175).
	judgeFormat("the create event names its creator by key or not at all", "event-format/create-names-no-mxid", badCreators)
	// User IDs are out of events; the mapping alone links a key to one (MSC4014, Background; MSC1228, Background: where user
	// IDs stand today). What clients wrote into content is theirs; power levels and state keys are for the server to
	// translate, and creatorUserId of widgets is event-format/widget-creator.
	judgeFormat("no user ID stands outside a mapping", "event-format/no-mxid-outside-mapping", strayUserIDs)
	// There is no user_key, and so no user_mapping (MSC4014, Changes from MSC1228 1).
	judgeFormat("no event has user_mapping", "event-format/no-user-mapping", withUserMapping)
	// Every event states the hash of its content (server-server API, calculating the content hash).
	judgeFormat("content hashes are right", "event-format/content-hash", badContentHashes)
	// An event's ID is the reference hash of its redacted form, to clients and in references (room versions 4 and later).
	judgeFormat("event IDs are reference hashes", "event-format/event-id", badEventIDs)

	// The origin of each event is one of the places where a server name stands that a stretch goal wants gone (MSC1228,
	// Background).
	observeFormat("whether events have origin", "event-format/no-origin", readOrigin)
	// There is no room_key (MSC4014, Changes from MSC1228 2), and the text does not say what a room ID is then.
	observeFormat("what a room ID looks like", "event-format/room-id", readRoomID)
	// A client that knows nothing of keys writes its user ID into a widget (MSC1228, Background).
	observeFormat("what creatorUserId of a widget comes to", "event-format/widget-creator", readWidgetCreator)
	// Events are signed by the sender key (MSC4014, Proposal 2); under which names the signature stands is not said.
	observeFormat("under which entity and key ID signatures stand", "event-format/signature-entity", readSignatureEntity)
}
