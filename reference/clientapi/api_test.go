package clientapi

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"
)

func TestPanicIsAnErrorOfTheServer(t *testing.T) {
	var log strings.Builder
	a := &API{Config: Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	w := httptest.NewRecorder()
	a.answer(w, httptest.NewRequest(http.MethodGet, "/x", nil), map[string]route{
		"GET": {open: true, handle: func(*request) (any, error) { panic("oh") }},
	})
	assert.Equal(t, http.StatusInternalServerError, w.Code)
	assert.Equal(t, "M_UNKNOWN", gjson.Get(w.Body.String(), "errcode").String())
	assert.Contains(t, log.String(), "panic=oh")
}

func TestTypesMatchPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, eventType string
		matches            bool
	}{
		{"m.room.message", "m.room.message", true}, {"m.room.message", "m.room.messages", false}, {"*", "", true},
		{"m.*", "m.room", true}, {"m.*", "n.m.room", false}, {"*.name", "m.room.name", true}, {"m.*.na*e", "m.room.name", true},
		{"m.*.x*e", "m.room.name", false}, {"a*a", "a", false},
	} {
		assert.Equal(t, c.matches, typeMatches(c.pattern, c.eventType), "%s and %s", c.pattern, c.eventType)
	}
}

func TestFieldsOfAFilter(t *testing.T) {
	event := json.RawMessage(`{"type":"x","content":{"a.b":{"c":1},"d":2,"e\\f":3}}`)
	f := syncFilter{EventFields: []string{`content.a\.b.c`, `content.e\\f`, "unsigned"}}
	assert.JSONEq(t, `{"content":{"a.b":{"c":1},"e\\f":3}}`, string(f.shape(event)))
}
