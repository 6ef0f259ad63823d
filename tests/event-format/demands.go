package eventformat

// What in the collected events breaks a demand.

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/scenes"
)

func withoutSenderKeyField(wire scenes.Wire) (found scenes.Breaches) {
	for _, event := range wire.Events {
		if !event.Get("sender_key").Exists() {
			found.Add(event, "has no sender_key", "")
		}
	}
	return found
}

func withSenderField(wire scenes.Wire) (found scenes.Breaches) {
	for _, event := range wire.Events {
		if sender := event.Get("sender"); sender.Exists() {
			found.Add(event, "has a sender", "%s", sender.Raw)
		}
	}
	return found
}

func withUserMapping(wire scenes.Wire) (found scenes.Breaches) {
	for _, event := range wire.Events {
		for _, path := range []string{"user_mapping", "content.user_mapping", "content." + pseudoid.MappingField + ".user_mapping"} {
			if event.Get(path).Exists() {
				found.Add(event, "has "+path, "")
			}
		}
	}
	return found
}

// badKeys looks at every place where a sender key must stand, in whatever dialect: the sender, and in a mapping.
func badKeys(wire scenes.Wire) (found scenes.Breaches) {
	for _, event := range wire.Events {
		sender := event.Get(wire.Format.SenderField())
		if err := keyError(sender); err != nil {
			found.Add(event, "has a "+wire.Format.SenderField()+" that is not a sender key", "%v", err)
		}
		mapping := event.Get("content." + pseudoid.MappingField)
		if !mapping.Exists() {
			continue
		}
		field := wire.Format.Dialect.MappingKeyField()
		if err := keyError(mapping.Get(field)); err != nil {
			found.Add(event, "has a "+pseudoid.MappingField+" whose "+field+" is not a sender key", "%v", err)
		}
	}
	return found
}

func keyError(value gjson.Result) error {
	switch {
	case !value.Exists():
		return scenes.ErrAbsent
	case value.Type != gjson.String:
		return fmt.Errorf("%s is not a string", value.Raw)
	}
	_, err := pseudoid.ParseSenderKey(value.Str)
	return err
}

// badMemberStateKeys: the state key of a join is its sender, and that of every member event is a sender key: that of its
// mapping, if it has one.
func badMemberStateKeys(wire scenes.Wire) (found scenes.Breaches) {
	for _, event := range wire.Events {
		if event.Type() != "m.room.member" {
			continue
		}
		stateKey := event.Get("state_key")
		mapped := event.Get("content." + pseudoid.MappingField + "." + wire.Format.Dialect.MappingKeyField())
		switch err := keyError(stateKey); {
		case err != nil:
			found.Add(event, "is keyed by what is not a sender key", "%v", err)
		case event.Membership() == "join" && stateKey.Str != event.Sender():
			found.Add(event, "is keyed by another key than its sender", "%s, sent by %s", stateKey.Str, event.Sender())
		case mapped.Exists() && mapped.String() != stateKey.Str:
			found.Add(event, "is keyed by another key than its mapping names", "%s, mapped is %s", stateKey.Str, mapped.String())
		}
	}
	return found
}

func badPowerLevels(wire scenes.Wire) (found scenes.Breaches) {
	for _, event := range wire.Events {
		if event.Type() != "m.room.power_levels" {
			continue
		}
		for _, user := range slices.Sorted(maps.Keys(event.Get("content.users").Map())) {
			if _, err := pseudoid.ParseSenderKey(user); err != nil {
				found.Add(event, "gives power to what is not a sender key", "%v", err)
			}
		}
	}
	return found
}

func badCreators(wire scenes.Wire) (found scenes.Breaches) {
	for _, event := range wire.Events {
		creator := event.Get("content.creator")
		if event.Type() != "m.room.create" || !creator.Exists() {
			continue
		}
		switch err := keyError(creator); {
		case err != nil:
			found.Add(event, "names a creator that is not a sender key", "%v", err)
		case creator.Str != event.Sender():
			found.Add(event, "names another creator than the sender key that made the room", "%s, sent by %s", creator.Str, event.Sender())
		}
	}
	return found
}

// strayUserIDs looks for the user IDs of the room in every string of every event. Clients wrote none into content but those of
// power levels and widgets; the latter are observed by readWidgetCreator.
func strayUserIDs(wire scenes.Wire) (found scenes.Breaches) {
	for _, event := range wire.Events {
		allowed := func(path string) bool {
			return path == "content."+pseudoid.MappingField ||
				path == "content.creatorUserId" && slices.Contains(scenes.WidgetTypes, event.Type())
		}
		scenes.Walk(event, allowed, func(path, text string) {
			for _, userID := range []string{wire.Alice, wire.Bob, wire.Carol} {
				if strings.Contains(text, userID) {
					// The key of an object can be the user ID itself, which differs from run to run: only the detail names it.
					found.Add(event, "has a user ID in "+strings.ReplaceAll(path, userID, "(a user ID)"), "%s", text)
				}
			}
		})
	}
	return found
}

func badContentHashes(wire scenes.Wire) (found scenes.Breaches) {
	for _, event := range wire.Events {
		if err := pseudoid.CheckContentHash(event.JSON()); err != nil {
			found.Add(event, "states a wrong content hash", "%v", err)
		}
	}
	return found
}

// badEventIDs: each event must have an ID, and each ID that something refers to must be that of an event.
func badEventIDs(wire scenes.Wire) (found scenes.Breaches) {
	for _, event := range wire.Events {
		if _, err := pseudoid.EventID(event.JSON(), wire.Format); err != nil {
			found.Add(event, "has no reference hash", "%v", err)
		}
	}
	for _, where := range slices.Sorted(maps.Keys(wire.Lost)) {
		found.Add(federation.Event{}, "names an event ID that is the reference hash of no event", "%s: %s", where, wire.Lost[where])
	}
	return found
}
