package verify

// What clients were shown: user IDs where user IDs belong, and sender keys nowhere else than in sender_key.

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/transcript"
)

// deepestView bounds how deep in an answer is looked.
const deepestView = 24

// view judges the answer to a client's request, if it is about rooms.
func (s *scene) view(e transcript.Exchange) {
	path := pathOf(e)
	if e.Direction != transcript.ClientRequest || e.Status/100 != 2 || !aboutRooms(path) || s.inFederationForm(e) || !json.Valid(e.ResponseBody) {
		return
	}
	answer := gjson.ParseBytes(e.ResponseBody)
	if s.countedAnswer(e) {
		s.Views++
	}
	v := view{scene: s, where: e.Method + " /" + strings.Join(path, "/")}
	place := func(i int) string {
		if i < len(path) {
			return path[i]
		}
		return ""
	}
	switch {
	case place(2) == "joined_members":
		answer.Get("joined").ForEach(func(user, _ gjson.Result) bool {
			switch {
			case s.mayBeOwn(user.String()):
				s.breaks("client-view/joined-members", "%s is keyed by the sender key %s", v.where, user)
			case isKey(user.String()):
				s.breaksOwn("client-view/joined-members", "%s is keyed by the sender key %s", v.where, user)
			}
			return true
		})
	case e.Method == "GET" && place(2) == "state" && place(3) != "" && !isEvent(answer):
		v.content(v.where, place(3), answer)
	default:
		v.value(answer, 0)
	}
}

// aboutRooms reports whether an answer has members of rooms: elsewhere tokens and device keys look like sender keys.
func aboutRooms(path []string) bool {
	if len(path) == 0 {
		return false
	}
	switch path[0] {
	case "sync", "search", "notifications":
		return true
	case "rooms":
		return len(path) > 2 && path[2] != "account_data" && path[2] != "tags"
	}
	return len(path) == 2 && path[1] == "sync"
}

// noteFilter notes a filter for events in the federation format.
func (s *scene) noteFilter(e transcript.Exchange) {
	path := pathOf(e)
	if len(path) > 2 && path[0] == "user" && path[2] == "filter" && gjson.GetBytes(e.RequestBody, "event_format").String() == "federation" {
		s.filters[e.Actor+" "+gjson.GetBytes(e.ResponseBody, "filter_id").String()] = true
	}
}

// inFederationForm reports whether a client asked for events as on the wire.
func (s *scene) inFederationForm(e transcript.Exchange) bool {
	_, query, _ := strings.Cut(e.URL, "?")
	values, _ := url.ParseQuery(query) // without what does not parse
	filter := values.Get("filter")
	return s.filters[e.Actor+" "+filter] || gjson.Get(filter, "event_format").String() == "federation"
}

// mayBeOwn reports whether a text is a sender key that no peer said first.
func (s *scene) mayBeOwn(text string) bool { return isKey(text) && !s.peerKeys[text] }

// isOwn reports whether a text is a sender key of the candidate that no client wrote.
func (s *scene) isOwn(text string) bool { return s.ownKeys[text] && !s.written[text] }

// view is an answer, or the unsigned part of an event in it.
type view struct {
	*scene
	where    string
	unsigned bool
}

// finds notes what an answer breaks; the unsigned part has a requirement of its own.
func (v view) finds(requirement, format string, arguments ...any) {
	if v.unsigned {
		requirement = "client-view/unsigned"
	}
	v.breaks(requirement, v.where+": "+format, arguments...)
}

func isEvent(value gjson.Result) bool {
	return value.IsObject() && value.Get("type").Type == gjson.String && value.Get("content").IsObject() &&
		(value.Get("sender").Exists() || value.Get("event_id").Exists())
}

var (
	// mayHaveKeys are the members of answers in which keys may be, or in which clients' data is.
	mayHaveKeys = map[string]bool{
		"sender_key": true, "mxid_mapping": true, "join_authorised_via_users_server": true, "account_data": true, "to_device": true, "transaction_id": true,
		"highlights": true, "displayname": true, "display_name": true, "avatar_url": true, "name": true, "topic": true, "tags": true, "hashes": true, "signatures": true,
	}
	// judgedSeparately are the members of an event that event judges itself.
	judgedSeparately = map[string]bool{"sender": true, "state_key": true, "content": true, "prev_content": true, "unsigned": true}
	// stripped are the members with stripped state, which may be as a peer sent it.
	stripped = map[string]bool{"invite_state": true, "knock_state": true, "invite_room_state": true, "knock_room_state": true, "children_state": true}
)

