// This file parses JSON strictly: what the Matrix specification forbids in an event (appendices, "Canonical JSON"; room version 6,
// "Canonical JSON") is an error, and so is what RFC 8259 leaves to implementations.

package pseudoid

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// The errors of CanonicalJSON. All wrap ErrNotCanonicalizable.
var (
	ErrNotCanonicalizable = errors.New("not canonicalizable JSON")

	ErrSyntax        = fmt.Errorf("%w: syntax error", ErrNotCanonicalizable)
	ErrTrailingData  = fmt.Errorf("%w: data after the end of the value", ErrNotCanonicalizable)
	ErrDuplicateKey  = fmt.Errorf("%w: duplicate key", ErrNotCanonicalizable)
	ErrNotInteger    = fmt.Errorf("%w: number is not a plain integer", ErrNotCanonicalizable)
	ErrIntegerRange  = fmt.Errorf("%w: integer beyond ±(2^53-1)", ErrNotCanonicalizable)
	ErrLoneSurrogate = fmt.Errorf("%w: lone surrogate", ErrNotCanonicalizable)
	ErrInvalidUTF8   = fmt.Errorf("%w: invalid UTF-8", ErrNotCanonicalizable)
	ErrTooDeep       = fmt.Errorf("%w: nested too deeply", ErrNotCanonicalizable)
)

// maxDepth bounds the nesting of arrays and objects, and thereby the stack. It is the bound of encoding/json, so that nothing that
// the rest of the suite can parse is too deep for the oracle.
const maxDepth = 10000

// parse parses raw as one JSON value.
func parse(raw []byte) (value, error) {
	if i := invalidUTF8(raw); i >= 0 {
		return value{}, fmt.Errorf("%w at byte %d", ErrInvalidUTF8, i)
	}
	p := jsonParser{text: string(raw)} // one copy, which the strings of the result share
	p.skipSpace()
	v, err := p.value(0)
	if err != nil {
		return value{}, err
	}
	p.skipSpace()
	if p.at < len(p.text) {
		return value{}, fmt.Errorf("%w at byte %d", ErrTrailingData, p.at)
	}
	return v, nil
}

// parseObject parses raw as one JSON object; what describes it in the error.
func parseObject(raw []byte, what string) (value, error) {
	v, err := parse(raw)
	if err != nil {
		return value{}, fmt.Errorf("reading %s: %w", what, err)
	}
	if v.kind != kindObject {
		return value{}, fmt.Errorf("reading %s: it is %s, not a JSON object", what, v.describe())
	}
	return v, nil
}

// invalidUTF8 returns the index of the first byte that is not UTF-8, or -1.
func invalidUTF8(raw []byte) int {
	if utf8.Valid(raw) {
		return -1
	}
	for i := 0; i < len(raw); {
		r, size := utf8.DecodeRune(raw[i:])
		if r == utf8.RuneError && size <= 1 {
			return i
		}
		i += size
	}
	return -1
}

type jsonParser struct {
	text string
	at   int
}

func (p *jsonParser) skipSpace() {
	for p.at < len(p.text) {
		switch p.text[p.at] {
		case ' ', '\t', '\n', '\r':
			p.at++
		default:
			return
		}
	}
}

// syntaxError says what was expected at the parser's position.
func (p *jsonParser) syntaxError(expected string) error {
	if p.at >= len(p.text) {
		return fmt.Errorf("%w: the text ends where %s was expected", ErrSyntax, expected)
	}
	r, _ := utf8.DecodeRuneInString(p.text[p.at:])
	return fmt.Errorf("%w at byte %d: %q where %s was expected", ErrSyntax, p.at, r, expected)
}

// take consumes c if it is next.
func (p *jsonParser) take(c byte) bool {
	if p.at < len(p.text) && p.text[p.at] == c {
		p.at++
		return true
	}
	return false
}

// value parses one value; depth is the number of arrays and objects around it.
func (p *jsonParser) value(depth int) (value, error) {
	if p.at >= len(p.text) {
		return value{}, p.syntaxError("a value")
	}
	switch c := p.text[p.at]; {
	case c == '{' || c == '[':
		if depth >= maxDepth {
			return value{}, fmt.Errorf("%w: more than %d levels at byte %d", ErrTooDeep, maxDepth, p.at)
		}
		p.at++
		if c == '{' {
			return p.object(depth + 1)
		}
		return p.array(depth + 1)
	case c == '"':
		s, err := p.string()
		return stringValue(s), err
	case c == '-' || '0' <= c && c <= '9':
		return p.number()
	}
	for _, literal := range []string{"null", "true", "false"} {
		if strings.HasPrefix(p.text[p.at:], literal) {
			p.at += len(literal)
			return value{kind: kindLiteral, text: literal}, nil
		}
	}
	return value{}, p.syntaxError("a value")
}

// array parses the rest of an array after its bracket.
func (p *jsonParser) array(depth int) (value, error) {
	v := value{kind: kindArray}
	p.skipSpace()
	if p.take(']') {
		return v, nil
	}
	for {
		p.skipSpace()
		element, err := p.value(depth)
		if err != nil {
			return value{}, err
		}
		v.elements = append(v.elements, element)
		p.skipSpace()
		if p.take(']') {
			return v, nil
		}
		if !p.take(',') {
			return value{}, p.syntaxError("',' or ']'")
		}
	}
}

