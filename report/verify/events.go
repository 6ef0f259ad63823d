package verify

// The events in a transcript, and whose they are.

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
)

// deepest bounds how deep in a body events are looked for.
const deepest = 8

// event is a federation event of a transcript.
type event struct {
	raw   []byte
	key   string // of the sender, in either dialect; "" if no sender key is there
	first bool   // the candidate sent it before a peer did
	own   bool   // the candidate's: it sent this event first, and the first event of the sender
	sent  bool   // by the candidate, whosever it is
	// bySendJoin reports that the candidate entered a room with it; completed, that it is an invite that the candidate completed, of whom
	// the peer had called invited.
	bySendJoin, completed bool
	invited               string
}

func (e *event) get(path string) gjson.Result { return gjson.GetBytes(e.raw, path) }

func (e *event) kind() string { return e.get("type").String() }

func (e *event) room() string { return e.get("room_id").String() }

func (e *event) depth() int64 { return e.get("depth").Int() }

// membership returns that of a member event; "" for other events.
func (e *event) membership() string {
	if e.kind() != "m.room.member" {
		return ""
	}
	return e.get("content.membership").String()
}

// joins reports whether it is a member's own join.
func (e *event) joins() bool {
	return e.membership() == "join" && e.key != "" && e.get("state_key").String() == e.key
}

// mapping returns the mapping of a member event, in canonical form or not; ok is false if there is none.
func (e *event) mapping() (raw []byte, ok bool) {
	if e.kind() != "m.room.member" {
		return nil, false
	}
	return pseudoid.MappingOf(e.raw)
}

// keyOf returns the sender key that an event has in the field of either dialect; "" if there is none.
func keyOf(raw []byte) string {
	for _, dialect := range []pseudoid.Dialect{pseudoid.DialectMSC4014, pseudoid.DialectDendrite} {
		if value := gjson.GetBytes(raw, dialect.SenderField()); value.Type == gjson.String && isKey(value.Str) {
			return value.Str
		}
	}
	return ""
}

// leftToComplete returns whom a peer invites if it leaves key and mapping to the candidate. It leaves neither in hostile input.
func leftToComplete(request []byte) (userID string, left bool) {
	event := gjson.GetBytes(request, "event")
	userID = event.Get("state_key").String()
	_, mapped := pseudoid.MappingOf([]byte(event.Raw))
	return userID, pseudoid.ValidUserID(userID) == nil && !mapped
}

func isKey(text string) bool {
	if len(text) != 43 {
		return false
	}
	_, err := pseudoid.ParseSenderKey(text)
	return err == nil
}

// complete reports whether a transcript has all exchanges with their bodies: only then it tells who sent an event first.
func complete(exchanges []transcript.Exchange) bool {
	return !slices.ContainsFunc(exchanges, func(e transcript.Exchange) bool {
		return slices.ContainsFunc(e.Notes, func(note string) bool { return strings.Contains(note, "not kept") || strings.Contains(note, " cut: ") })
	})
}

// peersIn returns the names of the suite's peers in a transcript.
func peersIn(exchanges []transcript.Exchange) map[string]bool {
	peers := map[string]bool{}
	for _, e := range exchanges {
		if e.Direction == transcript.PeerRequest || e.Direction == transcript.ServerRequest {
			peers[e.Actor] = true
		}
	}
	return peers
}

// eventsOf returns the federation events of a transcript, each once. An event is the candidate's if the candidate sent it first, and its
// sender, too.
func eventsOf(exchanges []transcript.Exchange, peers map[string]bool) []*event {
	var all []*event
	seen := map[string]*event{}
	senders := map[string]bool{} // whether the candidate sent the first event of a sender
	take := func(body []byte, sent bool) (found []*event) {
		for _, raw := range pdusIn(body, 0) {
			if known := seen[string(raw)]; known != nil {
				known.sent = known.sent || sent
				found = append(found, known)
				continue
			}
			sender := senderOf(raw)
			if _, known := senders[sender]; !known {
				senders[sender] = sent
			}
			one := &event{raw: raw, key: keyOf(raw), first: sent, own: sent && senders[sender], sent: sent}
			seen[string(raw)] = one
			all, found = append(all, one), append(found, one)
		}
		return found
	}
	for _, exchange := range exchanges {
		is := func(path string) bool { return strings.Contains(exchange.URL, path) }
		switch exchange.Direction {
		case transcript.PeerRequest:
			take(exchange.RequestBody, false)
			ofPeer := peers[exchange.Server] // one peer asked another
			for _, one := range take(exchange.ResponseBody, !ofPeer) {
				if invited, left := leftToComplete(exchange.RequestBody); left && is("/invite/") && !ofPeer && one.membership() == "invite" {
					one.completed, one.invited = true, invited
				}
			}
		case transcript.ServerRequest:
			for _, one := range take(exchange.RequestBody, true) {
				one.bySendJoin = one.bySendJoin || is("/send_join/")
			}
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

func sortedNames[V any](object map[string]V) []string {
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