// value judges a part of an answer.
func (v view) value(value gjson.Result, depth int) {
	switch {
	case depth > deepestView:
	case isEvent(value):
		v.event(value, depth)
	case value.IsObject():
		kind := value.Get("type").String()
		namesUsers := kind == "m.receipt" || kind == "m.typing"
		value.ForEach(func(name, member gjson.Result) bool {
			if v.isOwn(name.String()) {
				v.finds("client-view/no-key-elsewhere", "the sender key %s is the name of a member", name)
			}
			if name.String() != "content" || namesUsers {
				v.member(name.String(), member, depth)
			}
			return true
		})
	case value.IsArray():
		value.ForEach(func(_, element gjson.Result) bool {
			v.value(element, depth+1)
			return true
		})
	case value.Type == gjson.String && v.isOwn(value.Str):
		v.finds("client-view/no-key-elsewhere", "the sender key %s stands where no key belongs", value.Str)
	}
}

func (v view) member(name string, value gjson.Result, depth int) {
	if mayHaveKeys[name] || stripped[name] && v.byPeer(value.Raw) {
		return
	}
	v.value(value, depth+1)
}

// byPeer reports whether a text has a key or a user of a peer: then what is around it may be, too.
func (v view) byPeer(text string) bool {
	for peer := range v.peers {
		if strings.Contains(text, ":"+peer+`"`) {
			return true
		}
	}
	for _, key := range likeKeys([]byte(text)) {
		if v.peerKeys[key] {
			return true
		}
	}
	return false
}

// event judges an event in the client format.
func (v view) event(shown gjson.Result, depth int) {
	id, kind, sender := shown.Get("event_id").String(), shown.Get("type").String(), shown.Get("sender").String()
	forms := v.byID[id]
	own := slices.IndexFunc(forms, func(each *event) bool { return each.own })
	if len(forms) > 0 && !forms[0].first {
		v.lie(shown, forms, v.where)
		return
	}
	if v.peerKeys[sender] || v.peerKeys[shown.Get("sender_key").String()] {
		return
	}
	name := kind + " " + id
	if v.ownKeys[shown.Get("sender_key").String()] && shown.Get("event_id").Exists() && !isReferenceHash(id) {
		v.breaks("event-format/event-id", "%s: %s has no reference hash as its ID", v.where, name)
	}
	if v.mayBeOwn(sender) {
		v.finds("client-view/sender-is-user-id", "%s has the sender key %s as sender", name, sender)
	}
	if shown.Get("verified_sender_mxid").Exists() {
		v.breaks("client-view/no-verified-sender-field", "%s: %s has it", v.where, name)
	}
	if key := shown.Get("state_key").String(); kind == "m.room.member" && v.mayBeOwn(key) {
		v.finds("client-view/member-state-key-is-user-id", "%s has the state key %s", name, key)
	}
	if own >= 0 && forms[own].key != "" {
		v.known(shown, forms[own], name)
	}
	v.content(v.where+": "+name, kind, shown.Get("content"))

	below := view{v.scene, v.where + ": " + name, true}
	for _, path := range []string{"prev_content", "unsigned.prev_content"} {
		below.content(below.where+" in "+path, kind, shown.Get(path))
	}
	if before := shown.Get("unsigned.prev_sender").String(); v.mayBeOwn(before) {
		below.finds("", "it has the sender key %s as prev_sender", before)
	}
	shown.Get("unsigned").ForEach(func(name, value gjson.Result) bool {
		if name.String() != "prev_content" && name.String() != "prev_sender" {
			below.member(name.String(), value, depth+1)
		}
		return true
	})
	shown.ForEach(func(field, value gjson.Result) bool {
		if !judgedSeparately[field.String()] {
			v.member(field.String(), value, depth+1)
		}
		return true
	})
}

// known judges what is shown of an event that the transcript has as it is on the wire.
func (v view) known(shown gjson.Result, one *event, name string) {
	if key := shown.Get("sender_key"); !v.unsigned && key.String() != one.key && v.rooms[one.room()] {
		v.breaks("client-view/sender-key-present", "%s: %s has the sender_key %q, and the key of its sender is %s", v.where, name, key, one.key)
	}
	wanted := v.users[one.key]
	if sender := shown.Get("sender").String(); wanted != "" && sender != wanted && v.named[sender] {
		v.finds("client-view/sender-is-user-id", "%s is shown as one of %s, and %s sent it", name, sender, wanted)
	}
}

// content judges contents that the server fills with user IDs; those of other types are the clients' own.
func (v view) content(where, kind string, content gjson.Result) {
	at := view{v.scene, where, v.unsigned}
	switch kind {
	case "m.room.create":
		if creator := content.Get("creator").String(); v.isOwn(creator) {
			at.finds("client-view/create-creator", "it has the creator %s", creator)
		}
	case "m.room.power_levels":
		content.Get("users").ForEach(func(user, _ gjson.Result) bool {
			if v.isOwn(user.String()) {
				at.finds("client-view/power-levels-read", "it gives power to the key %s", user)
			}
			return true
		})
	}
}
