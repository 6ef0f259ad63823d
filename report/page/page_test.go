package page

// The report of hostile results: what servers say must be text in every form.

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
	"msc4014/report"
)

// nasty are texts that a server could choose.
var nasty = []string{
	`</script><script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, `'; alert(1); //`, `</template><script>alert(2)</script>`, `<!--`, `]]>`, `{{.Policy}}`,
	"javascript:alert(1)", "| a | b |\n| --- | --- |", "```\n# heading\n[x](javascript:alert(1))", "`@everyone` <b>bold</b>", "\x1b[31mred\x1b[0m", "\u202eright to left", "\u2028line",
	"\xff\xfe", `\`, "-->", `</style>`, "![x](https://evil.example/x.png)", "https://evil.example/",
}

// hostile returns a results folder in which every foreign text is text.
func hostile(t *testing.T, text string) Source {
	t.Helper()
	folder := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(folder, "checks"), 0o755))
	event := fmt.Sprintf(`{"type":"m.room.message","content":{"body":%s},"sender":"@mallory:evil.example"}`, quotedJSON(t, text))
	var har bytes.Buffer
	require.NoError(t, transcript.WriteHAR(&har, transcript.Creator{Name: text}, transcript.About{Check: text, Result: text}, []transcript.Exchange{
		{
			Direction: transcript.PeerRequest, Actor: text, Server: text, Started: time.Unix(1, 0), Method: "PUT", URL: "https://" + text + "/" + text,
			RequestBody: []byte(event), Status: 200, ResponseBody: []byte(text), Notes: []string{transcript.NoteControl},
		},
		{Direction: transcript.PeerRequest, Actor: text, Started: time.Unix(2, 0), Method: "PUT", URL: text, RequestBody: []byte(event), Error: text},
		{
			Direction: transcript.ClientRequest, Actor: text, Started: time.Unix(3, 0), Method: "GET", URL: "/sync", Status: 200,
			ResponseBody: []byte(event), Notes: []string{transcript.NoteFailed},
		},
	}, 0))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "checks", "a.har"), har.Bytes(), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(folder, "checks", "a.log"), []byte(text+"\n"+text+" @mallory:evil.example\n"), 0o644))
	failed := verdict.CheckResult{
		Name: "a check " + text, Requirements: []string{"mapping/a"}, Path: text, Verdict: verdict.Fail, Reason: "@mallory:evil.example said " + text,
		BlockedBy: text, Log: "checks/a.log", Transcript: "checks/a.har", Details: []string{text},
		First: &verdict.CheckResult{Verdict: verdict.Error, Reason: text}, StartMS: 1, EndMS: 5, DurationMS: 4,
	}
	results := report.Results{
		Schema: report.Schema, MSC: report.MSC{Number: 4014, Commit: text, Catalogue: 2}, Suite: report.Suite{Version: text, Commit: text},
		Candidate: verdict.Candidate{
			Name: text, Version: text, Image: text, Digest: text, Runtime: "docker",
			Servers: []verdict.Server{{Host: text, Name: text, Format: text, Digest: text}},
		},
		Environment: &verdict.Environment{OS: text, Arch: text, Go: text, Seed: 1, Variables: map[string]string{text: text}},
		Selection:   &report.Selection{Run: text, Shard: "1/2"}, Incomplete: text, Notes: []string{text}, Checks: []verdict.CheckResult{failed},
		Requirements: []report.Requirement{
			{
				ID: "mapping/a", Chapter: "mapping", Kind: "must", Demand: text, Source: text, Verdict: verdict.Fail, Checks: []string{failed.Name}, Reason: text,
				Links: []report.Link{{Text: text, URL: text}, {Text: "here", URL: "javascript:alert(1)"}}, Faults: []report.Fault{{ID: text, Does: text}}, Consequence: text,
			},
			{
				ID: "mapping/b", Chapter: "mapping", Kind: "open", Demand: text, Source: "MSC4014, Proposal 4", Verdict: verdict.Pass, Checks: []string{failed.Name},
				Readings: []string{text}, Possible: []report.Reading{{Reading: text, Means: text}},
			},
		},
		Observations: []verdict.Observation{{ID: "mapping/b", Reading: text, Detail: text, Check: failed.Name}},
		Findings:     []verdict.Finding{{Requirement: "mapping/a", Check: failed.Name, Detail: text, Transcript: "../../../etc/passwd"}},
		Baseline:     &report.Comparison{Expected: []report.Expected{{What: report.WhatCheck, Name: failed.Name, Verdict: verdict.Fail, Reason: text}}},
		Exit:         &report.Exit{},
	}
	return Source{Results: results, Folder: folder}
}

func quotedJSON(t *testing.T, text string) string {
	t.Helper()
	data, err := json.Marshal(text)
	require.NoError(t, err)
	return string(data)
}

// TestHTMLIsText: no element, attribute or address of the page comes from a server.
func TestHTMLIsText(t *testing.T) {
	var plain bytes.Buffer
	require.NoError(t, New([]Source{hostile(t, "harmless")}).WriteHTML(&plain))
	want := elements(t, plain.String()+evidenceOf(t, plain.String()))
	assert.Equal(t, 1, want["script"])
	policyOf(t, plain.String())
	for _, text := range nasty {
		var page bytes.Buffer
		require.NoError(t, New([]Source{hostile(t, text)}).WriteHTML(&page))
		evidence := evidenceOf(t, page.String())
		got := elements(t, page.String()+evidence)
		for _, dangerous := range []string{"script", "style", "img", "template", "b", "iframe", "meta", "base", "svg", "form"} {
			assert.Equal(t, want[dangerous], got[dangerous], "%q: <%s>", text, dangerous)
		}
		assert.False(t, strings.ContainsAny(page.String()+evidence, "\x1b\u202e\u2028"), text)
		assert.True(t, strings.Contains(evidence, "What was seen"), "the evidence is shown: %q", text)
	}
}

// evidenceOf unpacks the evidence of a page as its script does.
func evidenceOf(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`<template id="evidence">([A-Za-z0-9_-]+)</template>`).FindStringSubmatch(page)
	require.NotNil(t, found)
	packed, err := base64.RawURLEncoding.DecodeString(found[1])
	require.NoError(t, err)
	text, err := io.ReadAll(flate.NewReader(bytes.NewReader(packed)))
	require.NoError(t, err)
	var shown map[string]string
	require.NoError(t, json.Unmarshal(text, &shown))
	var all strings.Builder
	for _, id := range slices.Sorted(maps.Keys(shown)) {
		all.WriteString(shown[id])
	}
	return all.String()
}

// TestThePageHasRoomForItsEvidence: an excerpt has at most eight KiB, and less only where the page would weigh too much.
func TestThePageHasRoomForItsEvidence(t *testing.T) {
	long := hex.EncodeToString(bytes.Repeat([]byte("0123456789abcdef"), 1<<9)) // 16 KiB
	source := hostile(t, long)
	var page bytes.Buffer
	require.NoError(t, New([]Source{source}).WriteHTML(&page))
	evidence := evidenceOf(t, page.String())
	pre := regexp.MustCompile(`(?s)<pre[^>]*>(.*?)</pre>`)
	longest := 0
	for _, each := range pre.FindAllStringSubmatch(evidence, -1) {
		longest = max(longest, len(each[1]))
	}
	assert.InDelta(t, longestExcerpt, longest, longestExcerpt/5)

	report := New([]Source{source})
	whole, err := report.evidence.pack(longestPage)
	require.NoError(t, err)
	less, err := report.evidence.pack(len(whole) - 1)
	require.NoError(t, err)
	assert.Less(t, len(less), len(whole))
	least, err := report.evidence.pack(1)
	require.NoError(t, err)
	assert.Less(t, len(least), len(less))
	assert.NotEmpty(t, least, "some of each is always there")
}

// elements counts the elements of a page, and fails for handlers and for addresses that lead out of it, other than to https.
func elements(t *testing.T, page string) map[string]int {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	require.NoError(t, err)
	count := map[string]int{}
	for node := range root.Descendants() {
		if node.Type != html.ElementNode {
			continue
		}
		count[node.Data]++
		for _, attribute := range node.Attr {
			assert.False(t, strings.HasPrefix(attribute.Key, "on") || attribute.Key == "style", "<%s %s>", node.Data, attribute.Key)
			if attribute.Key != "href" && attribute.Key != "src" {
				continue
			}
			address := attribute.Val
			assert.Equal(t, "a", node.Data)
			local := strings.HasPrefix(address, "#") || strings.HasPrefix(address, "checks/") || address == "results.json" || address == "junit.xml" || address == ""
			assert.True(t, local || strings.HasPrefix(address, "https://github.com/matrix-org/") || address == "https://evil.example/", address)
		}
	}
	return count
}

// policyOf checks the content security policy of a page.
func policyOf(t *testing.T, page string) {
	t.Helper()
	found := regexp.MustCompile(`http-equiv="Content-Security-Policy" content="([^"]+)"`).FindStringSubmatch(page)
	require.NotNil(t, found)
	assert.Contains(t, html.UnescapeString(found[1]), "default-src 'none'; style-src 'sha256-")
	assert.NotContains(t, found[1], "unsafe")
}

