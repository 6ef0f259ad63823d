package transcript_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/transcript"
)

var creator = transcript.Creator{Name: "msc4014", Version: "test"}

// leaky returns a client's exchange with secrets wherever one is possible.
func leaky() transcript.Exchange {
	return transcript.Exchange{
		Direction: transcript.ClientRequest, Actor: "@a:hs1", Server: "hs1", Started: time.Now(), Duration: 1500 * time.Microsecond,
		Method: "POST", URL: "http://127.0.0.1:1/_matrix/client/v3/login?access_token=syt_querytoken&x=1",
		RequestHeader:  http.Header{"Authorization": {"Bearer syt_headertoken"}, "Content-Type": {"application/json"}, "Cookie": {"c=cookiesecret"}},
		RequestBody:    []byte(`{"password":"swordfish","auth":{"password":"swordfish2"},"note":"syt_headertoken"}`),
		Status:         200,
		ResponseHeader: http.Header{"Content-Type": {"application/json"}, "Set-Cookie": {"c=cookiesecret"}},
		ResponseBody:   []byte(`{"access_token":"syt_bodytoken","refresh_token":"syr_refresh","again":"syt_bodytoken","user_id":"@a:hs1"}`),
		Error:          "after syt_querytoken",
	}
}

var secrets = []string{"syt_", "syr_", "swordfish", "cookiesecret", "Bearer", "Authorization\":"}

func TestHARHasNoSecretsOfClients(t *testing.T) {
	e := leaky()
	var written bytes.Buffer
	require.NoError(t, transcript.WriteHAR(&written, creator, transcript.About{}, []transcript.Exchange{e}, 0))
	for _, secret := range secrets {
		assert.NotContains(t, written.String(), secret)
	}
	assert.Contains(t, written.String(), "@a:hs1")
	assert.Contains(t, written.String(), "x=1")
	assert.Equal(t, "Bearer syt_headertoken", e.RequestHeader.Get("Authorization"), "the caller's exchange is left alone")
	assert.Contains(t, string(e.ResponseBody), "syt_bodytoken")
}

func TestRecorderKeepsNoSecretsOfClients(t *testing.T) {
	var recorder transcript.Recorder
	recorder.Record(leaky())
	kept := recorder.Exchanges()[0]
	text := fmt.Sprintf("%+v %s %s", kept, kept.RequestBody, kept.ResponseBody)
	for _, secret := range secrets {
		assert.NotContains(t, text, secret)
	}
}

func TestOtherMembersAreUnchanged(t *testing.T) {
	e := transcript.Exchange{Direction: transcript.ClientRequest, ResponseBody: []byte(`{ "a" : 1.0,"a":2, "text":"my password is" }`)}
	assert.Equal(t, string(e.ResponseBody), string(transcript.WithoutSecrets(e).ResponseBody))
}

func TestHARHasTheRequiredFields(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	exchanges := []transcript.Exchange{
		{
			Direction: transcript.ServerRequest, Actor: "peer.example", Server: "hs1", Started: start.Add(time.Second), Method: "PUT",
			URL: "/_matrix/federation/v1/send/1?b=2&a=1", RequestHeader: http.Header{"Authorization": {"X-Matrix origin=hs1"}},
			RequestBody: []byte("\xff\xfe"), Status: 200, ResponseBody: []byte("\xff"), Unexpected: true, Notes: []string{"noted"},
		},
		{
			Direction: transcript.ClientRequest, Actor: "@a:hs1", Started: start, Duration: 2500 * time.Microsecond, Method: "GET",
			URL: "http://127.0.0.1:1/x", Error: "no answer within 10s",
		},
	}
	var written bytes.Buffer
	require.NoError(t, transcript.WriteHAR(&written, creator, transcript.About{}, exchanges, 0))
	require.True(t, json.Valid(written.Bytes()))
	har := gjson.ParseBytes(written.Bytes()).Get("log")
	assert.Equal(t, "1.2", har.Get("version").String())
	assert.Equal(t, "msc4014", har.Get("creator.name").String())
	for i := range 2 {
		entry := har.Get("entries").Array()[i]
		for _, path := range []string{
			"startedDateTime", "time", "cache", "timings.send", "timings.wait", "timings.receive",
			"request.method", "request.url", "request.httpVersion", "request.cookies", "request.headers", "request.queryString", "request.headersSize", "request.bodySize",
			"response.status", "response.statusText", "response.httpVersion", "response.cookies", "response.headers", "response.content.size",
			"response.content.mimeType", "response.redirectURL", "response.headersSize", "response.bodySize",
		} {
			value := entry.Get(path)
			assert.True(t, value.Exists() && value.Type != gjson.Null, "entry %d: %s", i, path)
		}
		_, err := time.Parse(time.RFC3339Nano, entry.Get("startedDateTime").String())
		assert.NoError(t, err)
		sum := entry.Get("timings.send").Float() + entry.Get("timings.wait").Float() + entry.Get("timings.receive").Float()
		assert.Equal(t, entry.Get("time").Float(), sum)
	}
	first, second := har.Get("entries.0"), har.Get("entries.1")
	assert.Equal(t, "2026-01-02T03:04:05.678Z", first.Get("startedDateTime").String())
	assert.Equal(t, 2.5, first.Get("time").Float())
	assert.Equal(t, "client @a:hs1 asks the candidate; no answer within 10s", first.Get("comment").String())
	assert.Equal(t, int64(0), first.Get("response.status").Int())
	assert.Equal(t, "no answer within 10s", first.Get("response._error").String(), "where browsers write it")
	assert.Equal(t, "fetch", first.Get("_resourceType").String())
	assert.False(t, first.Get("request.postData").Exists())

	assert.Equal(t, "https://peer.example/_matrix/federation/v1/send/1?b=2&a=1", second.Get("request.url").String())
	assert.Equal(t, `["a","b"]`, second.Get("request.queryString.#.name").Raw)
	assert.Equal(t, "X-Matrix origin=hs1", second.Get("request.headers.0.value").String(), "a server's signature is not a secret")
	assert.Equal(t, "//4=", second.Get("request.postData.text").String())
	assert.Equal(t, "base64", second.Get("response.content.encoding").String())
	assert.Equal(t, "hs1 asks peer peer.example; a request that the peer was not prepared for; noted", second.Get("comment").String())
	assert.True(t, second.Get("_unexpected").Bool())
}

