package report

// Terminal colours.

import (
	"io"
	"os"

	"golang.org/x/term"

	"msc4014/helpers/verdict"
)

// Style determines how text is formatted: the zero value is plain text.
type Style struct {
	Colour bool
}

// Terminal reports whether w is a terminal that can redraw a line, and returns its file descriptor.
func Terminal(w io.Writer, environment func(string) string) (descriptor int, ok bool) {
	file, isFile := w.(*os.File)
	if !isFile || environment("TERM") == "dumb" || environment("TERM") == "" {
		return 0, false
	}
	return int(file.Fd()), term.IsTerminal(int(file.Fd()))
}

// StyleFor returns a Style with colours if w is a terminal and NO_COLOR is not set (https://no-color.org).
func StyleFor(w io.Writer, environment func(string) string) Style {
	_, terminal := Terminal(w, environment)
	return Style{Colour: terminal && environment("NO_COLOR") == ""}
}

const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

// paint returns text in a colour.
func (s Style) paint(colour, text string) string {
	if !s.Colour {
		return text
	}
	return "\x1b[" + colour + "m" + text + "\x1b[0m"
}

// verdict returns text in the colour of v.
func (s Style) verdict(v verdict.Verdict, text string) string {
	switch v {
	case verdict.Pass:
		return s.paint(green, text)
	case verdict.Fail, verdict.Error:
		return s.paint(red, text)
	default:
		return s.paint(yellow, text)
	}
}

// Good returns text in the colour for success.
func (s Style) Good(text string) string { return s.paint(green, text) }

// Warn returns text in the colour for warnings.
func (s Style) Warn(text string) string { return s.paint(yellow, text) }

// Bad returns text in the colour for failures.
func (s Style) Bad(text string) string { return s.paint(red, text) }
