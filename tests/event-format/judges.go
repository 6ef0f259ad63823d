package eventformat

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
	"msc4014/helpers/scenes"
	"msc4014/helpers/verdict"
)

func withoutSenderKeyField(scene scenes.Wire) (found scenes.Breaches) {
	for _, event := range scene.Events {
		if !event.Get("sender_key").Exists() {
			found.Add(event, "has no sender_key", "")
		}
	}
	return found
}

func withSenderField(scene scenes.Wire) (found scenes.Breaches) {
	for _, event := range scene.Events {
		if sender := event.Get("sender"); sender.Exists() {
			found.Add(event, "has a sender", "%s", sender.Raw)
		}
	}
	return found
}

func withUserMapping(scene scenes.Wire) (found scenes.Breaches) {
	for _, event := range scene.Events {
		for _, path := range []string{"user_mapping", "content.user_mapping", "content." + pseudoid.MappingField + ".user_mapping"} {
			if event.Get(path).Exists() {
				found.Add(event, "has "+path, "")
			}
		}
	}
	return found
}

// badKeys looks at every place where a sender key must stand, in whatever dialect: the sender, and in a mapping.
func badKeys(scene scenes.Wire) (found scenes.Breaches) {
	for _, event := range scene.Events {
		sender := event.Get(scene.Format.SenderField())
		if err := keyError(sender); err != nil {
			found.Add(event, "has a "+scene.Format.SenderField()+" that is no sender key", "%v", err)
		}
		mapping := event.Get("content." + pseudoid.MappingField)
		if !mapping.Exists() {
			continue
		}
		field := scene.Format.Dialect.MappingKeyField()
		if err := keyError(mapping.Get(field)); err != nil {
			found.Add(event, "has a "+pseudoid.MappingField+" whose "+field+" is no sender key", "%v", err)
		}
	}
	return found
}

func keyError(value gjson.Result) error {
	switch {
	case !value.Exists():
		return scenes.ErrAbsent
	case value.Type != gjson.String:
		return fmt.Errorf("%s is no string", value.Raw)
	}
	_, err := pseudoid.ParseSenderKey(value.Str)
	return err
}

// badMemberStateKeys: a member's own event is keyed by its sender, and every one by a key: that of its mapping, where it
// has one.
func badMemberStateKeys(scene scenes.Wire) (found scenes.Breaches) {
	for _, event := range scene.Events {
		if event.Type() != "m.room.member" {
			continue
		}
		stateKey := event.Get("state_key")
		mapped := event.Get("content." + pseudoid.MappingField + "." + scene.Format.Dialect.MappingKeyField())
		switch err := keyError(stateKey); {
		case err != nil:
			found.Add(event, "is keyed by what is no sender key", "%v", err)
		case event.Membership() == "join" && stateKey.Str != event.Sender():
			found.Add(event, "is keyed by another key than its sender", "%s, sent by %s", stateKey.Str, event.Sender())
		case mapped.Exists() && mapped.String() != stateKey.Str:
			found.Add(event, "is keyed by another key than its mapping names", "%s, mapped is %s", stateKey.Str, mapped.String())
		}
	}
	return found
}

func badPowerLevels(scene scenes.Wire) (found scenes.Breaches) {
	for _, event := range scene.Events {
		if event.Type() != "m.room.power_levels" {
			continue
		}
		for _, user := range slices.Sorted(maps.Keys(event.Get("content.users").Map())) {
			if _, err := pseudoid.ParseSenderKey(user); err != nil {
				found.Add(event, "gives power to what is no sender key", "%v", err)
			}
		}
	}
	return found
}

func badCreators(scene scenes.Wire) (found scenes.Breaches) {
	for _, event := range scene.Events {
		creator := event.Get("content.creator")
		if event.Type() != "m.room.create" || !creator.Exists() {
			continue
		}
		switch err := keyError(creator); {
		case err != nil:
			found.Add(event, "names a creator that is no sender key", "%v", err)
		case creator.Str != event.Sender():
			found.Add(event, "names another creator than the sender key that made the room", "%s, sent by %s", creator.Str, event.Sender())
		}
	}
	return found
}

// strayUserIDs looks for the user IDs of the scene in every string of every event. The scene's clients wrote none into
// content, but into power levels and widgets; the latter are observed by readWidgetCreator.
func strayUserIDs(scene scenes.Wire) (found scenes.Breaches) {
	for _, event := range scene.Events {
		allowed := func(path string) bool {
			return path == "content."+pseudoid.MappingField ||
				path == "content.creatorUserId" && slices.Contains(scenes.WidgetTypes, event.Type())
		}
		scenes.Walk(event, allowed, func(path, text string) {
			for _, userID := range []string{scene.Alice, scene.Bob, scene.Carol} {
				if strings.Contains(text, userID) {
					// The key of an object can be the user ID itself: it is named in the particular alone.
					found.Add(event, "has a user ID in "+strings.ReplaceAll(path, userID, "(a user ID)"), "%s", text)
				}
			}
		})
	}
	return found
}

func badContentHashes(scene scenes.Wire) (found scenes.Breaches) {
	for _, event := range scene.Events {
		if err := pseudoid.CheckContentHash(event.JSON()); err != nil {
			found.Add(event, "states a wrong content hash", "%v", err)
		}
	}
	return found
}

