package pseudonym

// This file holds the JSON helpers of the package. Anything that is signed or hashed is parsed strictly, by pseudoid.

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
)

// object is a JSON object whose members are kept as raw JSON.
type object map[string]json.RawMessage

// parseObject parses raw as an object; what names it in the error.
func parseObject(raw []byte, what string) (object, error) {
	var o object
	if err := json.Unmarshal(raw, &o); err != nil {
		return nil, fmt.Errorf("reading %s: %w", what, err)
	}
	if o == nil {
		return nil, fmt.Errorf("reading %s: %w", what, errors.New("it is null, not an object"))
	}
	return o, nil
}

// text returns a string member, or "".
func (o object) text(key string) string {
	s, _ := o.optional(key)
	return s
}

// optional returns a string member, and whether there is one.
func (o object) optional(key string) (string, bool) {
	raw, ok := o[key]
	if !ok {
		return "", false
	}
	var s *string
	if json.Unmarshal(raw, &s) != nil || s == nil {
		return "", false
	}
	return *s, true
}

// child returns an object member, or nil.
func (o object) child(key string) object {
	child, err := parseObject(o[key], key)
	if err != nil {
		return nil
	}
	return child
}

// set sets a member to a value that encoding/json can marshal.
func (o object) set(key string, value any) {
	raw, err := json.Marshal(value)
	if err != nil {
		panic("pseudonym: a value that is made here cannot be written: " + err.Error())
	}
	o[key] = raw
}

// copy returns an object that may be changed.
func (o object) copy() object {
	if o == nil {
		return object{}
	}
	return maps.Clone(o)
}

func (o object) raw() []byte {
	raw, err := json.Marshal(o)
	if err != nil {
		panic("pseudonym: an object that was read cannot be written: " + err.Error())
	}
	return raw
}

// number parses an integer, and reports whether there is one.
func number(raw json.RawMessage) (int64, bool) {
	var n *int64
	if raw == nil || json.Unmarshal(raw, &n) != nil || n == nil {
		return 0, false
	}
	return *n, true
}
