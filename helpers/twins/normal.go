package twins

// What counts as equal: IDs become names, times and tokens become words, what only pseudo-ID rooms have is removed, and what the API
// leaves unordered is put in order.

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// namer replaces what differs between two rooms though nothing does: IDs.
type namer struct {
	ids    map[string]string // event IDs to names
	counts map[string]int
	words  *strings.Replacer
}

func newNamer(roomID, tag string) *namer {
	return &namer{ids: map[string]string{}, counts: map[string]int{}, words: strings.NewReplacer(roomID, "!room", tag, "tag")}
}

// meet names an event after what it is, so that names do not depend on what was seen first.
func (n *namer) meet(event fields) {
	id, _ := event["event_id"].(string)
	eventType, typed := event["type"].(string)
	if id == "" || !typed || n.ids[id] != "" {
		return
	}
	what := eventType
	if key, isState := event["state_key"].(string); isState {
		what += "|" + key
	}
	if sender, known := event["sender"].(string); known {
		what += "|" + sender
	}
	what = n.words.Replace(what)
	n.counts[what]++
	n.ids[id] = fmt.Sprintf("$%s#%d", what, n.counts[what])
}

// removed are the fields that only pseudo-ID rooms have (MSC4014, Hard requirements 2), and what is for people or says nothing.
var removed = map[string]bool{"sender_key": true, "mxid_mapping": true, "error": true, "rank": true, "age": true}

// worded are fields whose values differ between any two rooms: only their presence is compared.
var worded = map[string]string{
	"origin_server_ts": "time", "ts": "time", "age_ts": "time", "received_ts": "time",
	"next_batch": "token", "prev_batch": "token", "start": "token", "end": "token", "next_token": "token", "from": "token",
	"room_version": "version",
	// Here a pseudo-ID room has a key in place of a user ID (MSC4014, Additional notes).
	"join_authorised_via_users_server": "authoriser",
}

// unordered are the places of lists whose order the API leaves to servers, by the end of their path.
var unordered = []string{
	"state", "state.events", "invite_state.events", "knock_state.events", "account_data.events", "children_state", "m.heroes", "servers",
	"aliases", "members.chunk", "members of before.chunk", "user_ids", "heroes", "ephemeral.events", "highlights",
}

func isUnordered(path string) bool {
	return slices.ContainsFunc(unordered, func(end string) bool { return path == end || strings.HasSuffix(path, "."+end) })
}

// normal returns a value of an answer with names for IDs. path is where it stands: keys joined by dots.
func (n *namer) normal(value any, path string) any {
	switch value := value.(type) {
	case fields:
		n.meet(value)
		result := fields{}
		for key, member := range value {
			word, isWord := worded[key]
			switch {
			case key == "redacted_because" && in(member, "type") == nil:
				result[key] = "no event" // in the form of the federation, or something else that is not for clients
			case removed[key] || key == "order" && strings.Contains(path, ".groups."): // like rank, it depends on the whole index
			case isWord && !isObject(member):
				result[key] = word
			default:
				result[n.text(key)] = n.normal(member, path+"."+key)
			}
		}
		return result
	case []any:
		if isUnordered(path) {
			return n.unordered(value, path)
		}
		list := make([]any, len(value))
		for i, each := range value {
			list[i] = n.normal(each, path)
		}
		return list
	case string:
		return n.text(value)
	}
	return value
}

// unordered returns state events by type and state key, and sorts other lists.
func (n *namer) unordered(list []any, path string) any {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b any) int { return cmp.Compare(place(a), place(b)) })
	state, isState := fields{}, len(list) > 0
	sorted := make([]any, len(list))
	for i, each := range list {
		event, isEvent := each.(fields)
		eventType, typed := event["type"].(string)
		key, _ := event["state_key"].(string)
		sorted[i] = n.normal(each, path+"[]")
		name := stateName(eventType, n.text(key))
		if _, twice := state[name]; twice || !isEvent || !typed {
			isState = false
		}
		state[name] = sorted[i]
	}
	if isState {
		return state
	}
	slices.SortStableFunc(sorted, func(a, b any) int { return cmp.Compare(asJSON(a), asJSON(b)) })
	return sorted
}

// stateName is the key of a state event in a normal form; the type can be told from it.
func stateName(eventType, key string) string { return eventType + "|" + key }

// place is the order in which events of an unordered list are named.
func place(value any) string {
	event, isEvent := value.(fields)
	if !isEvent {
		return asJSON(value)
	}
	time, _ := event["origin_server_ts"].(float64)
	return fmt.Sprintf("%v|%v|%v|%020.0f", event["type"], event["state_key"], event["sender"], time)
}

// text replaces IDs in a string.
func (n *namer) text(text string) string {
	if name, known := n.ids[text]; known {
		return name
	}
	if len(text) > 20 && strings.HasPrefix(text, "$") && text != unknownEvent {
		return "$?"
	}
	return n.words.Replace(text)
}

func isObject(value any) bool {
	switch value.(type) {
	case fields, []any:
		return true
	}
	return false
}

// asJSON returns a value as JSON with sorted keys.
func asJSON(value any) string {
	encoded, err := json.Marshal(value)
	if err != nil {
		return fmt.Sprint(value)
	}
	return string(encoded)
}
