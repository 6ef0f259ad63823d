package page

// The report as one HTML file. html/template escapes by context; the only script and the only style sheet are ours, and the content
// security policy allows nothing else.

import (
	"bytes"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

var (
	//go:embed assets/report.html
	pageTemplate string
	//go:embed assets/report.css
	pageStyle string
	//go:embed assets/report.js
	pageScript string
)

// longestPage is what the page should weigh at most, in bytes.
const longestPage = 4_950_000

// Generator marks the files that this package writes, so that no other file is overwritten.
const Generator = "msc4014 report"

var parsed = template.Must(template.New("report").Funcs(template.FuncMap{
	"safe":   safeURL,
	"short":  short,
	"link":   (*Candidate).link,
	"chosen": chosenBy,
	"prose":  prose,
	"role":   func(role transcript.Role) string { return roles[role] },
	"size":   size,
	"excerpt": func(name string, excerpt *Excerpt) any {
		return struct {
			Name    string
			Excerpt *Excerpt
		}{name, excerpt}
	},
}).Parse(pageTemplate))

// roles are what exchanges show.
var roles = map[transcript.Role]string{transcript.Control: "Control: the same, right", transcript.Act: "Under test", transcript.Seen: "What was seen"}

// prose splits text of ours at its code, which stands between backquotes.
func prose(text string) []Piece {
	var split []Piece
	for i, part := range strings.Split(text, "`") {
		split = append(split, Piece{Text: part, Mark: i%2 == 1})
	}
	return split
}

// chosenBy reports whether any candidate chose a reading.
func chosenBy(question Question, reading string) bool {
	return slices.ContainsFunc(question.Answers, func(a Answer) bool { return slices.Contains(a.Readings, reading) })
}

func size(bytes int) string {
	if bytes < 2<<10 {
		return fmt.Sprintf("%d bytes", bytes)
	}
	return fmt.Sprintf("%d KiB", bytes>>10)
}

// page is what the template shows.
type page struct {
	*Report
	Policy    string
	Generator string
	Style     template.CSS
	Script    template.JS
	Verdicts  []verdict.Verdict
	Columns   int
	HasFaults bool
	// HasTimeline reports that any candidate has a timeline.
	HasTimeline bool
	// Packed is the evidence (pack.go).
	Packed string
}

// policy allows the style sheet and the script of the report, by their digests, and no request.
func policy() string {
	digest := func(text string) string {
		sum := sha256.Sum256([]byte(text))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; style-src " + digest(pageStyle) + "; script-src " + digest(pageScript) + "; base-uri 'none'; form-action 'none'"
}

// WriteHTML writes the report as one HTML file.
func (r *Report) WriteHTML(w io.Writer) error {
	shown := page{
		Report: r, Policy: policy(), Generator: Generator, Style: template.CSS(pageStyle), Script: template.JS(pageScript), Verdicts: verdict.All,
		Columns: 1 + len(r.Candidates),
	}
	for _, section := range r.Sections {
		for _, row := range section.Rows {
			shown.HasFaults = shown.HasFaults || len(row.Faults) > 0
		}
	}
	for _, one := range r.Candidates {
		shown.HasTimeline = shown.HasTimeline || one.Timeline != nil
	}
	var out bytes.Buffer
	if err := parsed.Execute(&out, shown); err != nil { // without evidence, to know how much fits
		return fmt.Errorf("make the HTML report: %w", err)
	}
	var err error
	if shown.Packed, err = r.evidence.pack(longestPage - out.Len()); err != nil {
		return err
	}
	if shown.Packed != "" {
		out.Reset()
		if err := parsed.Execute(&out, shown); err != nil {
			return fmt.Errorf("make the HTML report: %w", err)
		}
	}
	_, err = io.WriteString(w, report.Visible(out.String()))
	return err
}

// Segment is a part of a bar of a thousand.
type Segment struct {
	Verdict  verdict.Verdict
	From, To int
}

// Bar returns the shares of the verdicts of the proposal's requirements.
func (c *Candidate) Bar() []Segment {
	sum := 0
	for _, count := range c.Counts {
		sum += count.Number
	}
	var bar []Segment
	at := 0
	for _, count := range c.Counts {
		bar = append(bar, Segment{count.Verdict, at * 1000 / sum, (at + count.Number) * 1000 / sum})
		at += count.Number
	}
	return bar
}

// labels returns the names of the candidates.
func (r *Report) labels() string {
	var labels []string
	for _, one := range r.Candidates {
		labels = append(labels, one.Label)
	}
	return strings.Join(labels, ", ")
}

// isOpen reports whether a row is an open question.
func (r Row) isOpen() bool { return r.Kind == report.KindOpen }