// badEventIDs: each event must have an ID, and each ID that something names must be that of an event.
func badEventIDs(scene scenes.Wire) (found scenes.Breaches) {
	for _, event := range scene.Events {
		if _, err := pseudoid.EventID(event.JSON(), scene.Format); err != nil {
			found.Add(event, "has no reference hash", "%v", err)
		}
	}
	for _, where := range slices.Sorted(maps.Keys(scene.Lost)) {
		found.Add(federation.Event{}, "names an event ID that is the reference hash of no event", "%s: %s", where, scene.Lost[where])
	}
	return found
}

func readOrigin(scene scenes.Wire) (reading, detail string) {
	kinds := map[string]map[string]bool{} // of events, by what their origin is
	for _, event := range scene.Events {
		found := originOf(scene, event)
		if kinds[found] == nil {
			kinds[found] = map[string]bool{}
		}
		kinds[found][scenes.KindOf(event)] = true
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
		return "absent", fmt.Sprintf("none of %d events has origin", len(scene.Events))
	case kinds["another"] != nil || kinds["the server's name"] != nil && len(kinds) > 1:
		return "other", detail
	case absent:
		return "some-events", detail
	case kinds["the server's name"] != nil:
		return "server-name", detail
	}
	return "sender-key", detail
}

func originOf(scene scenes.Wire, event federation.Event) string {
	switch origin := event.Get("origin"); {
	case !origin.Exists():
		return "nothing"
	case origin.String() == scene.Server:
		return "the server's name"
	case origin.String() == event.Sender():
		return "the sender's key"
	case event.IsState("m.room.member", origin.String()) && keyError(origin) == nil:
		return "the key of the member that the event is about"
	}
	return "another"
}

func readRoomID(scene scenes.Wire) (reading, detail string) {
	opaque, isRoom := strings.CutPrefix(scene.RoomID, "!")
	if !isRoom {
		return "other", scene.RoomID + " does not begin with '!'"
	}
	if _, name, colon := strings.Cut(opaque, ":"); colon {
		if name != scene.Server {
			return "other", scene.RoomID + " names something else than the server that made the room"
		}
		return "names-server", "'!', opaque text, ':' and the name of the server that made the room"
	}
	for _, event := range scene.Events {
		if event.Type() != "m.room.create" {
			continue
		}
		if event.ID() == "$"+opaque {
			return "create-hash", scene.RoomID
		}
		if key, err := base64.RawURLEncoding.DecodeString(opaque); err == nil {
			if _, err := pseudoid.ParseSenderKey(pseudoid.EncodeBase64(key)); err == nil && signs(event, scene.RoomID) {
				return "public-key", scene.RoomID
			}
		}
	}
	return "opaque", scene.RoomID
}

// signs tells whether an entity is among those that sign an event.
func signs(event federation.Event, entity string) bool {
	return event.Get("signatures").Map()[entity].Exists()
}

// readWidgetCreator reads what the wire has of the creatorUserId that alice's client wrote into a widget of each type.
func readWidgetCreator(scene scenes.Wire) (reading, detail string) {
	readings := map[string][]string{}
	for _, eventType := range scenes.WidgetTypes {
		reading := "not sent: " + fmt.Sprint(scene.Refusals[eventType])
		if scene.Given[eventType] == "" {
			reading = "refused"
		}
		for _, event := range scene.Events {
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

func creatorOfWidget(scene scenes.Wire, event federation.Event) string {
	switch creator := event.Get("content.creatorUserId"); {
	case !creator.Exists():
		return "removed"
	case creator.String() == scene.Alice:
		return "user-id-kept"
	case creator.String() == event.Sender():
		return "replaced-by-key"
	default:
		return "creatorUserId is " + creator.Raw
	}
}

// readSignatureEntity reads where the signature by the sender key stands, in every event.
func readSignatureEntity(scene scenes.Wire) (reading, detail string) {
	readings := map[string]string{}
	unsigned := 0
	for _, event := range scene.Events {
		location, err := pseudoid.VerifySenderSignature(event.JSON(), scene.Format)
		if err != nil {
			unsigned++
			continue
		}
		reading := entityReading(scene, event, location)
		readings[reading] = fmt.Sprintf("%s: under entity %q, key ID %q", scenes.KindOf(event), location.Entity, location.KeyID)
	}
	names := slices.Sorted(maps.Keys(readings))
	switch len(names) {
	case 0:
		return verdict.NoneSeen, fmt.Sprintf("none of %d events has a valid signature by its sender key", unsigned)
	case 1:
		if names[0] == "entity-is-key-id-ed25519-1" {
			return names[0], fmt.Sprintf("so in %d events", len(scene.Events)-unsigned)
		}
		return names[0], readings[names[0]]
	}
	return "other", fmt.Sprintf("it differs between events: %v", readings)
}

func entityReading(scene scenes.Wire, event federation.Event, location pseudoid.SignatureLocation) string {
	isKey := location.Entity == event.Sender()
	switch {
	case isKey && location.KeyID == pseudoid.SenderKeyID:
		return "entity-is-key-id-ed25519-1"
	case isKey && location.KeyID == "":
		return "bare-string"
	case isKey:
		return "entity-is-key-other-id"
	case location.Entity == scene.Server:
		return "server-name"
	}
	return "other"
}
