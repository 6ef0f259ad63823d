package page

// The report as W3C EARL 1.0 (https://www.w3.org/TR/EARL10-Schema/), JSON-LD with its context inline: an assertion for each candidate and
// requirement.

import (
	"encoding/json"
	"io"
	"strings"
	"time"

	"msc4014/helpers/verdict"
	"msc4014/report"
)

// earlContext says what the names mean; nothing has to be fetched.
var earlContext = map[string]any{
	"earl": "http://www.w3.org/ns/earl#", "dct": "http://purl.org/dc/terms/", "doap": "http://usefulinc.com/ns/doap#",
	"xsd":         "http://www.w3.org/2001/XMLSchema#",
	"title":       "dct:title",
	"description": "dct:description",
	"date":        map[string]string{"@id": "dct:date", "@type": "xsd:dateTime"},
	"source":      map[string]string{"@id": "dct:source", "@type": "@id"},
	"isPartOf":    "dct:isPartOf",
	"identifier":  "dct:identifier",
	"revision":    "doap:revision",
	"assertedBy":  map[string]string{"@id": "earl:assertedBy", "@type": "@id"},
	"subject":     map[string]string{"@id": "earl:subject", "@type": "@id"},
	"test":        map[string]string{"@id": "earl:test", "@type": "@id"},
	"mode":        map[string]string{"@id": "earl:mode", "@type": "@id"},
	"result":      map[string]string{"@id": "earl:result", "@type": "@id"},
	"outcome":     map[string]string{"@id": "earl:outcome", "@type": "@id"},
	"info":        "earl:info",
}

// outcomes are those of EARL. An open requirement has none: it cannot be failed.
var outcomes = map[verdict.Verdict]string{
	verdict.Pass: "earl:passed", verdict.Fail: "earl:failed", verdict.Unsupported: "earl:inapplicable", verdict.Blocked: "earl:cantTell",
	verdict.Inconclusive: "earl:cantTell", verdict.NotRun: "earl:untested", verdict.Error: "earl:cantTell",
}

// identifiers of nodes begin with this; what follows them is escaped.
const nodePrefix = "urn:msc4014:"

type node map[string]any

// WriteEARL writes the report as JSON-LD.
func (r *Report) WriteEARL(w io.Writer) error {
	var graph []node
	suites := map[string]bool{}
	for _, one := range r.Candidates {
		suite := suiteID(one.Results)
		if !suites[suite] {
			suites[suite] = true
			graph = append(graph, node{
				"@id": suite, "@type": []string{"earl:Assertor", "earl:Software"}, "title": "Conformance tests for MSC4014",
				"revision": strings.TrimSpace(one.Results.Suite.Version + " " + one.Results.Suite.Commit),
			})
		}
		graph = append(graph, node{
			"@id": subjectID(one), "@type": []string{"earl:TestSubject", "earl:Software"}, "title": one.Label, "revision": one.Results.Candidate.Version,
			"identifier": one.Results.Candidate.Digest,
		})
	}
	for _, section := range r.Sections {
		for _, row := range section.Rows {
			criterion := node{
				"@id": testID(row.ID), "@type": "earl:TestRequirement", "title": row.ID, "description": row.Demand, "isPartOf": row.Source,
			}
			var links []string
			for _, link := range row.Links {
				if address := safeURL(link.URL); address != "" {
					links = append(links, address)
				}
			}
			if links != nil {
				criterion["source"] = links
			}
			graph = append(graph, criterion)
			for _, cell := range row.Cells {
				if cell.Present {
					graph = append(graph, assertion(row, cell))
				}
			}
		}
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	return encoder.Encode(struct {
		ID      string         `json:"@id"`
		Title   string         `json:"title"`
		Context map[string]any `json:"@context"`
		Graph   []node         `json:"@graph"`
	}{nodePrefix + "report", Generator, earlContext, graph})
}

// assertion returns the result of a cell.
func assertion(row Row, cell Cell) node {
	one := cell.Candidate
	outcome := outcomes[cell.Verdict]
	info := cell.Reason
	if row.Kind == report.KindOpen {
		outcome = "earl:inapplicable"
		info = strings.Join([]string{"an open question; the reading seen: " + cell.Word, info}, "; ")
	}
	result := node{"@type": "earl:TestResult", "outcome": outcome, "date": one.Results.Started.UTC().Format(time.RFC3339)}
	if info = strings.TrimSuffix(info, "; "); info != "" {
		result["info"] = info
	}
	return node{
		"@type": "earl:Assertion", "assertedBy": suiteID(one.Results), "subject": subjectID(one), "test": testID(row.ID), "mode": "earl:automatic",
		"result": result,
	}
}

func suiteID(results report.Results) string {
	return nodePrefix + "suite:" + escapedPath(results.Suite.Version+"+"+results.Suite.Commit)
}

func subjectID(one *Candidate) string { return nodePrefix + "candidate:" + escapedPath(one.Label) }

func testID(requirement string) string { return nodePrefix + "requirement:" + escapedPath(requirement) }
