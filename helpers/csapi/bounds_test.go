package csapi_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
	"msc4014/helpers/foreign"
)

// TestAnswersOutOfBoundsAreAnswers: they are an *Error, not a *NoAnswerError, and unusable.
func TestAnswersOutOfBoundsAreAnswers(t *testing.T) {
	for name, each := range map[string]struct {
		status int
		body   string
		wrong  string
	}{
		"6 MB of [":            {200, strings.Repeat("[", 6<<20), "answered 200: the body nests deeper than 33024 levels"},
		"an error of 6 MB":     {404, strings.Repeat(`{"":`, 6<<20/4), "answered 404: the body nests deeper than 33024 levels"},
		"spaces without end":   {200, `{"next_batch":"1"}` + strings.Repeat(" ", foreign.MaxBytes), "answered 200: the body is larger than 64 MiB"},
		"20,000 objects":       {200, strings.Repeat(`{"":`, 20000) + "0" + strings.Repeat("}", 20000), `answered 200: the answer has no string at "next_batch"`},
		"20,000 open brackets": {200, strings.Repeat("[", 20000), `answered 200: the answer has no string at "next_batch"`},
	} {
		t.Run(name, func(t *testing.T) {
			server, sink := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, each.status, each.body) })
			server.Timeout = time.Minute
			client := csapi.NewClient(server, "@a:hs1", "D", "tokentoken")
			_, err := client.SyncUntil(deadline(t, time.Minute), "", "", func(*csapi.Response) error { return nil })
			refusal, answered := csapi.Refused(err)
			require.True(t, answered, "%v", err)
			assert.Equal(t, each.status, refusal.Status)
			assert.Equal(t, each.status == 200, csapi.Unusable(err))
			assert.False(t, csapi.NoAnswer(err))
			assert.Contains(t, err.Error(), "GET /_matrix/client/v3/sync "+each.wrong)
			require.Len(t, sink.all(), 1)
			kept := sink.all()[0]
			assert.Equal(t, each.status, kept.Status)
			assert.True(t, strings.HasPrefix(each.body, string(kept.ResponseBody)))
			assert.NotEmpty(t, kept.ResponseBody)
		})
	}
}

func TestErrorsQuoteLittleOfAnAnswer(t *testing.T) {
	long := strings.Repeat("x", 1<<20)
	server, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		answer(w, 400, fmt.Sprintf(`{"errcode":"M_%s","error":"%s"}`, long, long))
	})
	_, err := csapi.NewClient(server, "@a:hs1", "D", "tokentoken").Capabilities(deadline(t, 5*time.Second))
	assert.Less(t, len(err.Error()), 1000)

	event := gjson.Parse(fmt.Sprintf(`{"type":"%s","state_key":"%s","sender":"%s","event_id":"%s"}`, long, long, long, long))
	assert.Less(t, len(csapi.Describe(event)), 2000)
}

func TestPowerLevelsAreAnObject(t *testing.T) {
	for body, object := range map[string]bool{
		`{"users":{"@a:hs1":100}}`: true, `{}`: true, `null`: false, `[]`: false, `{"users":`: false, `"x"`: false, ``: false,
		strings.Repeat(`{"":`, 20000) + "0" + strings.Repeat("}", 20000): false,
	} {
		server, _ := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w, 200, body) })
		levels, err := csapi.NewClient(server, "@a:hs1", "D", "tokentoken").PowerLevels(deadline(t, 5*time.Second), "!r")
		assert.Equal(t, object, err == nil, "%.60q: %v", body, err)
		assert.Equal(t, object, csapi.Object(levels) != nil, "%.60q", body)
		assert.Equal(t, !object, csapi.Unusable(err))
	}
}
