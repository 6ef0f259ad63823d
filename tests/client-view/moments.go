package clientview

// Events by the time at which they were sent (client-server API, GET /timestamp_to_event).

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
)

// Whoever jumps to a date is brought to the same event as in an ordinary room (MSC4014, Hard requirements 1).
var _ = check.Register(check.Check{
	Name:     "the event closest to a time is found as in an ordinary room",
	Requires: []string{likeOrdinaryRooms},
	Path:     "client",
	Body: func(c *check.C) {
		works(c, local, nil, []feature{{"GET /timestamp_to_event", company.findsByTime}})
	},
})

// findsByTime asks for messages of two times. It sends messages until there are three times: what was sent before may be of the first.
func (m company) findsByTime() error {
	said := map[int64][]string{} // by when they were, in milliseconds
	var times []int64
	for len(times) < 3 {
		eventID := m.bob.Says(m.roomID, "said at some time")
		if err := m.bob.SeesEvent(m.roomID, eventID); err != nil {
			return err
		}
		answer, err := m.bob.Do(m.C.Context(), http.MethodGet, csapi.V3("rooms", m.roomID, "event", eventID), nil, nil)
		if err != nil {
			return err
		}
		at := answer.Get("origin_server_ts").Int()
		if at == 0 {
			return errors.New("GET /event shows no origin_server_ts")
		}
		said[at] = append(said[at], eventID)
		if len(times) == 0 || at > times[len(times)-1] {
			times = append(times, at)
		}
	}
	earlier, later := times[1], times[2]
	return errors.Join(
		m.isClosest(said[later], later, "f"), m.isClosest(said[later], earlier+1, "f"),
		m.isClosest(said[earlier], earlier, "b"), m.isClosest(said[earlier], later-1, "b"),
		m.isNone(later+1, "f"),
	)
}

// closest asks for the event closest to a time: at or after it ("f"), or at or before it ("b").
func (m company) closest(at int64, direction string) (*csapi.Response, error) {
	query := url.Values{"ts": {strconv.FormatInt(at, 10)}, "dir": {direction}}
	path := "/_matrix/client/v1" + csapi.Path("rooms", m.roomID, "timestamp_to_event")
	return m.alice.Do(m.C.Context(), http.MethodGet, path, query, nil)
}

// isClosest requires that the answer is one of the events, which are of one time.
func (m company) isClosest(eventIDs []string, at int64, direction string) error {
	answer, err := m.closest(at, direction)
	if err != nil {
		return err
	}
	if found := answer.Get("event_id").String(); !slices.Contains(eventIDs, found) {
		return fmt.Errorf("the event closest to a time (dir %s) is %q, wanted %q", direction, found, eventIDs)
	}
	return nil
}

// isNone requires that no event is found.
func (m company) isNone(at int64, direction string) error {
	answer, err := m.closest(at, direction)
	refusal, isRefused := csapi.Refused(err)
	switch {
	case err == nil:
		return fmt.Errorf("an event is found for a time (dir %s) where there is none: %s", direction, answer.Get("event_id"))
	case isRefused && refusal.Status == http.StatusNotFound && refusal.ErrCode == "M_NOT_FOUND":
		return nil
	}
	return err
}
