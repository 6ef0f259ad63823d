package page

// The report as Markdown, for a pull request. Foreign text stands in code spans, where Markdown has no meaning, on one line.

import (
	"fmt"
	"io"
	"strings"

	"msc4014/helpers/verdict"
	"msc4014/report"
)

// longestMarkdown is what fits into a comment of a pull request, in bytes; longestReason bounds one reason, in characters.
const (
	longestMarkdown = 60 << 10
	longestReason   = 300
)

// markdown collects lines. What does not fit any more is counted.
type markdown struct {
	strings.Builder
	left int // entries left out
}

// add adds an entry if it fits.
func (m *markdown) add(format string, arguments ...any) {
	text := fmt.Sprintf(format, arguments...)
	if m.Len()+len(text) > longestMarkdown {
		m.left++
		return
	}
	m.WriteString(text)
}

// WriteMarkdown writes the report as Markdown (GitHub's). What does not fit into a comment is left out, and said.
func (r *Report) WriteMarkdown(w io.Writer) error {
	var m markdown
	m.add("<!-- %s -->\n", Generator)
	m.add("## MSC%d, Pseudonymous Identities: %s\n\n", r.MSC.Number, span(r.labels()))
	m.add("Judged against [the text at %s](https://github.com/matrix-org/matrix-spec-proposals/tree/%s), catalogue %d. Requirements of the proposal:\n\n",
		short(r.MSC.Commit), hexOnly(r.MSC.Commit), r.MSC.Catalogue)
	m.add("| candidate |")
	for _, v := range verdict.All {
		m.add(" %s |", v)
	}
	m.add(" open questions answered | the suite's own demands |\n|%s\n", strings.Repeat(" --- |", len(verdict.All)+3))
	for _, one := range r.Candidates {
		m.add("| %s |", tableSpan(one.Label))
		for _, v := range verdict.All {
			m.add(" %d |", one.Results.RequirementCounts[v])
		}
		m.add(" %d of %d | %s |\n", one.Answered, one.Questions, one.Results.OwnCounts)
	}
	for _, one := range r.Candidates {
		if only := one.Part(); only != "" {
			m.add("\n**Only a part**, %s: %s\n", span(one.Label), reason(only))
		}
		if one.Results.Incomplete != "" {
			m.add("\n**Incomplete**, %s: %s\n", span(one.Label), reason(one.Results.Incomplete))
		}
	}
	r.markdownMatrix(&m)
	r.markdownFailures(&m)
	r.markdownOpen(&m)
	r.markdownEnvironment(&m)
	if m.left > 0 {
		fmt.Fprintf(&m, "\n%d more entries do not fit here; `%s` has them.\n", m.left, report.HTMLFile)
	}
	_, err := io.WriteString(w, m.String())
	return err
}

// markdownMatrix writes the requirements that are not a pass everywhere, by section; of the others only the number.
func (r *Report) markdownMatrix(m *markdown) {
	m.add("\n### Requirements that are not a pass\n\n| requirement | source |%s\n| --- | --- |%s\n", r.heads(), strings.Repeat(" --- |", len(r.Candidates)))
	passed := 0
	for _, section := range r.Sections {
		for _, row := range section.Rows {
			if row.isOpen() {
				continue
			}
			interesting := false
			line := fmt.Sprintf("| %s | %s |", tableSpan(row.ID), sourceOf(row))
			for _, cell := range row.Cells {
				interesting = interesting || cell.Present && cell.Verdict != verdict.Pass && cell.Word != "no check yet"
				line += fmt.Sprintf(" %s |", marked(cell))
			}
			if !interesting {
				passed++
				continue
			}
			m.add("%s\n", line)
		}
	}
	m.add("\n%d more are a pass, or have no check yet.\n", passed)
}

func (r *Report) heads() string {
	text := ""
	for _, one := range r.Candidates {
		text += " " + tableSpan(one.Label) + " |"
	}
	return text
}

// marked returns a cell's word; a fail is bold.
func marked(cell Cell) string {
	if cell.Verdict == verdict.Fail {
		return "**fail**"
	}
	return cell.Word
}

