package live

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
	"msc4014/report"
)

func unended(name string) report.Results {
	return report.Results{Schema: report.Schema, Candidate: verdict.Candidate{Name: name}, Incomplete: report.ReasonNotEnded + " (process 7)"}
}

// begun is a run that has just begun, with its record.
func begun(t *testing.T, path string) (*report.Folder, *Recorder) {
	t.Helper()
	folder, err := report.OpenFolder(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = folder.Close() })
	require.NoError(t, folder.Keep(unended("reference")))
	recorder, err := Record(folder.Staging(), func(check verdict.CheckResult, _ bool) bool { return check.Verdict == verdict.Pass })
	require.NoError(t, err)
	t.Cleanup(func() { _ = recorder.Close() })
	return folder, recorder
}

func event(kind verdict.EventKind, check string, v verdict.Verdict, reason string) verdict.Event {
	made := verdict.Event{Kind: kind, Check: check}
	if v != "" {
		made.Result = &verdict.CheckResult{Name: check, Verdict: v, Reason: reason, Details: []string{"not on the page"}}
	}
	return made
}

func looked(t *testing.T, f *follower) state {
	t.Helper()
	require.NoError(t, f.update())
	return f.state()
}

func TestFollowsARun(t *testing.T) {
	path := t.TempDir()
	folder, recorder := begun(t, path)
	f := newFollower(path)
	assert.Equal(t, waiting, looked(t, f).Phase)
	recorder.Doing("building dendrite\x1b[2J")
	got := looked(t, f)
	assert.Equal(t, preparing, got.Phase)
	assert.Equal(t, "building dendrite\ufffd[2J", got.Activity)

	again := event(verdict.KindCheckDone, "c", verdict.Blocked, "connection reset")
	again.Again = true
	for _, one := range []verdict.Event{
		{Kind: verdict.KindPlan, Total: 4}, event(verdict.KindCheckStart, "a", "", ""), event(verdict.KindCheckStart, "b", "", ""),
		event(verdict.KindCheckDone, "a", verdict.Pass, ""), again, event(verdict.KindCheckDone, "d", verdict.Fail, strings.Repeat("x", 2000)),
		{Kind: verdict.KindServerDied, Check: "c", Message: "hs1 exited"}, {Kind: verdict.KindNote, Message: "not on the page"},
	} {
		recorder.Handle(one)
	}
	got = looked(t, f)
	assert.Equal(t, running, got.Phase)
	assert.Equal(t, []int{4, 3, 1}, []int{got.Total, got.Done, got.Unexpected})
	require.Len(t, got.Running, 1)
	assert.Equal(t, "b", got.Running[0].Check)
	assert.Equal(t, []string{"hs1 exited (by c)"}, got.Deaths)
	var names []string
	for _, one := range got.Results {
		names = append(names, one.Check)
	}
	assert.Equal(t, []string{"d", "c", "a"}, names, "the unexpected first, then the newest")
	assert.Less(t, len(got.Results[0].Reason), 700)
	assert.True(t, got.Results[1].Again && !got.Results[1].Unexpected)

	recorder.Handle(event(verdict.KindCheckFinal, "c", verdict.Fail, "the server died"))
	got = looked(t, f)
	assert.Equal(t, "c", got.Results[0].Check)
	assert.True(t, got.Results[0].Final && got.Results[0].Unexpected && !got.Results[0].Again)

	finished := unended("reference")
	finished.Incomplete = ""
	require.NoError(t, folder.Keep(finished))
	recorder.Ended()
	assert.Equal(t, ended, looked(t, f).Phase, "the run has ended, though others of the same command go on")
	require.NoError(t, folder.Close())
	assert.Equal(t, ended, looked(t, f).Phase)

	_, another := begun(t, path)
	another.Doing("building")
	assert.Equal(t, preparing, looked(t, f).Phase, "the next run in the same folder")
}

func TestTellsThatARunWasKilled(t *testing.T) {
	path := t.TempDir()
	folder, recorder := begun(t, path)
	recorder.Handle(verdict.Event{Kind: verdict.KindPlan, Total: 4})
	f := newFollower(path)
	assert.Equal(t, running, looked(t, f).Phase)
	require.NoError(t, folder.Close())
	assert.Equal(t, brokeOff, looked(t, f).Phase)
}

// served serves folders until the test ends, and returns the address.
func served(t *testing.T, folders ...string) string {
	t.Helper()
	server, err := New(t.Context(), 0, folders)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- server.Serve(ctx) }()
	t.Cleanup(func() {
		cancel()
		assert.NoError(t, <-done)
	})
	return strings.TrimSuffix(server.URL(), "/")
}

func get(t *testing.T, address, host string) (*http.Response, string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
	require.NoError(t, err)
	request.Host = host
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	require.NoError(t, err)
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response, string(body)
}