func TestEmptyHARIsValid(t *testing.T) {
	var written bytes.Buffer
	require.NoError(t, transcript.WriteHAR(&written, creator, transcript.About{}, nil, 0))
	assert.Equal(t, "[]", gjson.GetBytes(written.Bytes(), "log.entries").Raw)
}

func TestRecorderKeepsItsBounds(t *testing.T) {
	recorder := transcript.Recorder{MaxBody: 100, MaxTotal: 4 << 10}
	recorder.Record(transcript.Exchange{URL: "/0", ResponseBody: []byte(strings.Repeat("x", 1000))})
	kept := recorder.Exchanges()[0]
	assert.Len(t, kept.ResponseBody, 100)
	assert.Less(t, cap(kept.ResponseBody), 200, "the long body can be freed")
	assert.Equal(t, []string{"response body cut: 100 of 1000 bytes kept"}, kept.Notes)

	for i := 1; i <= 3; i++ {
		recorder.Record(transcript.Exchange{URL: fmt.Sprintf("/%d", i), RequestBody: []byte("0123456789")})
	}
	all := recorder.Exchanges()
	require.Len(t, all, 4)
	assert.Contains(t, all[0].Notes, "bodies not kept, 100 bytes: the transcript was full")
	assert.Empty(t, all[3].RequestBody, "a bound this small leaves no room for bodies of four")

	recorder.Record(transcript.Exchange{URL: "/4"})
	all = recorder.Exchanges()
	require.Len(t, all, 4)
	assert.Equal(t, "/1", all[0].URL)
	assert.Equal(t, 1, recorder.Dropped())
	var written bytes.Buffer
	require.NoError(t, transcript.WriteHAR(&written, creator, transcript.About{}, all, recorder.Dropped()))
	assert.Contains(t, gjson.GetBytes(written.Bytes(), "log.comment").String(), "1 earlier exchanges were not kept")
}

func TestRecorderIsSafeForConcurrentUse(t *testing.T) {
	recorder := transcript.Recorder{MaxTotal: 64 << 10}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				recorder.Record(transcript.Exchange{RequestBody: make([]byte, 500)})
				_ = recorder.Exchanges()
			}
		})
	}
	group.Wait()
	assert.Equal(t, 400, len(recorder.Exchanges())+recorder.Dropped())
}

// TestReadHAR: what was written is read again, without headers.
func TestReadHAR(t *testing.T) {
	var recorder transcript.Recorder
	started := time.Date(2026, 3, 4, 5, 6, 7, 8e6, time.UTC)
	recorder.Record(transcript.Exchange{
		Direction: transcript.PeerRequest, Actor: "peer1.example", Server: "hs1.example", Started: started, Duration: 3 * time.Millisecond,
		Method: "PUT", URL: "https://hs1.example/_matrix/federation/v1/send/1", RequestBody: []byte("{\"a\":\"<b>\"}"), Status: 200, ResponseBody: []byte{0xff, 0},
	})
	recorder.Mark(transcript.NoteControl)
	recorder.Mark(transcript.NoteControl)
	var file bytes.Buffer
	of := transcript.About{Check: "a check", Result: "fail: it differs"}
	require.NoError(t, transcript.WriteHAR(&file, creator, of, recorder.Exchanges(), 0))
	about, read, err := transcript.ReadHAR(&file)
	require.NoError(t, err)
	want := recorder.Exchanges()
	assert.Equal(t, []string{transcript.NoteControl}, want[0].Notes)
	assert.Equal(t, want, read)
	assert.Equal(t, of, about)
}

