package report

// Live progress: what is running, how far it is, and each unexpected result as it happens. One handler takes the events; a terminal
// gets a line that is redrawn, anything else gets a plain line from time to time.

import (
	"fmt"
	"io"
	"sort"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"msc4014/helpers/verdict"
)

// redrawEvery is the interval at which the terminal's line is redrawn while nothing happens, to update its time.
const redrawEvery = 500 * time.Millisecond

// plainEvery is the interval of the first two plain lines. Then it doubles with each, up to 16 times, so that a whole run fits on a screen.
const plainEvery = 15 * time.Second

// Progress shows a run in progress. Its methods are safe for concurrent use.
type Progress struct {
	mutex    sync.Mutex
	out      io.Writer
	style    Style
	verbose  bool
	terminal bool
	// annotate writes unexpected results as annotations of GitHub's workflows.
	annotate bool
	expected func(check verdict.CheckResult, final bool) bool
	width    func() int
	now      func() time.Time

	started   time.Time
	total     int
	done      map[string]verdict.Verdict
	told      map[string]bool // checks that have a line
	running   map[string]time.Time
	activity  string
	drawn     bool
	stop      chan struct{}
	stopped   sync.WaitGroup
	stopTimer sync.Once
}

// NewProgress returns a Progress on out: redrawn if out is a terminal, else plain. Close ends it.
func NewProgress(out io.Writer, environment func(string) string, verbose bool) *Progress {
	p := newProgress(out, StyleFor(out, environment), verbose)
	if descriptor, ok := Terminal(out, environment); ok {
		p.terminal = true
		p.width = func() int {
			width, _, err := term.GetSize(descriptor)
			if err != nil || width <= 0 {
				return 80
			}
			return width
		}
		p.stopped.Go(func() { p.every(func() time.Duration { return redrawEvery }, p.draw) })
		return p
	}
	p.annotate = environment("GITHUB_ACTIONS") == "true"
	lines := 0
	p.stopped.Go(func() {
		p.every(func() time.Duration { return plainEvery << min(max(lines-1, 0), 4) }, func() {
			lines++
			if status := p.status(); status != "" {
				p.print(status)
			}
		})
	})
	return p
}

// Expect sets what tells expected results from others, which have a line each; a result is final or provisional. At first everything but
// a fail or an error is expected.
func (p *Progress) Expect(expected func(check verdict.CheckResult, final bool) bool) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.expected = expected
}

// newProgress returns a plain Progress.
func newProgress(out io.Writer, style Style, verbose bool) *Progress {
	return &Progress{
		out: out, style: style, verbose: verbose, now: time.Now, started: time.Now(),
		expected: func(check verdict.CheckResult, _ bool) bool {
			return check.Verdict != verdict.Fail && check.Verdict != verdict.Error
		},
		width: func() int { return 80 },
		done:  map[string]verdict.Verdict{}, told: map[string]bool{}, running: map[string]time.Time{}, stop: make(chan struct{}),
	}
}

// Begin starts the count for another candidate.
func (p *Progress) Begin() {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.started, p.total, p.activity = p.now(), 0, ""
	p.done, p.told, p.running = map[string]verdict.Verdict{}, map[string]bool{}, map[string]time.Time{}
}

// Say writes a permanent line.
func (p *Progress) Say(format string, arguments ...any) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.print(ForConsole(fmt.Sprintf(format, arguments...)))
	p.draw()
}

// Doing shows an activity before the checks begin, such as "building dendrite@0.15.2".
func (p *Progress) Doing(activity string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.activity = activity
	if !p.terminal && activity != "" {
		p.print(ForConsole(activity))
	}
	p.draw()
}

// Step shows a step of an activity, such as one of a build.
func (p *Progress) Step(step string) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.activity = step
	if p.verbose && !p.terminal {
		p.print(ForConsole(step))
	}
	p.draw()
}

// Handle takes one event of the suite's binary.
func (p *Progress) Handle(event verdict.Event) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	switch event.Kind {
	case verdict.KindPlan:
		p.activity = ""
		known := p.total > 0 // a later plan adds checks
		p.total = event.Total
		if p.total == 0 {
			p.total = len(event.Checks)
		}
		if p.verbose && !p.terminal && !known {
			p.print(fmt.Sprintf("checks to run: %d", p.total))
		}
	case verdict.KindCheckStart:
		p.running[event.Check] = p.now()
	case verdict.KindCheckDone, verdict.KindCheckFinal:
		p.judged(event)
	case verdict.KindServerDied, verdict.KindNote:
		if p.verbose {
			p.print(p.style.paint(yellow, oneLine(event.Message)))
		}
	case verdict.KindPrint:
		p.print(ForConsole(strings.TrimRight(event.Message, "\n")))
	case verdict.KindFinding:
		if p.verbose && event.Finding != nil {
			p.print(fmt.Sprintf("monitor: %s: %s", event.Finding.Requirement, oneLine(event.Finding.Detail)))
		}
	case verdict.KindObservation:
		if p.verbose && event.Observation != nil {
			p.print(fmt.Sprintf("observed: %s: %s", event.Observation.ID, oneLine(event.Observation.Reading)))
		}
	}
	p.draw()
}