// TestPolicyFitsThePage: the digests are those of the script and the style sheet as they stand in the page.
func TestPolicyFitsThePage(t *testing.T) {
	var page bytes.Buffer
	require.NoError(t, New([]Source{hostile(t, "harmless")}).WriteHTML(&page))
	assert.True(t, strings.Contains(page.String(), "<style>"+pageStyle+"</style>"))
	assert.True(t, strings.Contains(page.String(), "<script>"+pageScript+"</script>"))
}

// TestMarkdownIsText: foreign text stands in code spans on one line, so the lines and the cells are those of harmless text.
func TestMarkdownIsText(t *testing.T) {
	shape := func(text string) (lines int, cells []int) {
		var out bytes.Buffer
		require.NoError(t, New([]Source{hostile(t, text)}).WriteMarkdown(&out))
		for line := range strings.SplitSeq(out.String(), "\n") {
			lines++
			if strings.HasPrefix(line, "|") {
				cells = append(cells, len(regexp.MustCompile(`(^|[^\\])\|`).FindAllString(line, -1)))
			}
			bare := withoutSpans(line)
			assert.NotRegexp(t, `<(b|img|script|!--[^>]*<)`, strings.ReplaceAll(bare, "<!-- "+Generator+" -->", ""), text)
			assert.NotRegexp(t, `@[a-z]|\]\(javascript|evil\.example\)|!\[`, bare, text)
		}
		return lines, cells
	}
	lines, cells := shape("harmless")
	for _, text := range nasty {
		gotLines, gotCells := shape(text)
		assert.Equal(t, lines, gotLines, text)
		assert.Equal(t, cells, gotCells, text)
	}
}

