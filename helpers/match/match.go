// Package match holds matchers of JSON that return an error which says what stands there instead; they serve in
// assertions and in waiting alike.
package match

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/tidwall/gjson"
)

// Matcher looks at a JSON value and returns nil, or what is wrong with it.
type Matcher = func(value gjson.Result) error

// Path joins keys to a gjson path, each one escaped: Path("content", "m.relates_to").
func Path(keys ...string) string {
	escaped := make([]string, len(keys))
	for i, key := range keys {
		escaped[i] = gjson.Escape(key)
	}
	return strings.Join(escaped, ".")
}

// KeyEqual wants what stands at path to be the JSON of want. Numbers are compared as they are written.
func KeyEqual(path string, want any) Matcher {
	wanted, err := normal(want)
	return func(value gjson.Result) error {
		if err != nil {
			return fmt.Errorf("the wanted value of %s is no JSON: %w", path, err)
		}
		found := value.Get(path)
		if !found.Exists() {
			return fmt.Errorf("%s is missing, wanted %s", path, brief(wanted))
		}
		got, err := parse([]byte(found.Raw))
		if err != nil {
			return fmt.Errorf("%s is no JSON: %w", path, err)
		}
		if !reflect.DeepEqual(got, wanted) {
			return fmt.Errorf("%s is %s, wanted %s", path, brief(got), brief(wanted))
		}
		return nil
	}
}

// KeyPresent wants something at path, be it null.
func KeyPresent(path string) Matcher {
	return func(value gjson.Result) error {
		if !value.Get(path).Exists() {
			return fmt.Errorf("%s is missing", path)
		}
		return nil
	}
}

// All wants every matcher to hold; the error is the first that does not.
func All(matchers ...Matcher) Matcher {
	return func(value gjson.Result) error {
		for _, matcher := range matchers {
			if err := matcher(value); err != nil {
				return err
			}
		}
		return nil
	}
}

// Contains wants an array or object at path ("@this" for the value itself) with an element that holds.
func Contains(path string, matcher Matcher) Matcher {
	return func(value gjson.Result) error {
		found := value.Get(path)
		if !found.IsArray() && !found.IsObject() {
			return fmt.Errorf("%s is no array or object: %s", path, short(found.Raw))
		}
		var last error
		count := 0
		held := false
		found.ForEach(func(_, element gjson.Result) bool {
			count++
			last = matcher(element)
			held = last == nil
			return !held
		})
		if held {
			return nil
		}
		return fmt.Errorf("none of the %d elements of %s holds; the last: %v", count, path, last)
	}
}

// Type wants an event of a type.
func Type(eventType string) Matcher { return KeyEqual("type", eventType) }

// State wants a state event of a type with a state key.
func State(eventType, stateKey string) Matcher {
	return All(Type(eventType), KeyEqual("state_key", stateKey))
}

// EventID wants the event with an ID.
func EventID(eventID string) Matcher { return KeyEqual("event_id", eventID) }

// Membership wants a member event, as clients see it, of a user with a membership.
func Membership(userID, membership string) Matcher {
	return All(State("m.room.member", userID), KeyEqual("content.membership", membership))
}

func normal(value any) (any, error) {
	encoded, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return parse(encoded)
}

func parse(encoded []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	return value, err
}

func brief(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return short(string(encoded))
}

func short(text string) string {
	const limit = 200
	if text == "" {
		return "nothing"
	}
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "..."
}