// sourceOf returns the first link of a row, or its source.
func sourceOf(row Row) string {
	if len(row.Links) > 0 {
		if address := safeURL(row.Links[0].URL); address != "" {
			return fmt.Sprintf("[%s](<%s>)", inLink(row.Links[0].Text), address)
		}
	}
	return tableSpan(row.Source)
}

func (r *Report) markdownFailures(m *markdown) {
	for _, one := range r.Candidates {
		m.add("\n<details><summary>What fails in <code>%s</code>, and why</summary>\n\n", htmlText(one.Label))
		for _, section := range r.Sections {
			for _, row := range section.Rows {
				cell := row.Cells[one.Index]
				if row.isOpen() || !cell.Present || cell.Verdict != verdict.Fail && cell.Verdict != verdict.Error {
					continue
				}
				m.add("- %s %s: %s\n  %s\n", marked(cell), span(row.ID), span(row.Demand), reason(cell.Reason))
			}
		}
		m.WriteString("\n</details>\n")
	}
}

func (r *Report) markdownOpen(m *markdown) {
	if len(r.Open) == 0 {
		return
	}
	m.add("\n<details><summary>Open questions: %d</summary>\n\n| question |%s\n| --- |%s\n", len(r.Open), r.heads(), strings.Repeat(" --- |", len(r.Candidates)))
	for _, question := range r.Open {
		line := "| " + tableSpan(question.ID) + " |"
		for _, answer := range question.Answers {
			word := "none seen"
			if len(answer.Readings) > 0 {
				word = tableSpan(strings.Join(answer.Readings, ", "))
			}
			line += " " + word + " |"
		}
		m.add("%s\n", line)
	}
	m.WriteString("\n</details>\n")
}

func (r *Report) markdownEnvironment(m *markdown) {
	m.WriteString("\n<details><summary>Environment</summary>\n\n")
	for _, one := range r.Candidates {
		m.add("%s\n", span(one.Label))
		for _, fact := range one.Conditions {
			m.add("- %s: %s\n", span(fact.Name), reason(fact.Value))
		}
		m.add("\n")
	}
	m.WriteString("\n</details>\n")
}

// span returns foreign text as a code span on one line.
func span(text string) string {
	text = strings.Join(strings.Fields(report.Visible(text)), " ")
	if text == "" {
		return ""
	}
	fence := "`"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	if strings.HasPrefix(text, "`") || strings.HasSuffix(text, "`") {
		text = " " + text + " "
	}
	return fence + text + fence
}

// tableSpan is span in a table, where a vertical bar ends a cell even in code.
func tableSpan(text string) string { return strings.ReplaceAll(span(text), "|", `\|`) }

// reason is span for long text, which is cut.
func reason(text string) string {
	runes := []rune(strings.Join(strings.Fields(report.Visible(text)), " "))
	if len(runes) > longestReason {
		return span(string(runes[:longestReason])) + " ..."
	}
	return span(string(runes))
}

// inLink returns text for the words of a link: our own, but results may come from anywhere.
func inLink(text string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune("[]()<>`\\|*_!&@#\"'~", r) {
			return -1
		}
		return r
	}, strings.Join(strings.Fields(report.Visible(text)), " "))
}

// htmlText returns text for HTML inside Markdown, without what Markdown would read in it.
func htmlText(text string) string {
	var out strings.Builder
	for _, r := range strings.Join(strings.Fields(report.Visible(text)), " ") {
		if r < 0x80 && !('a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == ' ') {
			fmt.Fprintf(&out, "&#%d;", r)
			continue
		}
		out.WriteRune(r)
	}
	return out.String()
}

// hexOnly returns a commit, or nothing if it is none.
func hexOnly(commit string) string {
	for _, r := range commit {
		if !strings.ContainsRune("0123456789abcdef", r) {
			return ""
		}
	}
	return commit
}

func short(commit string) string {
	commit = hexOnly(commit)
	return commit[:min(10, len(commit))]
}
