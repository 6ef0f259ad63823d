package main

// Chapter event-format: events as a federated peer sees them. One scene is played once on a deployment, a peer collects
// every event of it, and each check judges what the candidate wrote there. The judges take collected events alone, so
// that each is tested with events that break what it judges.

import (
	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/stage"
)

// judgeFormat registers a check that names every event of the scene which breaks a demand.
func judgeFormat(name, requirement string, judge func(formatScene) breaches) {
	check.Register(check.Check{
		Name:     name,
		Requires: []string{requirement},
		Body: func(c *check.C) {
			scene := playFormatScene(stage.Open(c, blueprints.OneServer))
			for what, err := range scene.refusals {
				c.Notef("the scene was played without %s: %v", what, err)
			}
			for _, problem := range judge(scene).tell(len(scene.events), c.Notef) {
				c.Errorf("%s", problem)
			}
		},
	})
}

// observeFormat registers a check that tells which reading of an open requirement the scene's events show.
func observeFormat(name, requirement string, observe func(formatScene) (reading, detail string)) {
	check.Register(check.Check{
		Name:     name,
		Requires: []string{requirement},
		Body: func(c *check.C) {
			reading, detail := observe(playFormatScene(stage.Open(c, blueprints.OneServer)))
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
			scene := playFormatScene(stage.Open(c, blueprints.OneServer))
			problems := badPowerLevels(scene).tell(len(scene.events), c.Notef)
			for _, problem := range problems {
				c.Errorf("%s", problem)
			}
			c.Need("mapping/in-creator-join", scene.knows(scene.alice))
			c.Need("mapping/in-local-join", scene.knows(scene.bob))
			if len(problems) > 0 {
				return
			}
			first, newest := scene.powerLevels()
			assert.Contains(c, first.Map(), scene.keys[scene.alice], "users of the power levels that the room was made with, the creator's key among them")
			c.Need("client-view/power-levels-write", scene.refusals["power levels by user ID"])
			assert.EqualValues(c, formatScenePower, newest.Map()[scene.keys[scene.bob]].Int(),
				"the power of the key of a user to whom a client gave it by user ID")
			assert.Contains(c, newest.Map(), scene.keys[scene.alice], "users of the power levels that a client wrote, its own key among them")
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

// formatScenePower is the power that alice gives bob.
const formatScenePower = 50

// widgetTypes are the event types of widgets: the one of MSC1228's text, and the one that clients write.
var widgetTypes = []string{"m.widget", "im.vector.modular.widgets"}

// playFormatScene plays the scene, once a deployment: alice makes a room with name, topic and history visibility, bob
// joins it, a peer joins it and collects what was there and what comes.
func playFormatScene(s *stage.Stage) formatScene {
	return stage.Scene(s, "event-format", func() formatScene {
		ctx := s.C.Context()
		alice, bob, carol, witness := s.User("alice"), s.User("bob"), s.User("carol"), s.Peer()
		bob.SetsDisplayName("Robert")
		roomID := alice.Makes(stage.Public, stage.Option{Name: "name", Value: "The room"}, stage.Option{Name: "topic", Value: "The first topic"},
			stage.InitialState("m.room.history_visibility", "", map[string]any{"history_visibility": "shared"}))
		bob.Joins(roomID)
		alice.Blaming("membership/join-local").AwaitsMembership(roomID, bob.UserID, "join")
		room := witness.Joins(roomID, witness.User("witness"))
		scene := formatScene{
			server: s.ServerName(1), roomID: roomID, format: s.Format(), alice: alice.UserID, bob: bob.UserID, carol: carol.UserID,
			keys: map[string]string{}, given: map[string]string{}, refusals: map[string]error{},
		}

		play := func(what, eventType string, act func() (eventID string, err error)) error {
			before := idsOf(scene.candidateEvents(room, witness))
			eventID, err := act()
			if err != nil {
				return err
			}
			if eventID != "" {
				scene.given[what] = eventID
			}
			wait, cancel := witness.Within()
			defer cancel()
			_, err = witness.WaitForEvent(wait, func(event federation.Event) bool {
				return event.RoomID() == roomID && event.Type() == eventType && !before[event.ID()]
			})
			return err
		}
		// What a client is refused is for other chapters to judge; the scene goes on without it.
		attempt := func(what, eventType string, act func() (string, error)) {
			if err := play(what, eventType, act); err != nil {
				scene.refusals[what] = err
			}
		}
		says := func(user *stage.User, text string) func() (string, error) {
			return func() (string, error) { return user.SendMessage(ctx, roomID, text) }
		}
		sets := func(eventType, stateKey string, content map[string]any) func() (string, error) {
			return func() (string, error) { return alice.SendState(ctx, roomID, eventType, stateKey, content) }
		}
		s.C.Need("routing/reaches-members", play("a message", "m.room.message", says(alice, "to be redacted")))
		attempt("a topic", "m.room.topic", sets("m.room.topic", "", map[string]any{"topic": "The second topic"}))
		attempt("power levels by user ID", "m.room.power_levels", func() (string, error) {
			levels, err := alice.PowerLevels(ctx, roomID)
			if err != nil {
				return "", err
			}
			return alice.SendState(ctx, roomID, "m.room.power_levels", "", withPower(levels, bob.UserID, formatScenePower))
		})
		attempt("state keyed by the writer's user ID", ownStateType, sets(ownStateType, alice.UserID, map[string]any{"note": "keyed by a user ID"}))
		for _, eventType := range widgetTypes {
			attempt(eventType, eventType, sets(eventType, "widget", map[string]any{
				"creatorUserId": alice.UserID, "name": "A widget", "type": "m.custom", "url": "https://example.org/",
			}))
		}
		attempt("an invite", "m.room.member", func() (string, error) { return "", alice.Invite(ctx, roomID, carol.UserID) })
		attempt("a display name", "m.room.member", func() (string, error) { return "", bob.SetDisplayName(ctx, "Bob") })
		attempt("a redaction", "m.room.redaction", func() (string, error) { return alice.Redact(ctx, roomID, scene.given["a message"], "") })
		s.C.Need("routing/reaches-members", play("a last message", "m.room.message", says(bob, "the end of the scene")))

		state, err := alice.State(ctx, roomID)
		s.C.Need("client-view/unmodified-client", err)
		for _, event := range state.JSON().Array() {
			scene.given["GET /state: "+event.Get("type").String()+" "+event.Get("state_key").String()] = event.Get("event_id").String()
		}
		scene.collect(s.C.Context(), room, witness)
		return scene
	})
}

// ownStateType is a kind of state that a member keeps under its own user ID.
const ownStateType = "org.example.own"