func TestServesStatesAndThenTheReport(t *testing.T) {
	path := t.TempDir()
	folder, recorder := begun(t, path)
	address := served(t, path)
	response, body := get(t, address+"/", "")
	assert.Contains(t, body, "<script>")
	assert.Contains(t, response.Header.Get("Content-Security-Policy"), "default-src 'none'")
	response, _ = get(t, address+"/report.html", "")
	assert.Equal(t, http.StatusNotFound, response.StatusCode, "there are no results yet")

	stream, err := http.Get(address + "/events")
	require.NoError(t, err)
	defer func() { _ = stream.Body.Close() }()
	assert.Equal(t, "text/event-stream", stream.Header.Get("Content-Type"))
	lines := bufio.NewScanner(stream.Body)
	lines.Buffer(nil, 1<<20)
	next := func(wanted string) (data string) {
		for lines.Scan() {
			kind, is := strings.CutPrefix(lines.Text(), "event: ")
			if is && lines.Scan() && kind == wanted {
				return strings.TrimPrefix(lines.Text(), "data: ")
			}
		}
		t.Fatalf("the stream ends without %s: %v", wanted, lines.Err())
		return ""
	}
	var states []state
	require.NoError(t, json.Unmarshal([]byte(next("state")), &states))
	assert.Equal(t, waiting, states[0].Phase)
	recorder.Handle(verdict.Event{Kind: verdict.KindPlan, Total: 1})
	recorder.Handle(event(verdict.KindCheckDone, "</script><script>alert(1)</script>", verdict.Fail, "data: x\n\nevent: over"))
	require.NoError(t, json.Unmarshal([]byte(next("state")), &states))
	if states[0].Done == 0 { // it looked between the two
		require.NoError(t, json.Unmarshal([]byte(next("state")), &states))
	}
	assert.Equal(t, "data: x event: over", states[0].Results[0].Reason)

	finished := unended("reference")
	finished.Incomplete, finished.Started = "", time.Now()
	require.NoError(t, os.MkdirAll(filepath.Join(folder.Staging(), report.ChecksFolder), 0o755))
	for name, text := range map[string]string{"a.log": "<b>log</b>", "a.har": "{}"} {
		require.NoError(t, os.WriteFile(filepath.Join(folder.Staging(), report.ChecksFolder, name), []byte(text), 0o644))
	}
	require.NoError(t, folder.Keep(finished))
	recorder.Ended()
	next("over")

	response, _ = get(t, address+"/", "")
	assert.Equal(t, "/report.html", response.Header.Get("Location"))
	response, body = get(t, address+"/report.html", "")
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Contains(t, body, `href="results/0/results.json"`)
	for name, kind := range map[string]string{"results.json": "text/plain; charset=utf-8", "checks/a.log": "text/plain; charset=utf-8", "checks/a.har": "application/json"} {
		response, _ = get(t, address+"/results/0/"+name, "")
		assert.Equal(t, http.StatusOK, response.StatusCode, name)
		assert.Equal(t, kind, response.Header.Get("Content-Type"), name)
		assert.Equal(t, "nosniff", response.Header.Get("X-Content-Type-Options"), name)
	}
}

func TestServesNothingElse(t *testing.T) {
	path := t.TempDir()
	begun(t, path)
	require.NoError(t, os.Mkdir(filepath.Join(path, report.ChecksFolder), 0o755))
	require.NoError(t, os.Symlink("/etc/passwd", filepath.Join(path, report.ChecksFolder, "a.log")))
	address := served(t, path)
	for _, file := range []string{
		"/results/1/results.json", "/results/-1/results.json", "/results/0/checks/..%2f..%2fetc/passwd", "/results/0/checks/a.log", "/results/0/checks/",
		"/results/0/report.html", "/results/0/.run-1/live.jsonl", "/elsewhere",
	} {
		response, _ := get(t, address+file, "")
		assert.Equal(t, http.StatusNotFound, response.StatusCode, file)
	}
	for host, status := range map[string]int{
		"evil.example": http.StatusForbidden, "evil.example:80": http.StatusForbidden, "10.0.0.1": http.StatusForbidden, "localhost:1": http.StatusOK,
		"127.0.0.2": http.StatusOK, "[::1]:8": http.StatusOK,
	} {
		response, _ := get(t, address+"/", host)
		assert.Equal(t, status, response.StatusCode, host)
	}
}

func TestAPortThatIsTaken(t *testing.T) {
	first, err := New(t.Context(), 0, nil)
	require.NoError(t, err)
	defer func() { _ = first.listener.Close() }()
	_, port, _ := strings.Cut(strings.TrimSuffix(strings.TrimPrefix(first.URL(), "http://"), "/"), ":")
	var number int
	require.NoError(t, json.Unmarshal([]byte(port), &number))
	_, err = New(t.Context(), number, nil)
	assert.ErrorContains(t, err, "another program uses port "+port+"; name another with --port")
}
