package report

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/helpers/verdict"
)

func done(name string, v verdict.Verdict, reason string) verdict.Event {
	event := final(name, v, reason)
	event.Kind = verdict.KindCheckDone
	return event
}

func start(name string) verdict.Event {
	return verdict.Event{Kind: verdict.KindCheckStart, Check: name}
}

func TestProgressInPlainLines(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, func(string) string { return "" }, false)
	p.Doing("building dendrite@0.13.8")
	for _, event := range []verdict.Event{
		planned("a", "b", "c"), start("a"), start("b"),
		done("a", verdict.Pass, ""), done("b", verdict.Fail, "the server\ndied"),
		{Kind: verdict.KindServerDied, Message: "hs1 exited with status 2"},
		final("a", verdict.Pass, ""), final("b", verdict.Pass, ""), final("c", verdict.Blocked, "no room"), end,
	} {
		p.Handle(event)
	}
	p.Close()
	p.Close()
	assert.Equal(t, `building dendrite@0.13.8
checks to run: 3
pass         a (1.2s)
fail         b: the server died (1.2s)
hs1 exited with status 2
pass         b (judged again; was fail) (1.2s)
blocked      c: no room (1.2s)
`, out.String())
}

func TestProgressOnATerminal(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, Style{}, false)
	p.terminal = true
	p.width = func() int { return 40 }
	clock := p.started
	p.now = func() time.Time { return clock }
	p.Begin()
	p.Handle(planned("a", "b", "a check with a name that is too long for the line"))
	p.Handle(start("a"))
	p.Handle(start("b"))
	clock = clock.Add(3 * time.Second)
	p.Handle(done("a", verdict.Pass, ""))
	assert.Equal(t, "1/3  1 pass  3s  b", p.status())
	assert.NotContains(t, out.String(), "\n", "a pass has no permanent line")
	p.Handle(done("b", verdict.Fail, "lie seen"))
	assert.Contains(t, out.String(), "\r\x1b[Kfail         b: lie seen\n")
	p.Handle(start("a check with a name that is too long for the line"))
	lines := bytes.Split(out.Bytes(), []byte("\r\x1b[K"))
	assert.Equal(t, "2/3  1 pass, 1 fail  3s  a check with a", string(lines[len(lines)-1]), "cut below the width")
	p.Close()
	assert.True(t, bytes.HasSuffix(out.Bytes(), []byte("\r\x1b[K")), "the terminal is left clean")
}

func TestStyleRespectsNoColour(t *testing.T) {
	assert.False(t, StyleFor(&bytes.Buffer{}, func(string) string { return "" }).Colour, "not a terminal")
	assert.Equal(t, "x", Style{}.paint(red, "x"))
	assert.Equal(t, "\x1b[31mx\x1b[0m", Style{Colour: true}.Bad("x"))
}
