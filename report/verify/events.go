package verify

// The events in a transcript, and whose they are.

import (
	"encoding/json"
	"slices"
	"strings"

	"msc4014/helpers/transcript"
)

// deepest bounds how deep in a body events are looked for.
const deepest = 8

// complete reports whether a transcript has all exchanges with their bodies: only then it tells who sent an event first.
func complete(exchanges []transcript.Exchange) bool {
	return !slices.ContainsFunc(exchanges, func(e transcript.Exchange) bool {
		return slices.ContainsFunc(e.Notes, func(note string) bool { return strings.Contains(note, "not kept") || strings.Contains(note, " cut: ") })
	})
}

// eventsOf returns the federation events of a transcript, each once. An event is the candidate's if the candidate sent it first, and its
// sender, too.
func eventsOf(exchanges []transcript.Exchange) []event {
	var all []event
	seen := map[string]int{}
	senders := map[string]bool{} // whether the candidate sent the first event of a sender
	take := func(body []byte, sent bool) {
		for _, raw := range pdusIn(body, 0) {
			if at, known := seen[string(raw)]; known {
				all[at].sent = all[at].sent || sent
				continue
			}
			sender := senderOf(raw)
			if _, known := senders[sender]; !known {
				senders[sender] = sent
			}
			seen[string(raw)] = len(all)
			all = append(all, event{raw: raw, own: sent && senders[sender], sent: sent})
		}
	}
	for _, exchange := range exchanges {
		switch exchange.Direction {
		case transcript.PeerRequest:
			take(exchange.RequestBody, false)
			take(exchange.ResponseBody, true)
		case transcript.ServerRequest:
			take(exchange.RequestBody, true)
			take(exchange.ResponseBody, false)
		}
	}
	return all
}

// pdusIn returns the objects in a JSON text that have what only federation events have.
func pdusIn(body json.RawMessage, depth int) []json.RawMessage {
	if depth > deepest || len(body) == 0 {
		return nil
	}
	switch strings.TrimSpace(string(body[:1])) {
	case "{":
		var object map[string]json.RawMessage
		if json.Unmarshal(body, &object) != nil {
			return nil
		}
		if object["type"] != nil && object["hashes"] != nil && object["prev_events"] != nil && object["auth_events"] != nil {
			return []json.RawMessage{body}
		}
		var found []json.RawMessage
		for _, name := range sortedNames(object) {
			found = append(found, pdusIn(object[name], depth+1)...)
		}
		return found
	case "[":
		var list []json.RawMessage
		if json.Unmarshal(body, &list) != nil {
			return nil
		}
		var found []json.RawMessage
		for _, each := range list {
			found = append(found, pdusIn(each, depth+1)...)
		}
		return found
	}
	return nil
}

func sortedNames(object map[string]json.RawMessage) []string {
	names := make([]string, 0, len(object))
	for name := range object {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// senderOf returns the sender of an event in either dialect.
func senderOf(raw []byte) string {
	var fields struct {
		Key    string `json:"sender_key"`
		Sender string `json:"sender"`
	}
	_ = json.Unmarshal(raw, &fields) // none is a sender as well
	return fields.Key + fields.Sender
}
