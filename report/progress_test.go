package report

import (
	"bytes"
	"strings"
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
	p := NewProgress(&out, func(string) string { return "" }, true)
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

// TestProgressTellsOnlyWhatIsUnexpected: in plain lines, without a line for each step and each check.
func TestProgressTellsOnlyWhatIsUnexpected(t *testing.T) {
	events := []verdict.Event{
		planned("a", "b", "c", "d"), start("a"), done("a", verdict.Fail, "as ever"), done("b", verdict.Fail, "100% \x1b[2Jwrong\n::error::x"),
		{Kind: verdict.KindNote, Message: "a note"}, {Kind: verdict.KindServerDied, Message: "hs1 exited"},
		planned("a", "b", "c", "d", "e"), final("a", verdict.Fail, "as ever"), final("b", verdict.Pass, ""), final("c", verdict.Blocked, "no room"),
		final("d", verdict.Pass, ""), final("e, more", verdict.Error, "no memory"), end,
	}
	run := func(environment map[string]string) string {
		var out bytes.Buffer
		p := NewProgress(&out, func(name string) string { return environment[name] }, false)
		p.Doing("preparing dendrite")
		p.Step("Step 1/9")
		p.Expect(func(check verdict.CheckResult, _ bool) bool {
			return check.Verdict == verdict.Pass || check.Name == "a"
		})
		for _, event := range events {
			p.Handle(event)
		}
		p.Close()
		return out.String()
	}
	assert.Equal(t, "preparing dendrite\nfail         b: 100% \ufffd[2Jwrong ::error::x (1.2s)\n"+
		"pass         b (judged again; was fail) (1.2s)\nblocked      c: no room (1.2s)\nerror        e, more: no memory (1.2s)\n", run(nil))
	assert.Equal(t, "preparing dendrite\n::error title=b::fail: 100%25 \ufffd[2Jwrong ::error::x\n"+
		"pass         b (judged again; was fail) (1.2s)\n::warning title=c::blocked: no room\n::error title=e%2C more::error: no memory\n",
		run(map[string]string{"GITHUB_ACTIONS": "true"}))
}

// TestProgressWritesNoCommandOfAServer: whatever a server says, and wherever it is told.
func TestProgressWritesNoCommandOfAServer(t *testing.T) {
	const hostile = "x\n ::error::y\n##[error]z"
	var out bytes.Buffer
	p := NewProgress(&out, func(name string) string { return map[string]string{"GITHUB_ACTIONS": "true"}[name] }, true)
	p.Say("%s", hostile)
	p.Doing(hostile)
	p.Step(hostile)
	failed := done("a", verdict.Fail, hostile)
	failed.Result.Details = []string{"::error::y", hostile}
	for _, event := range []verdict.Event{
		planned("a"), {Kind: verdict.KindNote, Message: hostile}, {Kind: verdict.KindServerDied, Message: "\n::error::y"}, {Kind: verdict.KindPrint, Message: hostile},
		{Kind: verdict.KindFinding, Finding: &verdict.Finding{Detail: hostile}}, {Kind: verdict.KindObservation, Observation: &verdict.Observation{Reading: hostile}},
		failed, end,
	} {
		p.Handle(event)
	}
	p.Close()
	assert.NotContains(t, out.String(), "##[")
	for line := range strings.Lines(out.String()) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			assert.Regexp(t, "^::error title=a::fail: ", line)
		}
	}
	assert.Contains(t, out.String(), "::error title=a::fail: x ::error::y ##\ufffd[error]z\n")
}

// TestProgressWaitsForWhatIsJudgedAgain: a result of a check whose server died is not told until it is final, and then only if it is not
// as expected.
func TestProgressWaitsForWhatIsJudgedAgain(t *testing.T) {
	again := func(name string, v verdict.Verdict) verdict.Event {
		event := done(name, v, "connection reset")
		event.Again = true
		return event
	}
	var out bytes.Buffer
	p := NewProgress(&out, func(string) string { return "" }, false)
	p.Expect(func(check verdict.CheckResult, final bool) bool {
		return !final && check.Name == "c" || check.Reason == "the server died"
	})
	for _, event := range []verdict.Event{
		planned("a", "b", "c", "d"), again("a", verdict.Blocked), again("b", verdict.Fail), done("c", verdict.Fail, "EOF"),
		final("a", verdict.Fail, "the server died"), final("b", verdict.Fail, "otherwise"), final("c", verdict.Fail, "a wrong answer"), end,
	} {
		p.Handle(event)
	}
	p.Close()
	assert.Equal(t, "fail         b: otherwise (1.2s)\nfail         c: a wrong answer (1.2s)\n", out.String())
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
