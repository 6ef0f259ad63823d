package pdu

// This file reads and writes JSON objects.

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// object is a JSON object. Its values are in canonical JSON if read made it.
type object map[string]json.RawMessage

// read reads an object strictly; what names it in the error.
func read(raw []byte, what string) (object, error) {
	canonical, err := CanonicalJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	var o object
	if err := json.Unmarshal(canonical, &o); err != nil || o == nil { // null is not an error
		return nil, fmt.Errorf("reading %s: %.60q is not a JSON object", what, canonical)
	}
	return o, nil
}

// lookupText returns a string, and whether there is one under the key.
func (o object) lookupText(key string) (string, bool) {
	var s *string
	if json.Unmarshal(o[key], &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// child returns the object under a key, or nil if there is none.
func (o object) child(key string) (child object) {
	if json.Unmarshal(o[key], &child) != nil {
		return nil
	}
	return child
}

// childOrEmpty returns the object under a key, which is empty if nothing is there, and an error if something else is.
func (o object) childOrEmpty(key string) (object, error) {
	if _, ok := o[key]; !ok {
		return object{}, nil
	}
	if child := o.child(key); child != nil {
		return child, nil
	}
	return nil, fmt.Errorf("%.60q is %.60q, not an object", key, o[key])
}

// with returns a copy with another value under a key.
func (o object) with(key string, value []byte) object {
	changed := maps.Clone(o)
	changed[key] = value
	return changed
}

// without returns a copy without some keys.
func (o object) without(keys ...string) object {
	changed := maps.Clone(o)
	maps.DeleteFunc(changed, func(key string, _ json.RawMessage) bool { return slices.Contains(keys, key) })
	return changed
}

// canonical returns canonical JSON, if the values are.
func (o object) canonical() []byte {
	text := []byte{'{'}
	for i, key := range slices.Sorted(maps.Keys(o)) { // by bytes, which in UTF-8 is by code points
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(text, quoted(key)...), ':')
		text = append(text, o[key]...)
	}
	return append(text, '}')
}

// quoted returns a string in canonical JSON.
func quoted(s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic("pdu: a string cannot be written: " + err.Error())
	}
	return respelled(text) // encoding/json also escapes <, >, & and two separators
}
