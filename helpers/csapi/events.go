// Events and state of a room: sending them, and reading them other than by /sync.

package csapi

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/tidwall/gjson"
)

// SendEvent sends a message event and returns its ID. content is the body as in Do.
func (c *Client) SendEvent(ctx context.Context, roomID, eventType string, content any) (string, error) {
	return textAt(c.put(ctx, V3("rooms", roomID, "send", eventType, c.transactions.next()), content))("event_id")
}

// SendMessage sends a text message and returns its event ID.
func (c *Client) SendMessage(ctx context.Context, roomID, text string) (string, error) {
	return c.SendEvent(ctx, roomID, "m.room.message", map[string]any{"msgtype": "m.text", "body": text})
}

// SendState sends a state event and returns its ID. content is the body as in Do.
func (c *Client) SendState(ctx context.Context, roomID, eventType, stateKey string, content any) (string, error) {
	return textAt(c.put(ctx, V3("rooms", roomID, "state", eventType, stateKey), content))("event_id")
}

// Redact redacts an event and returns the redaction's event ID.
func (c *Client) Redact(ctx context.Context, roomID, eventID, reason string) (string, error) {
	return textAt(c.put(ctx, V3("rooms", roomID, "redact", eventID, c.transactions.next()), withReason(nil, reason)))("event_id")
}

// State returns the room's current state: the body is an array of events.
func (c *Client) State(ctx context.Context, roomID string) (*Response, error) {
	return c.get(ctx, V3("rooms", roomID, "state"), nil)
}

// StateEvent returns the content of one state event.
func (c *Client) StateEvent(ctx context.Context, roomID, eventType, stateKey string) (*Response, error) {
	return c.get(ctx, V3("rooms", roomID, "state", eventType, stateKey), nil)
}

// Event returns one event.
func (c *Client) Event(ctx context.Context, roomID, eventID string) (*Response, error) {
	return c.get(ctx, V3("rooms", roomID, "event", eventID), nil)
}

// Context returns an event with up to limit events around it.
func (c *Client) Context(ctx context.Context, roomID, eventID string, limit int) (*Response, error) {
	return c.get(ctx, V3("rooms", roomID, "context", eventID), url.Values{"limit": {strconv.Itoa(limit)}})
}

// Search searches the messages of a room for a text: each with the events around it and the profiles of their senders.
func (c *Client) Search(ctx context.Context, roomID, text string) (*Response, error) {
	return c.post(ctx, V3("search"), map[string]any{"search_categories": map[string]any{"room_events": map[string]any{
		"search_term": text, "filter": map[string]any{"rooms": []string{roomID}},
		"event_context": map[string]any{"before_limit": 5, "after_limit": 5, "include_profile": true},
	}}})
}

// Messages returns a page of a room's events: dir is "b" (backwards) or "f"; from is a token, or empty to start at the end or
// at the beginning.
func (c *Client) Messages(ctx context.Context, roomID, from, dir string, limit int) (*Response, error) {
	query := url.Values{"dir": {dir}, "limit": {strconv.Itoa(limit)}}
	if from != "" {
		query.Set("from", from)
	}
	return c.get(ctx, V3("rooms", roomID, "messages"), query)
}

// Members returns the member events of a room under "chunk". query may be nil, or hold membership, not_membership, at.
func (c *Client) Members(ctx context.Context, roomID string, query url.Values) (*Response, error) {
	return c.get(ctx, V3("rooms", roomID, "members"), query)
}

// JoinedMembers returns the joined members by user ID under "joined".
func (c *Client) JoinedMembers(ctx context.Context, roomID string) (*Response, error) {
	return c.get(ctx, V3("rooms", roomID, "joined_members"), nil)
}

// SetTyping marks the user as typing for so many milliseconds, or as not typing with 0.
func (c *Client) SetTyping(ctx context.Context, roomID string, milliseconds int) error {
	body := map[string]any{"typing": milliseconds > 0}
	if milliseconds > 0 {
		body["timeout"] = milliseconds
	}
	return only(c.put(ctx, V3("rooms", roomID, "typing", c.UserID), body))
}

// SendReceipt marks an event as read; receiptType is "m.read" or "m.read.private".
func (c *Client) SendReceipt(ctx context.Context, roomID, receiptType, eventID string) error {
	return only(c.post(ctx, V3("rooms", roomID, "receipt", receiptType, eventID), nil))
}

// PowerLevels returns the content of the room's power levels. It returns an error if that is not an object that Object decodes.
func (c *Client) PowerLevels(ctx context.Context, roomID string) (gjson.Result, error) {
	response, err := c.StateEvent(ctx, roomID, "m.room.power_levels", "")
	if err != nil {
		return gjson.Result{}, err
	}
	if Object(response.JSON()) == nil {
		return gjson.Result{}, response.wrong("the answer is not a JSON object")
	}
	return response.JSON(), nil
}

// Object decodes a JSON object, or returns nil if value is not one. Unlike gjson's Value, it takes linear time.
func Object(value gjson.Result) (members map[string]any) {
	if json.Unmarshal([]byte(value.Raw), &members) != nil {
		return nil
	}
	return members
}

// SendToDevice sends to-device messages: contents by user ID, then by device ID.
func (c *Client) SendToDevice(ctx context.Context, eventType string, messages map[string]map[string]any) error {
	return only(c.Do(ctx, http.MethodPut, V3("sendToDevice", eventType, c.transactions.next()), nil, map[string]any{"messages": messages}))
}
