// This file implements parsed JSON as immutable values.

package pseudoid

import (
	"slices"
	"strings"
)

type kind uint8

const (
	kindLiteral kind = iota // null, true, false, or an integer: text is its canonical form
	kindString              // text is the decoded string
	kindArray               // elements
	kindObject              // members, sorted by key
)

// value is a parsed JSON value. Values are immutable, because they share their parts.
type value struct {
	kind     kind
	text     string
	elements []value
	members  []member // sorted by the code points of the key; no two keys are equal
}

type member struct {
	key   string
	value value
}

func stringValue(s string) value { return value{kind: kindString, text: s} }

// objectValue returns an object of members in any order. No two keys may be equal.
func objectValue(members ...member) value {
	slices.SortFunc(members, compareKeys)
	return value{kind: kindObject, members: members}
}

// compareKeys compares by Unicode code points, which for UTF-8 is the order of the bytes.
func compareKeys(a, b member) int { return strings.Compare(a.key, b.key) }

// get returns the member of an object with that key; ok is false if v is not an object.
func (v value) get(key string) (value, bool) {
	i, found := slices.BinarySearchFunc(v.members, member{key: key}, compareKeys)
	if !found {
		return value{}, false
	}
	return v.members[i].value, true
}

// without returns the object without the given keys.
func (v value) without(keys ...string) value {
	kept := make([]member, 0, len(v.members))
	for _, m := range v.members {
		if !slices.Contains(keys, m.key) {
			kept = append(kept, m)
		}
	}
	return value{kind: kindObject, members: kept}
}

// only returns the object with only the given keys.
func (v value) only(keys ...string) value {
	kept := make([]member, 0, len(keys))
	for _, m := range v.members {
		if slices.Contains(keys, m.key) {
			kept = append(kept, m)
		}
	}
	return value{kind: kindObject, members: kept}
}

// with returns the object with key set to to.
func (v value) with(key string, to value) value {
	without := v.without(key)
	return objectValue(append(without.members, member{key, to})...)
}

// describe returns the kind of a value for an error message.
func (v value) describe() string {
	switch v.kind {
	case kindString:
		return "a string"
	case kindArray:
		return "an array"
	case kindObject:
		return "an object"
	}
	switch v.text {
	case "null", "true", "false":
		return v.text
	}
	return "a number"
}
