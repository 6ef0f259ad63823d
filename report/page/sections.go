package page

// The order of requirements: by the places in the texts that they come from.

import (
	"cmp"
	"maps"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"msc4014/report"
)

// place is a section with its requirements, before they are shown.
type place struct {
	title, link  string
	rank         [2]int // of the text, and of the line in it
	requirements []report.Requirement
}

// subItem is the part of a source's number behind the full stop, and remark is what a source adds in brackets.
var (
	subItem = regexp.MustCompile(`(\d+)\.\d+$`)
	remark  = regexp.MustCompile(`\s*\([^)]*\)`)
)

// sections returns the requirements of all sources by section, in the order of the texts: MSC4014, MSC1228, the Matrix specification,
// what no text says. Each requirement is described as in the source with the newest catalogue.
func sections(sources []Source) []place {
	newest := slices.Clone(sources)
	slices.SortStableFunc(newest, func(a, b Source) int { return b.Results.MSC.Catalogue - a.Results.MSC.Catalogue })
	seen := map[string]bool{}
	places := map[string]*place{}
	var order []*place
	for _, source := range newest {
		for _, requirement := range source.Results.Requirements {
			if seen[requirement.ID] {
				continue
			}
			seen[requirement.ID] = true
			title := titleOf(requirement)
			at := places[title]
			if at == nil {
				at = &place{title: title, rank: [2]int{textRank(title), 1 << 20}}
				places[title] = at
				order = append(order, at)
			}
			if line := lineOf(requirement); line > 0 && line < at.rank[1] && len(requirement.Links) > 0 {
				at.rank[1], at.link = line, safeURL(requirement.Links[0].URL)
			}
			at.requirements = append(at.requirements, requirement)
		}
	}
	slices.SortStableFunc(order, func(a, b *place) int { return cmp.Or(a.rank[0]-b.rank[0], a.rank[1]-b.rank[1]) })
	sorted := make([]place, 0, len(order))
	for _, one := range order {
		slices.SortStableFunc(one.requirements, func(a, b report.Requirement) int { return lineOf(a) - lineOf(b) })
		sorted = append(sorted, *one)
	}
	return sorted
}

// titleOf returns the section of a requirement: the first place that its source names, without sub-items.
func titleOf(requirement report.Requirement) string {
	first, _, _ := strings.Cut(remark.ReplaceAllString(requirement.Source, ""), "; ")
	first, _, _ = strings.Cut(first, " against ")
	switch {
	case requirement.Own:
		return "The suite's own demands"
	case first == "not said":
		return "Not said in any text"
	case textRank(first) == 2:
		return "Matrix specification"
	}
	return subItem.ReplaceAllString(first, "$1")
}

func textRank(title string) int {
	for i, prefixes := range [][]string{{"MSC4014"}, {"MSC1228"}} {
		for _, prefix := range prefixes {
			if strings.HasPrefix(title, prefix) {
				return i
			}
		}
	}
	switch title {
	case "Not said in any text", "not said":
		return 3
	case "The suite's own demands":
		return 4
	}
	return 2
}

// lineOf returns the line of the first place to which a requirement has a link; 0 if there is none.
func lineOf(requirement report.Requirement) int {
	if len(requirement.Links) == 0 {
		return 0
	}
	_, line, _ := strings.Cut(requirement.Links[0].URL, "#L")
	number, _ := strconv.Atoi(line)
	return number
}

// Remainder returns the parts of a row's source to which no link leads.
func (r Row) Remainder() string {
	rest := r.Source
	for _, link := range r.Links {
		_, section, _ := strings.Cut(link.Text, ", ")
		for _, linked := range []string{link.Text, section} {
			if linked != "" && strings.Contains(rest, linked) {
				rest = strings.Replace(rest, linked, "", 1)
				break
			}
		}
	}
	return strings.Trim(rest, "; ")
}

// safeURL returns an address if it is one of https, else "". Results may come from anywhere.
func safeURL(address string) string {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Scheme != "https" || parsed.Host == "" {
		return ""
	}
	return parsed.String()
}

// link returns the relative URL of a file of a results folder; "" if it is not one inside the folder.
func link(folder, file string) string {
	if file == "" || path.IsAbs(file) || !isLocal(file) {
		return ""
	}
	return folder + escapedPath(file)
}

// isLocal reports whether a path with slashes stays in its folder.
func isLocal(file string) bool {
	clean := path.Clean(file)
	return clean != ".." && !strings.HasPrefix(clean, "../") && !path.IsAbs(clean) && !strings.Contains(clean, "\\")
}

// escapedPath returns a relative path as a URL. One that begins like a scheme gets a "./".
func escapedPath(file string) string {
	var parts []string
	for part := range strings.SplitSeq(file, "/") {
		parts = append(parts, strings.ReplaceAll(url.PathEscape(part), ":", "%3A"))
	}
	return strings.Join(parts, "/")
}

func sortedKeys(values map[string]string) []string { return slices.Sorted(maps.Keys(values)) }