// object parses the rest of an object after its brace.
func (p *jsonParser) object(depth int) (value, error) {
	var members []member
	p.skipSpace()
	if p.take('}') {
		return objectValue(), nil
	}
	for {
		p.skipSpace()
		if p.at >= len(p.text) || p.text[p.at] != '"' {
			return value{}, p.syntaxError("a key")
		}
		key, err := p.string()
		if err != nil {
			return value{}, err
		}
		p.skipSpace()
		if !p.take(':') {
			return value{}, p.syntaxError("':'")
		}
		p.skipSpace()
		v, err := p.value(depth)
		if err != nil {
			return value{}, err
		}
		members = append(members, member{key, v})
		p.skipSpace()
		if p.take('}') {
			break
		}
		if !p.take(',') {
			return value{}, p.syntaxError("',' or '}'")
		}
	}
	object := objectValue(members...)
	for i := 1; i < len(members); i++ {
		if members[i].key == members[i-1].key {
			return value{}, fmt.Errorf("%w %s, in the object that ends before byte %d", ErrDuplicateKey, quote(members[i].key), p.at)
		}
	}
	return object, nil
}

// number parses an integer in its canonical form; other numbers are errors.
func (p *jsonParser) number() (value, error) {
	start := p.at
	p.take('-')
	digits := p.at
	for p.at < len(p.text) && '0' <= p.text[p.at] && p.text[p.at] <= '9' {
		p.at++
	}
	switch {
	case p.at == digits:
		return value{}, p.syntaxError("a digit")
	case p.text[digits] == '0' && p.at-digits > 1:
		p.at = digits + 1
		return value{}, p.syntaxError("no digit after a leading zero")
	}
	if p.at < len(p.text) && strings.IndexByte(".eE", p.text[p.at]) >= 0 {
		return value{}, fmt.Errorf("%w: it has a fraction or an exponent, at byte %d", ErrNotInteger, start)
	}
	literal := p.text[start:p.at]
	if literal == "-0" {
		return value{}, fmt.Errorf("%w: negative zero at byte %d", ErrNotInteger, start)
	}
	const limit = "9007199254740991" // 2^53-1; numbers with as many digits can be compared as text
	if magnitude := p.text[digits:p.at]; len(magnitude) > len(limit) || len(magnitude) == len(limit) && magnitude > limit {
		return value{}, fmt.Errorf("%w: %s at byte %d", ErrIntegerRange, quote(literal), start)
	}
	return value{kind: kindLiteral, text: literal}, nil
}

// string parses and decodes a string; its quotation mark is next.
func (p *jsonParser) string() (string, error) {
	p.at++
	start := p.at
	for p.at < len(p.text) { // up to the first escape, the string is a substring of the text
		switch c := p.text[p.at]; {
		case c == '"':
			p.at++
			return p.text[start : p.at-1], nil
		case c == '\\':
			return p.escapedString(start)
		case c < ' ':
			return "", p.syntaxError("an escape for this control character")
		}
		p.at++
	}
	return "", p.syntaxError("'\"'")
}

// escapedString continues at the first escape of a string that began at start.
func (p *jsonParser) escapedString(start int) (string, error) {
	decoded := append(make([]byte, 0, p.at-start+32), p.text[start:p.at]...)
	for p.at < len(p.text) {
		c := p.text[p.at]
		switch {
		case c == '"':
			p.at++
			return string(decoded), nil
		case c < ' ':
			return "", p.syntaxError("an escape for this control character")
		case c != '\\':
			decoded = append(decoded, c)
			p.at++
			continue
		}
		p.at++
		if p.at >= len(p.text) {
			break
		}
		const names, characters = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
		if p.text[p.at] == 'u' {
			r, err := p.unicodeEscape()
			if err != nil {
				return "", err
			}
			decoded = utf8.AppendRune(decoded, r)
		} else if i := strings.IndexByte(names, p.text[p.at]); i >= 0 {
			decoded = append(decoded, characters[i])
			p.at++
		} else {
			return "", p.syntaxError(`one of "\/bfnrtu`)
		}
	}
	return "", p.syntaxError("'\"'")
}

// unicodeEscape parses the rest of \uXXXX, or of a surrogate pair. The letter u is next.
func (p *jsonParser) unicodeEscape() (rune, error) {
	start := p.at - 1
	first, err := p.hexadecimal()
	if err != nil || !utf16.IsSurrogate(first) {
		return first, err
	}
	if strings.HasPrefix(p.text[p.at:], `\u`) {
		p.at++
		second, err := p.hexadecimal()
		if err != nil {
			return 0, err
		}
		if r := utf16.DecodeRune(first, second); r != utf8.RuneError {
			return r, nil
		}
	}
	return 0, fmt.Errorf(`%w \u%04x at byte %d`, ErrLoneSurrogate, first, start)
}

// hexadecimal parses the letter u and four hexadecimal digits.
func (p *jsonParser) hexadecimal() (rune, error) {
	p.at++
	var r rune
	for range 4 {
		if p.at >= len(p.text) {
			return 0, p.syntaxError("a hexadecimal digit")
		}
		i := strings.IndexByte("0123456789abcdef", p.text[p.at]|0x20)
		if i < 0 || p.text[p.at] < '0' {
			return 0, p.syntaxError("a hexadecimal digit")
		}
		r = r<<4 | rune(i)
		p.at++
	}
	return r, nil
}

// quote quotes a string for an error message, and shortens a long one.
func quote(s string) string {
	const most = 80
	if len(s) > most {
		return fmt.Sprintf("%q...", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