// judged counts a check and writes its line if it is not as expected; if verbose, in any case. A final verdict gets a line only if it differs
// from a provisional one that has a line. A result of which it is known that the check is judged again has none.
func (p *Progress) judged(event verdict.Event) {
	delete(p.running, event.Check)
	if event.Result == nil {
		return
	}
	result := *event.Result
	before, known := p.done[event.Check]
	p.done[event.Check] = result.Verdict
	if known && before == result.Verdict && (p.verbose || p.told[event.Check]) {
		return
	}
	if result.Name == "" {
		result.Name = event.Check
	}
	final := event.Kind == verdict.KindCheckFinal
	told := known && p.told[event.Check]
	if !p.verbose && !told && (event.Again || p.expected(result, final)) {
		return
	}
	p.told[event.Check] = true
	line := fmt.Sprintf("%s %s", p.style.verdict(result.Verdict, fmt.Sprintf("%-12s", result.Verdict)), Visible(event.Check))
	if told {
		line += fmt.Sprintf(" (judged again; was %s)", before)
	}
	if reason := whyNot(result); reason != "" && result.Verdict != verdict.Pass {
		line += ": " + shortened(reason)
	}
	if result.DurationMS > 0 && !p.terminal {
		line += fmt.Sprintf(" (%.1fs)", float64(result.DurationMS)/1000)
	}
	if p.annotate && !p.expected(result, final) {
		p.print(annotation(result))
	} else {
		p.print(unbroken(line))
	}
	if p.verbose {
		for _, detail := range result.Details {
			p.print("             " + oneLine(detail))
		}
	}
}

// annotation returns a command of GitHub's workflows, which shows an unexpected result beside the changes.
func annotation(result verdict.CheckResult) string {
	level := "warning"
	if result.Verdict == verdict.Fail || result.Verdict == verdict.Error {
		level = "error"
	}
	title := strings.NewReplacer("%", "%25", ":", "%3A", ",", "%2C").Replace(oneLine(result.Name))
	message := strings.ReplaceAll(withReason(string(result.Verdict), shortened(whyNot(result))), "%", "%25")
	return fmt.Sprintf("::%s title=%s::%s", level, title, message)
}

// unbroken replaces line breaks with spaces and keeps all other spacing.
func unbroken(text string) string {
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == '\r' }), " ")
}

// Close ends the progress and leaves the terminal with a clean line. It may be called more than once.
func (p *Progress) Close() {
	p.stopTimer.Do(func() { close(p.stop) })
	p.stopped.Wait()
	p.mutex.Lock()
	defer p.mutex.Unlock()
	p.erase()
	p.terminal = false
}

// every calls act after each interval until Close.
func (p *Progress) every(interval func() time.Duration, act func()) {
	timer := time.NewTimer(interval())
	defer timer.Stop()
	for {
		select {
		case <-p.stop:
			return
		case <-timer.C:
			p.mutex.Lock()
			act()
			p.mutex.Unlock()
			timer.Reset(interval())
		}
	}
}

// print writes a permanent line above the redrawn one.
func (p *Progress) print(line string) {
	p.erase()
	_, _ = fmt.Fprintln(p.out, line)
}

// erase removes the redrawn line.
func (p *Progress) erase() {
	if p.drawn {
		_, _ = io.WriteString(p.out, "\r\x1b[K")
		p.drawn = false
	}
}

// draw writes the redrawn line, cut to the terminal's width.
func (p *Progress) draw() {
	if !p.terminal {
		return
	}
	line := p.status()
	if line == "" {
		p.erase()
		return
	}
	if runes := []rune(line); len(runes) >= p.width() {
		line = string(runes[:max(0, p.width()-1)])
	}
	_, _ = io.WriteString(p.out, "\r\x1b[K"+p.style.paint(dim, line))
	p.drawn = true
}

// status returns the text of the redrawn line: "12/62  10 pass, 2 fail  8s  name of a running check, and 3 more".
func (p *Progress) status() string {
	elapsed := p.now().Sub(p.started).Round(time.Second)
	if p.total == 0 {
		if p.activity == "" {
			return ""
		}
		return fmt.Sprintf("%s  %s", p.activity, elapsed)
	}
	counts := newCounts()
	for _, v := range p.done {
		counts[v]++
	}
	text := fmt.Sprintf("%d/%d  %s  %s", len(p.done), p.total, counts, elapsed)
	if len(p.done) == 0 {
		text = fmt.Sprintf("0/%d  %s", p.total, elapsed)
	}
	names := make([]string, 0, len(p.running))
	for name := range p.running {
		names = append(names, name)
	}
	sort.Slice(names, func(i, j int) bool {
		if !p.running[names[i]].Equal(p.running[names[j]]) {
			return p.running[names[i]].Before(p.running[names[j]])
		}
		return names[i] < names[j]
	})
	if len(names) > 0 {
		text += "  " + names[0]
	}
	if len(names) > 1 {
		text += fmt.Sprintf(", and %d more", len(names)-1)
	}
	return text
}