func TestReadHARRefuses(t *testing.T) {
	for _, text := range []string{"", "{}", `{"log":{"entries":[`, `{"log":{"entries":[{"startedDateTime":"yesterday"}]}}`, "[]"} {
		_, _, err := transcript.ReadHAR(strings.NewReader(text))
		assert.ErrorContains(t, err, "read the transcript", text)
	}
}

// exchange is one at a second of the check.
func exchangeAt(second int, direction transcript.Direction, method, path string, notes ...string) transcript.Exchange {
	return transcript.Exchange{
		Direction: direction, Actor: "a", Server: "hs1", Method: method, URL: path, Status: 200, Notes: notes,
		Started: time.Date(2026, 1, 2, 3, 4, second, 0, time.UTC),
	}
}

func TestHARNamesTheCheckAndMarksItsSteps(t *testing.T) {
	check := []transcript.Exchange{
		exchangeAt(0, transcript.ClientRequest, "POST", "/register"),
		exchangeAt(1, transcript.PeerRequest, "PUT", "/send/1"),
		exchangeAt(2, transcript.ClientRequest, "GET", "/sync", transcript.NoteControl),
		exchangeAt(3, transcript.PeerRequest, "PUT", "/send/2"),
		exchangeAt(4, transcript.ClientRequest, "GET", "/sync?look", transcript.NoteFailed),
		exchangeAt(5, transcript.ClientRequest, "GET", "/sync?later"),
	}
	write := func(exchanges []transcript.Exchange) gjson.Result {
		var written bytes.Buffer
		about := transcript.About{Check: "a lie, by send", Result: "fail: clients see it"}
		require.NoError(t, transcript.WriteHAR(&written, creator, about, exchanges, 0))
		return gjson.ParseBytes(written.Bytes()).Get("log")
	}
	har := write(check)
	assert.Equal(t, `["a lie, by send: up to the positive control","a lie, by send: after the positive control"]`, har.Get("pages.#.title").Raw)
	assert.Equal(t, `["1","1","1","2","2","2"]`, har.Get("entries.#.pageref").Raw)
	assert.Equal(t, "2026-01-02T03:04:03.000Z", har.Get("pages.1.startedDateTime").String())
	assert.Equal(t, "fail: clients see it", har.Get("comment").String())
	assert.Equal(t, `["control","look at the control","under test","look"]`, har.Get("entries.#._role").Raw)
	assert.Equal(t, "UNDER TEST: peer a asks hs1", har.Get("entries.3.comment").String())
	assert.False(t, har.Get("entries.0._role").Exists())

	har = write(check[:3])
	assert.Equal(t, `["a lie, by send: up to the positive control"]`, har.Get("pages.#.title").Raw, "it ended with the control")
	har = write(check[3:])
	assert.Equal(t, `["a lie, by send"]`, har.Get("pages.#.title").Raw, "it has no control")
	assert.Equal(t, `["look"]`, har.Get("entries.#._role").Raw, "what it delivered may have been the control")
	check[0].Notes = []string{transcript.NoteUnderTest}
	har = write(append(check[:1:1], check[3:]...))
	assert.Equal(t, `["under test","look"]`, har.Get("entries.#._role").Raw)

	_, read, err := transcript.ReadHAR(strings.NewReader(`{"log":` + write(check).Raw + `}`))
	require.NoError(t, err)
	assert.Len(t, read, 6)
}

func TestRolesWithoutNotes(t *testing.T) {
	all := []transcript.Exchange{
		exchangeAt(0, transcript.ServerRequest, "PUT", "/_matrix/federation/v2/send_join/1"),
		exchangeAt(1, transcript.ClientRequest, "POST", "/createRoom", transcript.NoteControl, transcript.NoteFailed),
	}
	assert.Empty(t, transcript.Roles(nil, -1))
	assert.Equal(t, map[int]transcript.Role{1: transcript.Seen}, transcript.Roles(all, 1), "nothing was under test yet")
	assert.Equal(t, map[int]transcript.Role{0: transcript.Control, 1: transcript.ControlSeen}, transcript.Roles([]transcript.Exchange{all[0], exchangeAt(1, transcript.ClientRequest, "GET", "/sync", transcript.NoteControl)}, -1))
}
