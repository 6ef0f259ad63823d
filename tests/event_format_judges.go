package main

// The judges of chapter event-format: what in the scene's events breaks a demand, and which reading of an open one they
// show.

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/verdict"
)

func withoutSenderKeyField(scene formatScene) (found breaches) {
	for _, event := range scene.events {
		if !event.Get("sender_key").Exists() {
			found.add(event, "has no sender_key", "")
		}
	}
	return found
}

func withSenderField(scene formatScene) (found breaches) {
	for _, event := range scene.events {
		if sender := event.Get("sender"); sender.Exists() {
			found.add(event, "has a sender", "%s", sender.Raw)
		}
	}
	return found
}

func withUserMapping(scene formatScene) (found breaches) {
	for _, event := range scene.events {
		for _, path := range []string{"user_mapping", "content.user_mapping", "content." + pseudoid.MappingField + ".user_mapping"} {
			if event.Get(path).Exists() {
				found.add(event, "has "+path, "")
			}
		}
	}
	return found
}

// badKeys looks at every place where a sender key must stand, in whatever dialect: the sender, and in a mapping.
func badKeys(scene formatScene) (found breaches) {
	for _, event := range scene.events {
		sender := event.Get(scene.format.SenderField())
		if err := keyError(sender); err != nil {
			found.add(event, "has a "+scene.format.SenderField()+" that is no sender key", "%v", err)
		}
		mapping := event.Get("content." + pseudoid.MappingField)
		if !mapping.Exists() {
			continue
		}
		field := scene.format.Dialect.MappingKeyField()
		if err := keyError(mapping.Get(field)); err != nil {
			found.add(event, "has a "+pseudoid.MappingField+" whose "+field+" is no sender key", "%v", err)
		}
	}
	return found
}

func keyError(value gjson.Result) error {
	switch {
	case !value.Exists():
		return errAbsent
	case value.Type != gjson.String:
		return fmt.Errorf("%s is no string", value.Raw)
	}
	_, err := pseudoid.ParseSenderKey(value.Str)
	return err
}

// badMemberStateKeys: a member's own event is keyed by its sender, and every one by a key: that of its mapping, where it
// has one.
func badMemberStateKeys(scene formatScene) (found breaches) {
	for _, event := range scene.events {
		if event.Type() != "m.room.member" {
			continue
		}
		stateKey := event.Get("state_key")
		mapped := event.Get("content." + pseudoid.MappingField + "." + scene.format.Dialect.MappingKeyField())
		switch err := keyError(stateKey); {
		case err != nil:
			found.add(event, "is keyed by what is no sender key", "%v", err)
		case event.Membership() == "join" && stateKey.Str != event.Sender():
			found.add(event, "is keyed by another key than its sender", "%s, sent by %s", stateKey.Str, event.Sender())
		case mapped.Exists() && mapped.String() != stateKey.Str:
			found.add(event, "is keyed by another key than its mapping names", "%s, mapped is %s", stateKey.Str, mapped.String())
		}
	}
	return found
}

func badPowerLevels(scene formatScene) (found breaches) {
	for _, event := range scene.events {
		if event.Type() != "m.room.power_levels" {
			continue
		}
		for _, user := range slices.Sorted(maps.Keys(event.Get("content.users").Map())) {
			if _, err := pseudoid.ParseSenderKey(user); err != nil {
				found.add(event, "gives power to what is no sender key", "%v", err)
			}
		}
	}
	return found
}

func badCreators(scene formatScene) (found breaches) {
	for _, event := range scene.events {
		creator := event.Get("content.creator")
		if event.Type() != "m.room.create" || !creator.Exists() {
			continue
		}
		switch err := keyError(creator); {
		case err != nil:
			found.add(event, "names a creator that is no sender key", "%v", err)
		case creator.Str != event.Sender():
			found.add(event, "names another creator than the sender key that made the room", "%s, sent by %s", creator.Str, event.Sender())
		}
	}
	return found
}

// strayUserIDs looks for the user IDs of the scene in every string of every event. The scene's clients wrote none into
// content, but into power levels and widgets; the latter are observed by readWidgetCreator.
func strayUserIDs(scene formatScene) (found breaches) {
	for _, event := range scene.events {
		allowed := func(path string) bool {
			return path == "content."+pseudoid.MappingField ||
				path == "content.creatorUserId" && slices.Contains(widgetTypes, event.Type())
		}
		walk(event, allowed, func(path, text string) {
			for _, userID := range []string{scene.alice, scene.bob, scene.carol} {
				if strings.Contains(text, userID) {
					// The key of an object can be the user ID itself: it is named in the particular alone.
					found.add(event, "has a user ID in "+strings.ReplaceAll(path, userID, "(a user ID)"), "%s", text)
				}
			}
		})
	}
	return found
}

func badContentHashes(scene formatScene) (found breaches) {
	for _, event := range scene.events {
		if err := pseudoid.CheckContentHash(event.JSON()); err != nil {
			found.add(event, "states a wrong content hash", "%v", err)
		}
	}
	return found
}

// badEventIDs: each event must have an ID, and each ID that something names must be that of an event.
func badEventIDs(scene formatScene) (found breaches) {
	for _, event := range scene.events {
		if _, err := pseudoid.EventID(event.JSON(), scene.format); err != nil {
			found.add(event, "has no reference hash", "%v", err)
		}
	}
	for _, where := range slices.Sorted(maps.Keys(scene.lost)) {
		found.add(federation.Event{}, "names an event ID that is the reference hash of no event", "%s: %s", where, scene.lost[where])
	}
	return found
}

