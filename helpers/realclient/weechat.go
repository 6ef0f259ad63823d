package realclient

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// WeechatProgram starts weechat with weechat-matrix in the image of real clients.
var WeechatProgram = []string{"python3", "/clients/weechat_driver.py"}

// Weechat is weechat in a terminal, as a person uses it.
type Weechat struct{ *Program }

// Screen is what a person sees: the lines of the terminal.
type Screen []string

// Line returns an error unless one line has all of these texts.
func (s Screen) Line(texts ...string) error {
	for _, line := range s {
		has := true
		for _, text := range texts {
			has = has && strings.Contains(line, text)
		}
		if has {
			return nil
		}
	}
	return fmt.Errorf("no line of the screen has %q; it is\n%s", texts, s)
}

// Buffer returns an error unless the list of buffers has one of this name. A line being typed does not count.
func (s Screen) Buffer(name string) error {
	entry := regexp.MustCompile(`^\d+\. *` + regexp.QuoteMeta(name) + `\b`)
	if slices.ContainsFunc(s, entry.MatchString) {
		return nil
	}
	return fmt.Errorf("the list of buffers has no %s; the screen is\n%s", name, s)
}

// String returns the screen without what is empty.
func (s Screen) String() string {
	var text strings.Builder
	for _, line := range s {
		if strings.Trim(line, " │─╌") != "" {
			text.WriteString(line + "\n")
		}
	}
	return text.String()
}

// LogInWeechat starts weechat and logs in.
func LogInWeechat(ctx context.Context, program *Program, localpart, password string) (*Weechat, error) {
	w := &Weechat{program}
	if err := w.Do(ctx, "login", map[string]any{"user": localpart, "password": password}, nil); err != nil {
		return nil, err
	}
	return w, w.Await(ctx, func(screen Screen) error { return screen.Line("Logged in as", localpart) })
}

// Type enters a line.
func (w *Weechat) Type(ctx context.Context, line string) error {
	return w.Do(ctx, "type", map[string]any{"text": line}, nil)
}

// Await waits until the screen satisfies wanted. If ctx ends first, the error begins with what the screen lacks.
func (w *Weechat) Await(ctx context.Context, wanted func(Screen) error) error {
	var lacks error
	for screen := Screen(nil); ; {
		if err := w.Do(ctx, "screen", map[string]any{"other_than": screen}, &screen); err != nil {
			return beside(lacks, err)
		}
		if lacks = wanted(screen); lacks == nil {
			return nil
		}
	}
}
