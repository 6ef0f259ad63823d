// Package match provides matchers of JSON for assertions and waits. Their errors say what was found instead.
package match

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/tidwall/gjson"
)

// Matcher returns an error if a JSON value does not match.
type Matcher = func(value gjson.Result) error

// Path escapes keys and joins them to a gjson path: Path("content", "m.relates_to").
func Path(keys ...string) string {
	escaped := make([]string, len(keys))
	for i, key := range keys {
		escaped[i] = gjson.Escape(key)
	}
	return strings.Join(escaped, ".")
}

// KeyEqual requires the value at path to equal want as JSON. Numbers are compared as text.
func KeyEqual(path string, want any) Matcher {
	wanted, err := normal(want)
	return func(value gjson.Result) error {
		if err != nil {
			return fmt.Errorf("the wanted value of %s is not JSON: %w", path, err)
		}
		found := value.Get(path)
		if !found.Exists() {
			return fmt.Errorf("%s is missing, wanted %s", path, brief(wanted))
		}
		got, err := parse([]byte(found.Raw))
		if err != nil {
			return fmt.Errorf("%s is not JSON: %w", path, err)
		}
		if !reflect.DeepEqual(got, wanted) {
			return fmt.Errorf("%s is %s, wanted %s", path, brief(got), brief(wanted))
		}
		return nil
	}
}

// KeyPresent requires a value at path, which may be null.
func KeyPresent(path string) Matcher {
	return func(value gjson.Result) error {
		if !value.Get(path).Exists() {
			return fmt.Errorf("%s is missing", path)
		}
		return nil
	}
}

// All requires every matcher to match; the error is that of the first that does not.
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

// Contains requires an array or object at path ("@this" for the value itself) of which an element matches.
func Contains(path string, matcher Matcher) Matcher {
	return func(value gjson.Result) error {
		found := value.Get(path)
		if !found.IsArray() && !found.IsObject() {
			return fmt.Errorf("%s is not an array or object: %s", path, short(found.Raw))
		}
		var last error
		count := 0
		matched := false
		found.ForEach(func(_, element gjson.Result) bool {
			count++
			last = matcher(element)
			matched = last == nil
			return !matched
		})
		if matched {
			return nil
		}
		return fmt.Errorf("none of the %d elements of %s matches; the last: %v", count, path, last)
	}
}

// Type requires an event of a type.
func Type(eventType string) Matcher { return KeyEqual("type", eventType) }

// State requires a state event of a type with a state key.
func State(eventType, stateKey string) Matcher {
	return All(Type(eventType), KeyEqual("state_key", stateKey))
}

// EventID requires an event ID.
func EventID(eventID string) Matcher { return KeyEqual("event_id", eventID) }

// Membership requires a member event, in the client format, of a user with a membership.
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
