package report

import (
	"strings"
	"unicode"
)

// Visible replaces characters that would hide, overwrite or reorder others: controls other than line breaks and tabs, those that change
// the direction of text, and what is not UTF-8. What a server says may have any.
func Visible(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) || r == '\ufeff':
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
}
