package requirements

// Links to the places of the texts that a source names.

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// repository has the proposals, at each of their commits.
const repository = "https://github.com/matrix-org/matrix-spec-proposals"

// Link is a permanent link to a place in a text.
type Link struct {
	Text string // "MSC4014, Proposal 4.1"
	URL  string
}

// remark is what a source adds in brackets: a quotation, or a number of a reason.
var remark = regexp.MustCompile(`\s*\([^)]*\)`)

// Links returns links to the places that a source names, in its order: the lines of the proposals at the commits of the catalogue.
// What is not a proposal has none.
func (c *Catalogue) Links(source string) []Link {
	var links []Link
	var text Text
	for part := range strings.SplitSeq(strings.ReplaceAll(remark.ReplaceAllString(source, ""), " against ", "; "), "; ") {
		name, section, _ := strings.Cut(part, ", ")
		if named, ok := c.Text(name); ok {
			text = named
		} else {
			section = part // of the text that was named last
		}
		line, known := text.Lines[section]
		switch {
		case text.File == "" || section == "discussion":
		case section == "":
			links = append(links, Link{Text: text.Name, URL: text.at(0)})
		case known:
			links = append(links, Link{Text: text.Name + ", " + section, URL: text.at(line)})
		}
	}
	return links
}

// at returns the URL of a line of the text at its commit; of the text itself if line is 0.
func (t Text) at(line int) string {
	file := (&url.URL{Path: t.File}).EscapedPath()
	if line == 0 {
		return fmt.Sprintf("%s/blob/%s/%s", repository, t.Commit, file)
	}
	return fmt.Sprintf("%s/blob/%s/%s?plain=1#L%d", repository, t.Commit, file, line) // a rendered page has no lines
}
