// This file writes canonical JSON (Matrix specification, appendices, "Canonical JSON").

package pseudoid

import "fmt"

// CanonicalJSON returns the canonical encoding of raw: no white space, keys of objects sorted by code
// points, strings with as few escapes as possible. It is strict, as room versions 6 and later require: duplicate keys,
// integers beyond ±(2^53-1), fractions, exponents, negative zero, lone surrogates, invalid UTF-8, trailing data and
// nesting beyond 10,000 levels are errors, all of which wrap ErrNotCanonicalizable.
func CanonicalJSON(raw []byte) ([]byte, error) {
	v, err := parse(raw)
	if err != nil {
		return nil, fmt.Errorf("canonical JSON: %w", err)
	}
	return v.canonical(), nil
}

// canonical returns the canonical encoding of a value.
func (v value) canonical() []byte { return v.appendCanonical(nil) }

func (v value) appendCanonical(to []byte) []byte {
	switch v.kind {
	case kindString:
		return appendString(to, v.text)
	case kindArray:
		to = append(to, '[')
		for i, element := range v.elements {
			if i > 0 {
				to = append(to, ',')
			}
			to = element.appendCanonical(to)
		}
		return append(to, ']')
	case kindObject:
		to = append(to, '{')
		for i, m := range v.members {
			if i > 0 {
				to = append(to, ',')
			}
			to = appendString(to, m.key)
			to = append(to, ':')
			to = m.value.appendCanonical(to)
		}
		return append(to, '}')
	default:
		return append(to, v.text...)
	}
}

// appendString appends a string with only the escapes that the grammar of the appendix requires: quotation marks, backslashes, and
// control characters below U+0020, five of which have a short form.
func appendString(to []byte, s string) []byte {
	const hexadecimal = "0123456789abcdef"
	to = append(to, '"')
	written := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		to = append(to, s[written:i]...)
		written = i + 1
		switch c {
		case '"', '\\':
			to = append(to, '\\', c)
		case '\b':
			to = append(to, `\b`...)
		case '\f':
			to = append(to, `\f`...)
		case '\n':
			to = append(to, `\n`...)
		case '\r':
			to = append(to, `\r`...)
		case '\t':
			to = append(to, `\t`...)
		default:
			to = append(to, '\\', 'u', '0', '0', hexadecimal[c>>4], hexadecimal[c&0xf])
		}
	}
	to = append(to, s[written:]...)
	return append(to, '"')
}
