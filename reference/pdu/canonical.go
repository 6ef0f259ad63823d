package pdu

// This file has canonical JSON. gomatrixserverlib decides how strings are spelled; its CanonicalJSON as a whole accepts
// much that has no canonical form, and writes keys without their escapes.

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"unicode/utf8"

	"github.com/matrix-org/gomatrixserverlib"
)

// CanonicalJSON returns a JSON value in canonical JSON (appendices, "Canonical JSON"). As room versions 6 and later
// require, it is strict. Errors are: text that is not UTF-8 or not one JSON value; an object with a key twice; a number
// that is not spelled as an integer between -(2^53)+1 and 2^53-1, as 1.0, 1e3 and -0 are not; half a surrogate pair;
// more than 10,000 arrays and objects inside each other.
func CanonicalJSON(raw []byte) ([]byte, error) {
	canonical, err := canonicalJSON(raw)
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	return canonical, nil
}

func canonicalJSON(raw []byte) ([]byte, error) {
	if !utf8.Valid(raw) {
		return nil, errors.New("the text is not UTF-8")
	}
	if err := json.Unmarshal(raw, new(json.RawMessage)); err != nil { // it bounds the depth, too
		return nil, err
	}
	if half := halfPair(raw); half != "" {
		return nil, fmt.Errorf("%s is half a surrogate pair", half)
	}
	r := reader{raw}
	return r.appendValue(nil, r.next())
}

// reader reads one JSON value, which is known to be valid, so that commas, colons and white space can be skipped.
type reader struct{ rest []byte }

// next returns the next string, number, literal or bracket.
func (r *reader) next() []byte {
	r.rest = bytes.TrimLeft(r.rest, ",: \t\r\n")
	end := 1
	switch r.rest[0] {
	case '{', '}', '[', ']':
	case '"':
		for ; r.rest[end] != '"'; end++ {
			if r.rest[end] == '\\' {
				end++
			}
		}
		end++
	default:
		if end = bytes.IndexAny(r.rest, ",: \t\r\n]}"); end < 0 {
			end = len(r.rest)
		}
	}
	token := r.rest[:end]
	r.rest = r.rest[end:]
	return token
}

// appendValue appends the value that begins with a token, in canonical JSON.
func (r *reader) appendValue(to, token []byte) ([]byte, error) {
	switch token[0] {
	case '{':
		return r.appendObject(to)
	case '[':
		return r.appendArray(to)
	case '"':
		return append(to, respelled(token)...), nil
	case 't', 'f', 'n':
		return append(to, token...), nil
	default:
		return append(to, token...), checkNumber(string(token))
	}
}

// appendArray appends the rest of an array.
func (r *reader) appendArray(to []byte) (_ []byte, err error) {
	to = append(to, '[')
	for first := true; ; first = false {
		token := r.next()
		if token[0] == ']' {
			return append(to, ']'), nil
		}
		if !first {
			to = append(to, ',')
		}
		if to, err = r.appendValue(to, token); err != nil {
			return nil, err
		}
	}
}

// appendObject appends the rest of an object.
func (r *reader) appendObject(to []byte) ([]byte, error) {
	o := object{}
	for token := r.next(); token[0] != '}'; token = r.next() {
		var key string
		if err := json.Unmarshal(token, &key); err != nil {
			return nil, err
		}
		if _, twice := o[key]; twice {
			return nil, fmt.Errorf("an object has the key %.60q twice", key)
		}
		value, err := r.appendValue(nil, r.next())
		if err != nil {
			return nil, err
		}
		o[key] = value
	}
	return append(to, o.canonical()...), nil
}

// respelled returns a string with the escapes of canonical JSON.
func respelled(text []byte) []byte {
	return gomatrixserverlib.CompactJSON(text, make([]byte, 0, len(text)))
}

// escape matches an escape in a string. Its group is half a surrogate pair.
var escape = regexp.MustCompile(`\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(u[dD][89a-fA-F]..)|.)`)

// halfPair returns an escape that is half a surrogate pair, or "". Decoders replace it, each in its own way.
func halfPair(raw []byte) string {
	for _, match := range escape.FindAllSubmatch(raw, -1) {
		if match[1] != nil {
			return string(match[0])
		}
	}
	return ""
}

// checkNumber returns an error unless a number is an integer in range, spelled as one.
func checkNumber(text string) error {
	const most = 1<<53 - 1
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < -most || n > most || strconv.FormatInt(n, 10) != text {
		return fmt.Errorf("number %.60s is not an integer between -(2^53)+1 and 2^53-1, or not spelled as one", text)
	}
	return nil
}
