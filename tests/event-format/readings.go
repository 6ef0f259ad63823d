package eventformat

// Which readings of the open requirements the collected events show.

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"

	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
	"msc4014/helpers/verdict"
)

func readOrigin(wire scenes.Wire) (reading, detail string) {
	kinds := map[string]map[string]bool{} // of events, by what their origin is
	for _, event := range wire.Events {
		found := originOf(wire, event)
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
		return "absent", fmt.Sprintf("none of %d events has origin", len(wire.Events))
	case kinds["another"] != nil || kinds["the server's name"] != nil && len(kinds) > 1:
		return "other", detail
	case absent:
		return "some-events", detail
	case kinds["the server's name"] != nil:
		return "server-name", detail
	}
	return "sender-key", detail
}

func originOf(wire scenes.Wire, event federation.Event) string {
	switch origin := event.Get("origin"); {
	case !origin.Exists():
		return "nothing"
	case origin.String() == wire.Server:
		return "the server's name"
	case origin.String() == event.Sender():
		return "the sender's key"
	case event.IsState("m.room.member", origin.String()) && keyError(origin) == nil:
		return "the key of the member that the event is about"
	}
	return "another"
}

func readRoomID(wire scenes.Wire) (reading, detail string) {
	opaque, isRoom := strings.CutPrefix(wire.RoomID, "!")
	if !isRoom {
		return "other", wire.RoomID + " does not begin with '!'"
	}
	if _, name, colon := strings.Cut(opaque, ":"); colon {
		if name != wire.Server {
			return "other", wire.RoomID + " names something else than the server that made the room"
		}
		return "names-server", "'!', opaque text, ':' and the name of the server that made the room"
	}
	for _, event := range wire.Events {
		if event.Type() != "m.room.create" {
			continue
		}
		if event.ID() == "$"+opaque {
			return "create-hash", wire.RoomID
		}
		if key, err := base64.RawURLEncoding.DecodeString(opaque); err == nil {
			if _, err := pseudoid.ParseSenderKey(pseudoid.EncodeBase64(key)); err == nil && signs(event, wire.RoomID) {
				return "public-key", wire.RoomID
			}
		}
	}
	return "opaque", wire.RoomID
}

// signs reports whether an event has a signature by an entity.
func signs(event federation.Event, entity string) bool {
	return event.Get("signatures").Map()[entity].Exists()
}

// readWidgetCreator reads what became of the creatorUserId that Alice's client wrote into a widget of each type.
func readWidgetCreator(wire scenes.Wire) (reading, detail string) {
	var readings, details []string
	for _, eventType := range scenes.WidgetTypes {
		reading := "not sent: " + fmt.Sprint(wire.Refusals[eventType])
		if wire.Given[eventType] == "" {
			reading = "refused"
		}
		for _, event := range wire.Events {
			if event.Type() == eventType {
				reading = creatorOfWidget(wire, event)
			}
		}
		readings, details = append(readings, reading), append(details, eventType+": "+reading)
	}
	reading = readings[0]
	switch {
	case len(slices.Compact(readings)) > 1:
		return "other", "it differs between types: " + strings.Join(details, "; ")
	case widgetReadings[reading] == "":
		return "other", reading
	}
	return reading, "in events of the types " + strings.Join(scenes.WidgetTypes, " and ") + ", " + widgetReadings[reading]
}

var widgetReadings = map[string]string{
	"user-id-kept":    "it is the user ID that the client wrote",
	"replaced-by-key": "it is the sender key of the client's user",
	"removed":         "it is gone",
	"refused":         "the server does not take it",
}

func creatorOfWidget(wire scenes.Wire, event federation.Event) string {
	switch creator := event.Get("content.creatorUserId"); {
	case !creator.Exists():
		return "removed"
	case creator.String() == wire.Alice:
		return "user-id-kept"
	case creator.String() == event.Sender():
		return "replaced-by-key"
	default:
		return "creatorUserId is " + creator.Raw
	}
}

// readSignatureEntity reads under which entity and key ID the signature by the sender key stands in every event.
func readSignatureEntity(wire scenes.Wire) (reading, detail string) {
	readings := map[string]string{}
	unsigned := 0
	for _, event := range wire.Events {
		location, err := pseudoid.VerifySenderSignature(event.JSON(), wire.Format)
		if err != nil {
			unsigned++
			continue
		}
		reading := entityReading(wire, event, location)
		readings[reading] = fmt.Sprintf("%s: under entity %q, key ID %q", scenes.KindOf(event), location.Entity, location.KeyID)
	}
	names := slices.Sorted(maps.Keys(readings))
	switch len(names) {
	case 0:
		return verdict.NoneSeen, fmt.Sprintf("none of %d events has a valid signature by its sender key", unsigned)
	case 1:
		if names[0] == "entity-is-key-id-ed25519-1" {
			return names[0], fmt.Sprintf("so in %d events", len(wire.Events)-unsigned)
		}
		return names[0], readings[names[0]]
	}
	return "other", fmt.Sprintf("it differs between events: %v", readings)
}

func entityReading(wire scenes.Wire, event federation.Event, location pseudoid.SignatureLocation) string {
	isKey := location.Entity == event.Sender()
	switch {
	case isKey && location.KeyID == pseudoid.SenderKeyID:
		return "entity-is-key-id-ed25519-1"
	case isKey && location.KeyID == "":
		return "bare-string"
	case isKey:
		return "entity-is-key-other-id"
	case location.Entity == wire.Server:
		return "server-name"
	}
	return "other"
}
