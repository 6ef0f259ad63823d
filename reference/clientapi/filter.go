package clientapi

// This file parses and applies filters (client-server API, "Filtering"). Filters name users by user ID.

import (
	"cmp"
	"encoding/json"
	"math"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/reference/rooms"
)

// syncFilter is a filter of /sync.
type syncFilter struct {
	EventFields []string    `json:"event_fields"`
	EventFormat string      `json:"event_format"` // "client" or "federation"
	Presence    eventFilter `json:"presence"`
	AccountData eventFilter `json:"account_data"`
	Room        struct {
		roomsFilter
		IncludeLeave bool        `json:"include_leave"`
		AccountData  eventFilter `json:"account_data"`
		Ephemeral    eventFilter `json:"ephemeral"`
		State        eventFilter `json:"state"`
		Timeline     eventFilter `json:"timeline"`
	} `json:"room"`
}

// roomsFilter selects rooms.
type roomsFilter struct {
	Rooms    *[]string `json:"rooms"` // nil selects all
	NotRooms []string  `json:"not_rooms"`
}

func (f roomsFilter) admits(roomID string) bool {
	return (f.Rooms == nil || slices.Contains(*f.Rooms, roomID)) && !slices.Contains(f.NotRooms, roomID)
}

// eventFilter selects events, and limits their number.
type eventFilter struct {
	roomsFilter
	Limit         *int      `json:"limit"`
	Types         *[]string `json:"types"` // nil selects all; '*' matches any text
	NotTypes      []string  `json:"not_types"`
	Senders       *[]string `json:"senders"`
	NotSenders    []string  `json:"not_senders"`
	ContainsURL   *bool     `json:"contains_url"`
	LazyLoad      bool      `json:"lazy_load_members"`
	ThreadCounts  bool      `json:"unread_thread_notifications"`
	RelatedTypes  []string  `json:"related_by_rel_types"`
	RelatedSender []string  `json:"related_by_senders"`
}

// parseFilter parses a filter of /sync.
func parseFilter(raw []byte) (f syncFilter, err error) {
	if err := json.Unmarshal(raw, &f); err != nil {
		return f, rooms.Bad("M_BAD_JSON", "the filter is malformed: %v", err)
	}
	if f.EventFormat != "" && f.EventFormat != "client" && f.EventFormat != "federation" {
		return f, rooms.Bad("M_BAD_JSON", "event_format is %q", f.EventFormat)
	}
	return f, nil
}

// filterOf returns the filter that a /sync names: by its ID, or as JSON.
func (r *request) filterOf(text string) (syncFilter, error) {
	if strings.HasPrefix(text, "{") || text == "" {
		return parseFilter([]byte(cmp.Or(text, "{}")))
	}
	raw, found := r.api.Users.Filter(r.UserID, text)
	if !found {
		return syncFilter{}, rooms.Bad("M_INVALID_PARAM", "there is no filter %q", text)
	}
	return parseFilter(raw)
}

// limit returns the maximum number of events, at most 1000.
func (f eventFilter) limit(otherwise int) int {
	if f.Limit == nil {
		return otherwise
	}
	return min(max(*f.Limit, 0), 1000)
}

func typeMatches(pattern, eventType string) bool {
	if !strings.Contains(pattern, "*") {
		return pattern == eventType
	}
	parts := strings.Split(pattern, "*")
	rest, found := strings.CutPrefix(eventType, parts[0])
	for _, part := range parts[1 : len(parts)-1] {
		if !found {
			return false
		}
		_, rest, found = strings.Cut(rest, part)
	}
	return found && strings.HasSuffix(rest, parts[len(parts)-1])
}

// admitsType reports whether the filter selects a type and a sender, which may be "".
func (f eventFilter) admitsType(eventType, sender string) bool {
	matches := func(pattern string) bool { return typeMatches(pattern, eventType) }
	if f.Types != nil && !slices.ContainsFunc(*f.Types, matches) || slices.ContainsFunc(f.NotTypes, matches) {
		return false
	}
	if sender == "" {
		return true
	}
	return (f.Senders == nil || slices.Contains(*f.Senders, sender)) && !slices.Contains(f.NotSenders, sender)
}

// keep returns a function that reports whether the filter selects an event of a room.
func (f eventFilter) keep(room *rooms.Room) func(*rooms.Event) bool {
	return func(event *rooms.Event) bool {
		if !f.admits(room.ID()) || !f.admitsType(event.Type(), room.UserID(event.Sender())) {
			return false
		}
		if f.ContainsURL != nil && (event.Content("url").Type == gjson.String) != *f.ContainsURL {
			return false
		}
		return f.admitsRelated(room, event)
	}
}

// admitsRelated reports whether an event has the relations that the filter asks for.
func (f eventFilter) admitsRelated(room *rooms.Room, event *rooms.Event) bool {
	if f.RelatedTypes == nil && f.RelatedSender == nil {
		return true
	}
	return slices.ContainsFunc(relatedTo(room, event), func(other *rooms.Event) bool {
		relation, _ := relationOf(other)
		return (f.RelatedTypes == nil || slices.Contains(f.RelatedTypes, relation)) &&
			(f.RelatedSender == nil || slices.Contains(f.RelatedSender, room.UserID(other.Sender())))
	})
}

// unlimited is a position after all others.
const unlimited = int64(math.MaxInt64)

// shape returns an event with only the fields that the filter asks for.
func (f syncFilter) shape(view json.RawMessage) json.RawMessage {
	if len(f.EventFields) == 0 {
		return view
	}
	shaped := []byte("{}")
	for _, field := range f.EventFields {
		path := fieldPath(field)
		if value := gjson.GetBytes(view, path); value.Exists() {
			if changed, err := sjson.SetRawBytes(shaped, path, []byte(value.Raw)); err == nil {
				shaped = changed
			}
		}
	}
	return shaped
}

// fieldPath translates a field of a filter, in which a backslash escapes a dot, to a path of gjson.
func fieldPath(field string) string {
	const dot, backslash = "\x00", "\x01"
	field = strings.NewReplacer(`\\`, backslash, `\.`, dot).Replace(field)
	var names []string
	for name := range strings.SplitSeq(field, ".") {
		names = append(names, gjson.Escape(strings.NewReplacer(backslash, `\`, dot, ".").Replace(name)))
	}
	return strings.Join(names, ".")
}
