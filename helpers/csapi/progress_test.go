package csapi_test

import (
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/csapi"
)

// syncs answers each /sync by its since, and notes the tokens in order.
type syncs struct {
	answers map[string]string // timeline of a room, by since
	next    map[string]string // next_batch, by since

	mu    sync.Mutex
	asked []string
}

func (s *syncs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	since := r.URL.Query().Get("since")
	s.mu.Lock()
	s.asked = append(s.asked, since)
	timeline := s.answers[since]
	s.mu.Unlock()
	answer(w, http.StatusOK, fmt.Sprintf(`{"next_batch":%q,"rooms":{"join":{"!r:hs1":{"timeline":%s}}}}`, s.next[since], timeline))
}

func TestWaitForEventIDGoesOnFromTheLastWait(t *testing.T) {
	server := &syncs{
		answers: map[string]string{
			"": `{"events":[{"event_id":"$1"}]}`, "a": `{"events":[{"event_id":"$2"}]}`,
			"b": `{"limited":true,"events":[{"event_id":"$4"}]}`,
		},
		next: map[string]string{"": "a", "a": "b", "b": "c"},
	}
	served, _ := serve(t, server.ServeHTTP)
	client := csapi.NewClient(served, "@a:hs1", "D", "token")
	sees := func(eventID string) {
		t.Helper()
		event, err := client.WaitForEventID(deadline(t, 5*time.Second), "!r:hs1", eventID)
		require.NoError(t, err)
		assert.Equal(t, eventID, event.Get("event_id").String())
	}
	sees("$1")
	sees("$2")
	assert.Equal(t, []string{"", "a"}, server.asked)

	sees("$1") // seen before: as it is shown now
	assert.Equal(t, []string{"", "a", ""}, server.asked)
	sees("$2")
	assert.Equal(t, []string{"", "a", "", "a"}, server.asked)

	// After a gap, the initial sync has what the server left out.
	server.answers[""] = `{"limited":true,"events":[{"event_id":"$3"},{"event_id":"$4"}]}`
	sees("$3")
	assert.Equal(t, []string{"", "a", "", "a", "b", ""}, server.asked)
}

func TestWaitForEventIDIsSafeForConcurrentUse(t *testing.T) {
	served, _ := serve(t, (&syncs{
		answers: map[string]string{"": `{"events":[]}`, "a": `{"events":[{"event_id":"$1"},{"event_id":"$2"}]}`},
		next:    map[string]string{"": "a", "a": "a"},
	}).ServeHTTP)
	client := csapi.NewClient(served, "@a:hs1", "D", "token")
	var waits sync.WaitGroup
	for i := range 8 {
		waits.Go(func() {
			_, err := client.WaitForEventID(deadline(t, 5*time.Second), "!r:hs1", fmt.Sprintf("$%d", 1+i%2))
			assert.NoError(t, err)
		})
	}
	waits.Wait()
}