// withoutSpans removes the code spans of a line as CommonMark finds them.
func withoutSpans(line string) string {
	for {
		open := regexp.MustCompile("`+").FindStringIndex(line)
		if open == nil {
			return line
		}
		fence := line[open[0]:open[1]]
		rest := line[open[1]:]
		end := -1
		for _, at := range regexp.MustCompile("`+").FindAllStringIndex(rest, -1) {
			if at[1]-at[0] == len(fence) {
				end = at[1]
				break
			}
		}
		if end < 0 {
			return line[:open[0]] + rest
		}
		line = line[:open[0]] + rest[end:]
	}
}

// TestEARL: it is JSON, its identifiers are ours, and it names every requirement.
func TestEARL(t *testing.T) {
	for _, text := range append(nasty, "harmless") {
		var out bytes.Buffer
		require.NoError(t, New([]Source{hostile(t, text)}).WriteEARL(&out))
		var document struct {
			Context map[string]any `json:"@context"`
			Graph   []struct {
				ID     string `json:"@id"`
				Type   any    `json:"@type"`
				Title  string `json:"title"`
				Test   string `json:"test"`
				Result struct {
					Outcome string `json:"outcome"`
				} `json:"result"`
				Source []string `json:"source"`
			} `json:"@graph"`
		}
		require.NoError(t, json.Unmarshal(out.Bytes(), &document), text)
		assert.Equal(t, "http://www.w3.org/ns/earl#", document.Context["earl"])
		outcomes := map[string]string{}
		for _, each := range document.Graph {
			if each.Type == "earl:Assertion" {
				outcomes[each.Test] = each.Result.Outcome
				continue
			}
			assert.Regexp(t, `^urn:msc4014:[A-Za-z0-9%._~$&+=@:/-]*$`, each.ID)
			for _, source := range each.Source {
				assert.Regexp(t, `^https://`, source)
			}
		}
		assert.Equal(t, map[string]string{"urn:msc4014:requirement:mapping/a": "earl:failed", "urn:msc4014:requirement:mapping/b": "earl:inapplicable"}, outcomes)
		assert.NotContains(t, out.String(), "</script>")
	}
}

func TestAPartSaysSo(t *testing.T) {
	results := report.Results{Selection: &report.Selection{Run: "mapping/", Shard: "1/2"}, Checks: []verdict.CheckResult{
		{Verdict: verdict.Pass}, {Verdict: verdict.NotRun, Reason: report.ReasonLeftOutByRun},
	}}
	assert.Equal(t, "--run mapping/ --shard 1/2; 1 of 2 checks were left out", part(results))
	assert.Empty(t, part(report.Results{}))
}

func TestCommandIsQuoted(t *testing.T) {
	results := report.Results{Candidate: verdict.Candidate{Name: "reference --fault one", Runtime: "docker"}, Environment: &verdict.Environment{Seed: 7}}
	assert.Equal(t, `./run.sh reference --fault one --run '^it'\''s \$\(x\)$' --runtime docker --seed 7`, Command(results, `^it's \$\(x\)$`))
	results = report.Results{Candidate: verdict.Candidate{Name: "a,b"}, Selection: &report.Selection{Pair: true}}
	assert.Equal(t, `./run.sh --pair a,b --run mapping/a`, Command(results, "mapping/a"))
}
