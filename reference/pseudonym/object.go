package pseudonym

// This file holds the JSON helpers of the package. Events and mappings are parsed by reference/pdu.

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tidwall/gjson"
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

// objectOf returns the members of an object that is parsed already.
func objectOf(members map[string]gjson.Result) object {
	o := object{}
	for name, value := range members {
		o[name] = json.RawMessage(value.Raw)
	}
	return o
}

// text returns a string member, or "".
func (o object) text(key string) string {
	s, _ := o.lookupText(key)
	return s
}

// lookupText returns a string member, and whether there is one.
func (o object) lookupText(key string) (string, bool) {
	var s *string
	if json.Unmarshal(o[key], &s) != nil || s == nil {
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

func (o object) raw() []byte {
	raw, err := json.Marshal(o)
	if err != nil {
		panic("pseudonym: an object that was read cannot be written: " + err.Error())
	}
	return raw
}
