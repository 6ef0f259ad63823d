package report

// JUnit XML: one testsuite per chapter, one testcase per check. Findings of the monitors, observations that differ, and a
// run that judged nothing have their own testsuites, so that a consumer of this file alone does not miss them.

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"

	"msc4014/helpers/verdict"
)

type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Errors   int          `xml:"errors,attr"`
	Skipped  int          `xml:"skipped,attr"`
	Time     string       `xml:"time,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name      string      `xml:"name,attr"`
	Tests     int         `xml:"tests,attr"`
	Failures  int         `xml:"failures,attr"`
	Errors    int         `xml:"errors,attr"`
	Skipped   int         `xml:"skipped,attr"`
	Time      string      `xml:"time,attr"`
	Timestamp string      `xml:"timestamp,attr"`
	Cases     []junitCase `xml:"testcase"`
	millis    int64
}

type junitCase struct {
	ClassName string       `xml:"classname,attr"`
	Name      string       `xml:"name,attr"`
	Time      string       `xml:"time,attr"`
	Failure   *junitDetail `xml:"failure,omitempty"`
	Error     *junitDetail `xml:"error,omitempty"`
	Skipped   *junitDetail `xml:"skipped,omitempty"`
	Output    string       `xml:"system-out,omitempty"`
}

type junitDetail struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr,omitempty"`
	Text    string `xml:",chardata"`
}

// WriteJUnit writes results as JUnit XML. It has a failure or an error if and only if the exit status (ExitOf) is not 0. A
// difference from the baseline is a failure, and an error is an error; an entry that is not a pass but expected or new is
// skipped, with the baseline's reason. Checks that were left out do not appear.
func WriteJUnit(w io.Writer, results Results) error {
	document := junitSuites{Name: "msc4014 " + results.Candidate.Name, Time: seconds(results.DurationMS)}
	suites := map[string]int{}
	add := func(name string, one junitCase, millis int64) {
		at, ok := suites[name]
		if !ok {
			at = len(document.Suites)
			suites[name] = at
			document.Suites = append(document.Suites, junitSuite{Name: name, Timestamp: results.Started.Format(time.RFC3339)})
		}
		suite := &document.Suites[at]
		one.ClassName = "msc4014." + name
		one.Time = seconds(millis)
		suite.Cases = append(suite.Cases, one)
		suite.millis += millis
	}
	for _, reason := range Unjudged(results) {
		add("run", junitCase{Name: "the run judges the candidate", Error: &junitDetail{Message: reason, Type: "not-judged"}}, 0)
	}
	for _, one := range entriesOf(results) {
		add(one.suite, one.junit(), one.millis)
	}
	for i := range document.Suites {
		suite := &document.Suites[i]
		for _, one := range suite.Cases {
			suite.Tests++
			switch {
			case one.Failure != nil:
				suite.Failures++
			case one.Error != nil:
				suite.Errors++
			case one.Skipped != nil:
				suite.Skipped++
			}
		}
		suite.Time = seconds(suite.millis)
		document.Tests += suite.Tests
		document.Failures += suite.Failures
		document.Errors += suite.Errors
		document.Skipped += suite.Skipped
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(document); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// junit returns the testcase of one entry. Its message and type say how the entry compares with the baseline.
func (e entry) junit() junitCase {
	one := junitCase{Name: e.name}
	detail := &junitDetail{Message: e.message, Type: e.kind, Text: e.text}
	switch {
	case e.kind == kindError:
		one.Error = detail
	case e.differs || e.strict:
		one.Failure = detail
	case e.verdict != verdict.Pass:
		one.Skipped = detail
	case e.kind != kindPass: // a pass that is new
		one.Output = strings.TrimSuffix(e.message+"\n"+e.text, "\n")
	default:
		one.Output = e.text
	}
	return one
}

// CheckTitle returns the name of a check for people, with its path if the name does not contain it.
func CheckTitle(name, path string) string {
	if path == "" || strings.Contains(name, path) {
		return name
	}
	return name + " [" + path + "]"
}

// seconds formats milliseconds as JUnit does.
func seconds(millis int64) string { return fmt.Sprintf("%.3f", float64(millis)/1000) }

// chapterOf returns the chapter under which a check is shown: that of its first requirement.
func chapterOf(requirements []string) string {
	if len(requirements) == 0 {
		return "other"
	}
	chapter, _, _ := strings.Cut(requirements[0], "/")
	return chapter
}

// findingsOf returns the findings of one requirement.
func findingsOf(results Results, requirement string) []verdict.Finding {
	var findings []verdict.Finding
	for _, finding := range results.Findings {
		if finding.Requirement == requirement {
			findings = append(findings, finding)
		}
	}
	return findings
}

// whyNot returns the reason of a check that did not pass, with the requirement that blocked it.
func whyNot(check verdict.CheckResult) string {
	if check.BlockedBy == "" {
		return check.Reason
	}
	return withReason("by "+check.BlockedBy, check.Reason)
}

// withReason joins a word and a reason, which may be empty.
func withReason(word, reason string) string {
	if reason == "" {
		return word
	}
	return word + ": " + reason
}
