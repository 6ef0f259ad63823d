package outgoing

// This file has the calls that fetch events and state.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// MissingEvents requests the events between earliest and latest, both excluded: POST /get_missing_events/{roomID}. The
// events come oldest first.
func (c *Client) MissingEvents(
	ctx context.Context, server, roomID string, earliest, latest []string, limit int, minDepth int64,
) ([]json.RawMessage, error) {
	in := map[string]any{
		"earliest_events": orEmpty(earliest), "latest_events": orEmpty(latest), "limit": limit, "min_depth": minDepth,
	}
	answer, err := ask[struct {
		Events []json.RawMessage `json:"events"`
	}](ctx, c, server, http.MethodPost, v1("get_missing_events", roomID), in)
	return answer.Events, err
}

func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

type pdus struct {
	PDUs []json.RawMessage `json:"pdus"`
}

// Event requests one event: GET /event/{eventID}.
func (c *Client) Event(ctx context.Context, server, eventID string) (json.RawMessage, error) {
	answer, err := get[pdus](ctx, c, server, v1("event", eventID))
	if err == nil && len(answer.PDUs) != 1 {
		err = fmt.Errorf("%s was asked for the event %s and gave %d", server, eventID, len(answer.PDUs))
	}
	if err != nil {
		return nil, err
	}
	return answer.PDUs[0], nil
}

// State is the state before an event, with its auth chain.
type State struct {
	PDUs      []json.RawMessage `json:"pdus"`
	AuthChain []json.RawMessage `json:"auth_chain"`
}

// State requests the state before an event: GET /state/{roomID}.
func (c *Client) State(ctx context.Context, server, roomID, eventID string) (State, error) {
	return get[State](ctx, c, server, v1("state", roomID)+query(url.Values{"event_id": {eventID}}))
}

// StateIDs is State by event IDs.
type StateIDs struct {
	PDUIDs       []string `json:"pdu_ids"`
	AuthChainIDs []string `json:"auth_chain_ids"`
}

// StateIDs requests the IDs of the state before an event: GET /state_ids/{roomID}.
func (c *Client) StateIDs(ctx context.Context, server, roomID, eventID string) (StateIDs, error) {
	return get[StateIDs](ctx, c, server, v1("state_ids", roomID)+query(url.Values{"event_id": {eventID}}))
}

// EventAuth requests the auth chain of an event: GET /event_auth/{roomID}/{eventID}.
func (c *Client) EventAuth(ctx context.Context, server, roomID, eventID string) ([]json.RawMessage, error) {
	answer, err := get[State](ctx, c, server, v1("event_auth", roomID, eventID))
	return answer.AuthChain, err
}

// Backfill requests events and the ones before them, at most limit: GET /backfill/{roomID}. They come in no particular
// order.
func (c *Client) Backfill(ctx context.Context, server, roomID string, from []string, limit int) ([]json.RawMessage, error) {
	values := url.Values{"v": from, "limit": {strconv.Itoa(limit)}}
	answer, err := get[pdus](ctx, c, server, v1("backfill", roomID)+query(values))
	return answer.PDUs, err
}
