package report

import (
	"strings"
	"unicode"
)

// Visible replaces characters that would hide, overwrite or reorder others: controls other than line breaks and tabs, those that change
// the direction of text, and what is not UTF-8. What a server says may have any. It also breaks "##[", which GitHub's runner takes for a
// command anywhere in a line of a job's output.
func Visible(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) || r == '\ufeff':
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(text, string(unicode.ReplacementChar)))
	return strings.ReplaceAll(text, "##[", "##"+string(unicode.ReplacementChar)+"[")
}

// ForConsole returns visible text whose lines may be written to a job's output as they are: GitHub's runner takes a line that begins with
// "::", after spaces, for a command, too.
func ForConsole(text string) string {
	lines := strings.Split(Visible(text), "\n")
	for i, line := range lines {
		if rest := strings.TrimLeftFunc(line, unicode.IsSpace); strings.HasPrefix(rest, "::") {
			lines[i] = strings.TrimSuffix(line, rest) + string(unicode.ReplacementChar) + rest
		}
	}
	return strings.Join(lines, "\n")
}