func readOrigin(scene formatScene) (reading, detail string) {
	kinds := map[string]map[string]bool{} // of events, by what their origin is
	for _, event := range scene.events {
		found := originOf(scene, event)
		if kinds[found] == nil {
			kinds[found] = map[string]bool{}
		}
		kinds[found][kindOf(event)] = true
	}
	_, absent := kinds["nothing"]
	delete(kinds, "nothing")
	var details []string
	for _, found := range slices.Sorted(maps.Keys(kinds)) {
		details = append(details, fmt.Sprintf("%s in %s", found, strings.Join(slices.Sorted(maps.Keys(kinds[found])), ", ")))
	}
	detail = strings.Join(details, "; ")
	switch {
	case len(kinds) == 0:
		return "absent", fmt.Sprintf("none of %d events has origin", len(scene.events))
	case kinds["another"] != nil || kinds["the server's name"] != nil && len(kinds) > 1:
		return "other", detail
	case absent:
		return "some-events", detail
	case kinds["the server's name"] != nil:
		return "server-name", detail
	}
	return "sender-key", detail
}

func originOf(scene formatScene, event federation.Event) string {
	switch origin := event.Get("origin"); {
	case !origin.Exists():
		return "nothing"
	case origin.String() == scene.server:
		return "the server's name"
	case origin.String() == event.Sender():
		return "the sender's key"
	case event.IsState("m.room.member", origin.String()) && keyError(origin) == nil:
		return "the key of the member that the event is about"
	}
	return "another"
}

func readRoomID(scene formatScene) (reading, detail string) {
	opaque, isRoom := strings.CutPrefix(scene.roomID, "!")
	if !isRoom {
		return "other", scene.roomID + " does not begin with '!'"
	}
	if _, name, colon := strings.Cut(opaque, ":"); colon {
		if name != scene.server {
			return "other", scene.roomID + " names something else than the server that made the room"
		}
		return "names-server", "'!', opaque text, ':' and the name of the server that made the room"
	}
	for _, event := range scene.events {
		if event.Type() != "m.room.create" {
			continue
		}
		if event.ID() == "$"+opaque {
			return "create-hash", scene.roomID
		}
		if key, err := base64.RawURLEncoding.DecodeString(opaque); err == nil {
			if _, err := pseudoid.ParseSenderKey(pseudoid.EncodeBase64(key)); err == nil && signs(event, scene.roomID) {
				return "public-key", scene.roomID
			}
		}
	}
	return "opaque", scene.roomID
}

// signs tells whether an entity is among those that sign an event.
func signs(event federation.Event, entity string) bool {
	return event.Get("signatures").Map()[entity].Exists()
}

// readWidgetCreator reads what the wire has of the creatorUserId that alice's client wrote into a widget of each type.
func readWidgetCreator(scene formatScene) (reading, detail string) {
	readings := map[string][]string{}
	for _, eventType := range widgetTypes {
		reading := "not sent: " + fmt.Sprint(scene.refusals[eventType])
		if scene.given[eventType] == "" {
			reading = "refused"
		}
		for _, event := range scene.events {
			if event.Type() == eventType {
				reading = creatorOfWidget(scene, event)
			}
		}
		readings[reading] = append(readings[reading], eventType)
	}
	if len(readings) > 1 {
		return "other", fmt.Sprintf("it differs between types: %v", readings)
	}
	for reading, types := range readings {
		if len(widgetReadings[reading]) == 0 {
			return "other", reading
		}
		return reading, "in events of the types " + strings.Join(types, " and ") + ", " + widgetReadings[reading]
	}
	return verdict.NoneSeen, "no widget was sent"
}

var widgetReadings = map[string]string{
	"user-id-kept":    "it is the user ID that the client wrote",
	"replaced-by-key": "it is the sender key of the client's user",
	"removed":         "it is gone",
	"refused":         "the server does not take it",
}

func creatorOfWidget(scene formatScene, event federation.Event) string {
	switch creator := event.Get("content.creatorUserId"); {
	case !creator.Exists():
		return "removed"
	case creator.String() == scene.alice:
		return "user-id-kept"
	case creator.String() == event.Sender():
		return "replaced-by-key"
	default:
		return "creatorUserId is " + creator.Raw
	}
}

// readSignatureEntity reads where the signature by the sender key stands, in every event.
func readSignatureEntity(scene formatScene) (reading, detail string) {
	readings := map[string]string{}
	unsigned := 0
	for _, event := range scene.events {
		location, err := pseudoid.VerifySenderSignature(event.JSON(), scene.format)
		if err != nil {
			unsigned++
			continue
		}
		reading := entityReading(scene, event, location)
		readings[reading] = fmt.Sprintf("%s: under entity %q, key ID %q", kindOf(event), location.Entity, location.KeyID)
	}
	names := slices.Sorted(maps.Keys(readings))
	switch len(names) {
	case 0:
		return verdict.NoneSeen, fmt.Sprintf("none of %d events has a valid signature by its sender key", unsigned)
	case 1:
		if names[0] == "entity-is-key-id-ed25519-1" {
			return names[0], fmt.Sprintf("so in %d events", len(scene.events)-unsigned)
		}
		return names[0], readings[names[0]]
	}
	return "other", fmt.Sprintf("it differs between events: %v", readings)
}

func entityReading(scene formatScene, event federation.Event, location pseudoid.SignatureLocation) string {
	isKey := location.Entity == event.Sender()
	switch {
	case isKey && location.KeyID == pseudoid.SenderKeyID:
		return "entity-is-key-id-ed25519-1"
	case isKey && location.KeyID == "":
		return "bare-string"
	case isKey:
		return "entity-is-key-other-id"
	case location.Entity == scene.server:
		return "server-name"
	}
	return "other"
}
