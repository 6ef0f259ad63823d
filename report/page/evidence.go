package page

// The evidence of a check: of its transcript the control, the step under test and what was seen then, and the lines of the log around
// that. What is longer than a share of the report is cut; links lead to the rest.

import (
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

// The bounds of what is shown, in bytes of HTML.
const (
	longestExcerpt = 8 << 10
	logBytes       = 4 << 20 // read of one log
	logLines       = 12
)

// Evidence is what is shown of one check.
type Evidence struct {
	ID        string
	Exchanges []Exchange
	Log       *Excerpt
	Problem   string // why there is less than there should be
}

// Exchange is a request and its answer.
type Exchange struct {
	Role            transcript.Role
	Who             string
	Line            string // method and path
	Status          string
	Took            string
	Request, Answer *Excerpt
	started         time.Time
}

// Excerpt is text with the parts that matter marked.
type Excerpt struct {
	Pieces []Piece
	Of     int // bytes of the whole; 0 if it is whole
	text   string
	weight int
	tokens *regexp.Regexp
}

// Piece is a part of a text.
type Piece struct {
	Text string
	Mark bool
}

// collector collects the evidence of the checks that are shown.
type collector struct {
	sources  []Source
	rests    []map[string]bool // checks that an observation or a finding rests on, by source
	all      []*Evidence
	byName   map[string]string
	shared   map[string][]transcript.Exchange // by file
	excerpts []*Excerpt
}

func newCollector(sources []Source) *collector {
	c := &collector{sources: sources, byName: map[string]string{}, shared: map[string][]transcript.Exchange{}}
	for _, source := range sources {
		rests := map[string]bool{}
		for _, observed := range source.Results.Observations {
			rests[observed.Check] = true
		}
		for _, found := range source.Results.Findings {
			rests[found.Check] = true
		}
		c.rests = append(c.rests, rests)
	}
	return c
}

// of returns the ID of the evidence of a check of a source; "" if there is none.
func (c *collector) of(source int, check verdict.CheckResult) string {
	bad := check.Verdict != verdict.Pass && check.Verdict != verdict.Unsupported && check.Verdict != verdict.NotRun
	if check.Transcript == "" && check.Log == "" || !bad && !c.rests[source][check.Name] {
		return ""
	}
	key := fmt.Sprint(source, "/", check.Name)
	if id, ok := c.byName[key]; ok {
		return id
	}
	one := c.read(c.sources[source], check, bad)
	one.ID = fmt.Sprintf("e%d", len(c.all)+1)
	c.byName[key] = one.ID
	c.all = append(c.all, one)
	return one.ID
}

// read reads the evidence of one check.
func (c *collector) read(source Source, check verdict.CheckResult, bad bool) *Evidence {
	one := &Evidence{}
	said := wordsOf(check, source.Results)
	var at time.Time
	if check.Transcript != "" {
		exchanges, err := c.exchanges(source.Folder, check.Transcript)
		if err != nil {
			one.Problem = err.Error()
		}
		all := bad && check.Verdict != verdict.Blocked // what is blocked is told by the requirement that blocks it
		for _, chosen := range choose(exchanges, said, all) {
			shown := c.exchange(chosen, said)
			one.Exchanges = append(one.Exchanges, shown)
			at = shown.started
		}
	}
	if check.Log != "" && bad {
		text, err := readLog(source.Folder, check.Log)
		if err != nil && one.Problem == "" {
			one.Problem = err.Error()
		}
		if around := linesAround(text, at, said); around != "" {
			one.Log = c.excerpt(around, said)
			one.Log.Of = len(text)
		}
	}
	return one
}

// open opens a file of a results folder for reading, unless it is outside of it.
func open(folder, file string) (*os.File, error) {
	root, err := os.OpenRoot(folder)
	if err != nil {
		return nil, fmt.Errorf("cannot read the evidence %s: %w", file, err)
	}
	defer func() { _ = root.Close() }()
	opened, err := root.Open(filepath.FromSlash(file))
	if err != nil {
		return nil, fmt.Errorf("cannot read the evidence %s: %w", file, err)
	}
	return opened, nil
}

// exchanges reads a transcript. Those that many checks share are read once.
func (c *collector) exchanges(folder, file string) ([]transcript.Exchange, error) {
	name := filepath.Join(folder, file)
	if read, ok := c.shared[name]; ok {
		return read, nil
	}
	read, err := readHAR(folder, file)
	if err == nil && strings.HasPrefix(filepath.Base(file), "shared-") {
		c.shared[name] = read
	}
	return read, err
}

func readHAR(folder, file string) ([]transcript.Exchange, error) {
	opened, err := open(folder, file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = opened.Close() }()
	_, exchanges, err := transcript.ReadHAR(opened)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return exchanges, nil
}

func readLog(folder, file string) (string, error) {
	opened, err := open(folder, file)
	if err != nil {
		return "", err
	}
	defer func() { _ = opened.Close() }()
	text, err := io.ReadAll(io.LimitReader(opened, logBytes))
	return string(text), err
}

// exchange shows one exchange.
func (c *collector) exchange(chosen chosen, said words) Exchange {
	e := chosen.exchange
	shown := Exchange{
		Role: chosen.role, Who: who(e), Line: e.Method + " " + pathOf(e.URL), Took: e.Duration.Round(time.Millisecond).String(), started: e.Started,
		Request: c.body(e.RequestBody, said), Answer: c.body(e.ResponseBody, said), Status: fmt.Sprint(e.Status),
	}
	if e.Status == 0 {
		shown.Status = strings.TrimSpace("no answer " + e.Error)
	}
	return shown
}

// who says who asked whom.
func who(e transcript.Exchange) string {
	server := e.Server
	if server == "" {
		server = "the candidate"
	}
	switch e.Direction {
	case transcript.ClientRequest:
		return fmt.Sprintf("client %s asks %s", e.Actor, server)
	case transcript.PeerRequest:
		return fmt.Sprintf("peer %s asks %s", e.Actor, server)
	}
	return fmt.Sprintf("%s asks peer %s", server, e.Actor)
}

// pathOf returns a URL without scheme and host.
func pathOf(address string) string {
	if _, rest, ok := strings.Cut(address, "://"); ok {
		if slash := strings.IndexByte(rest, '/'); slash >= 0 {
			return rest[slash:]
		}
	}
	return address
}

// body returns the part of a body that matters: the events in which the check's words occur, if it is longer than an excerpt.
func (c *collector) body(body []byte, said words) *Excerpt {
	if len(body) == 0 {
		return nil
	}
	text := indented(body)
	whole := len(text)
	if len(text) > shortBody {
		if part := eventsWith(body, said); part != "" {
			text = part
		}
	}
	excerpt := c.excerpt(text, said)
	if len(text) < whole {
		excerpt.Of = len(body)
	}
	return excerpt
}

// shortBody is the length up to which a body is shown whole.
const shortBody = 4 << 10

func (c *collector) excerpt(text string, said words) *Excerpt {
	excerpt := &Excerpt{text: report.Visible(text), tokens: said.marks}
	excerpt.weight = weight(excerpt.text)
	c.excerpts = append(c.excerpts, excerpt)
	return excerpt
}

// weight returns the bytes of a text as HTML.
func weight(text string) int { return len(template.HTMLEscapeString(text)) }

// cut shortens an excerpt to about limit bytes of HTML around the first word that matters, and splits it into pieces.
func (e *Excerpt) cut(limit int) {
	text := e.text
	if e.weight > limit {
		if e.Of == 0 {
			e.Of = len(text)
		}
		from := 0
		if e.tokens != nil {
			if at := e.tokens.FindStringIndex(text); at != nil && at[0] > limit/2 {
				from = strings.LastIndexByte(text[:at[0]-limit/4], '\n') + 1
			}
		}
		text = text[from:]
		for weight(text) > limit {
			text = text[:len(text)*9/10]
		}
		text = strings.ToValidUTF8(text, "") + "\n…"
		if from > 0 {
			text = "…\n" + text
		}
	}
	e.Pieces = pieces(text, e.tokens)
}

// pieces splits text at the words to mark.
func pieces(text string, tokens *regexp.Regexp) []Piece {
	if tokens == nil {
		return []Piece{{Text: text}}
	}
	var split []Piece
	from := 0
	for _, at := range tokens.FindAllStringIndex(text, -1) {
		if at[0] > from {
			split = append(split, Piece{Text: text[from:at[0]]})
		}
		split = append(split, Piece{Text: text[at[0]:at[1]], Mark: true})
		from = at[1]
	}
	if from < len(text) {
		split = append(split, Piece{Text: text[from:]})
	}
	return split
}

// wordsOf returns the words of a check's result and of the findings in it.
func wordsOf(check verdict.CheckResult, results report.Results) words {
	texts := append([]string{check.Reason}, check.Details...)
	for _, found := range results.Findings {
		if found.Check == check.Name {
			texts = append(texts, found.Detail)
		}
	}
	for _, observed := range results.Observations {
		if observed.Check == check.Name {
			texts = append(texts, observed.Detail)
		}
	}
	return newWords(texts)
}
