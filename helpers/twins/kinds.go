package twins

// The kinds of requests.

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// kind is a kind of request.
type kind struct {
	name   string
	weight int
	// choose fills in a step, or reports that none makes sense now.
	choose func(g *generator, step *Step) bool
	// request returns the request in one of the rooms.
	request func(r *room, step Step) request
	// event says that the answer names an event.
	event bool
	// account says that the request concerns the account and all rooms at once: it is made once.
	account bool
	// read says that the request changes nothing.
	read bool
	// names says that the request names a user, who must have a key: what a user without one comes to, the proposal leaves open.
	names string
	// later names the part of /sync that changes some time after the answer, and must be waited for.
	later string
	// guests says that users of a peer do it, too.
	guests bool
	// anyRefusal says that it may be refused for one reason or another: which is not compared.
	anyRefusal bool
	// lazy says that it asks for lazily loaded members.
	lazy bool
	// path is where lists stand in the answer, if not in "answer" (isUnordered).
	path string
}

// request is an HTTP request.
type request struct {
	method, path string
	query        url.Values
	body         any
	// view is how the answer is read, if it has more than the room: the part of it.
	view reading
}

// reading takes from an answer what concerns the room.
type reading func(r *room, answer any) any

const (
	memberType = "m.room.member"
	otherState = "state of another"
	redaction  = "redact"
	levelsType = "m.room.power_levels"
	inTimeline = "timeline"
)

type fields = map[string]any

func v3(segments ...string) string { return path("v3", segments...) }
func v1(segments ...string) string { return path("v1", segments...) }

func path(version string, segments ...string) string {
	text := "/_matrix/client/" + version
	for _, segment := range segments {
		text += "/" + url.PathEscape(segment)
	}
	return text
}

func (r *room) transaction(step Step) string {
	return fmt.Sprintf("step-%d-%s", step.ID, r.world.nonce)
}

// sends is the request of a message event.
func sends(eventType string, content func(r *room, step Step) fields) func(*room, Step) request {
	return func(r *room, step Step) request {
		return request{method: http.MethodPut, path: v3("rooms", r.id, "send", eventType, r.transaction(step)), body: content(r, step)}
	}
}

// sets is the request of a state event.
func sets(eventType string, content func(r *room, step Step) fields) func(*room, Step) request {
	return func(r *room, step Step) request {
		return request{method: http.MethodPut, path: v3("rooms", r.id, "state", eventType, ""), body: content(r, step)}
	}
}

// about is a request that names a user: an invite, a kick.
func about(action string) func(*room, Step) request {
	return func(r *room, step Step) request {
		body := fields{"user_id": r.world.userID(step.Whom)}
		if step.Arg != "" {
			body["reason"] = step.Arg
		}
		return request{method: http.MethodPost, path: v3("rooms", r.id, action), body: body}
	}
}

func text(step Step) string { return "words of step " + strconv.Itoa(step.ID) }

func textMessage(_ *room, step Step) fields { return fields{"msgtype": "m.text", "body": text(step)} }

func relation(kind string, more fields) func(*room, Step) fields {
	return func(r *room, step Step) fields {
		to := fields{"rel_type": kind, "event_id": r.event(step.Of)}
		content := fields{"msgtype": "m.text", "body": text(step), "m.relates_to": to}
		for name, value := range more {
			content[name] = value
		}
		return content
	}
}

func own(r *room, step Step) string { return r.world.userID(step.By) }

// kinds are all kinds of requests of which sessions are made.
var kinds = []kind{
	// messages
	{name: "message", weight: 10, event: true, guests: true, choose: anybody, request: sends("m.room.message", textMessage)},
	{name: "emote", weight: 2, event: true, choose: anybody, request: sends("m.room.message", func(_ *room, s Step) fields {
		return fields{"msgtype": "m.emote", "body": text(s)}
	})},
	{name: "mention", weight: 3, event: true, guests: true, choose: naming, request: sends("m.room.message", func(r *room, s Step) fields {
		user := r.world.userID(s.Whom)
		return fields{"msgtype": "m.text", "body": user + " " + text(s), "m.mentions": fields{"user_ids": []string{user}}}
	})},
	{name: "mention of the room", weight: 2, event: true, choose: anybody, request: sends("m.room.message", func(_ *room, s Step) fields {
		return fields{"msgtype": "m.text", "body": "@room " + text(s), "m.mentions": fields{"room": true}}
	})},
	{name: "reply", weight: 3, event: true, guests: true, choose: toMessage, request: sends("m.room.message", func(r *room, s Step) fields {
		return fields{"msgtype": "m.text", "body": text(s), "m.relates_to": fields{"m.in_reply_to": fields{"event_id": r.event(s.Of)}}}
	})},
	{name: "thread message", weight: 3, event: true, guests: true, choose: toMessage, request: sends("m.room.message", relation("m.thread", nil))},
	{name: "reaction", weight: 3, event: true, guests: true, choose: toMessage, request: sends("m.reaction", func(r *room, s Step) fields {
		return fields{"m.relates_to": fields{"rel_type": "m.annotation", "event_id": r.event(s.Of), "key": "+" + strconv.Itoa(s.ID%2)}}
	})},
	{name: "edit", weight: 3, event: true, guests: true, choose: toOwnMessage, request: sends("m.room.message", func(r *room, s Step) fields {
		return relation("m.replace", fields{"m.new_content": fields{"msgtype": "m.text", "body": "new " + text(s)}})(r, s)
	})},
	{name: "custom event", weight: 2, event: true, choose: anybody, request: sends("org.example.twin", func(r *room, s Step) fields {
		return fields{"number": s.ID, "nested": fields{"sender": own(r, s), "list": []any{s.ID, "x", nil}}}
	})},
	{name: redaction, weight: 4, event: true, guests: true, choose: toEvent, request: func(r *room, s Step) request {
		return request{method: http.MethodPut, path: v3("rooms", r.id, "redact", r.event(s.Of), r.transaction(s)), body: fields{"reason": text(s)}}
	}},

	// memberships
	{name: "join", weight: 6, guests: true, choose: joining, request: func(r *room, _ Step) request {
		return request{method: http.MethodPost, path: v3("join", r.id), query: r.via()}
	}},
	{name: "join by alias", weight: 2, choose: joining, request: func(r *room, _ Step) request {
		return request{method: http.MethodPost, path: v3("join", r.alias("first")), query: r.via()}
	}},
	{name: "leave", weight: 6, guests: true, choose: leaving, request: func(r *room, _ Step) request {
		return request{method: http.MethodPost, path: v3("rooms", r.id, "leave")}
	}},
	{name: "forget", weight: 2, choose: outsider, request: func(r *room, _ Step) request {
		return request{method: http.MethodPost, path: v3("rooms", r.id, "forget")}
	}},
	{name: "invite", weight: 4, choose: inviting, request: about("invite")},
	{name: "kick", weight: 4, choose: removing, request: about("kick"), names: "client-view/no-server-error"},
	{name: "kick of nobody", weight: 1, choose: anybody, request: func(r *room, _ Step) request {
		return request{method: http.MethodPost, path: v3("rooms", r.id, "kick"), body: fields{}}
	}},
	{name: "ban", weight: 5, choose: removing, request: about("ban"), names: "membership/ban-before-join"},
	{name: "unban", weight: 6, choose: unbanning, request: about("unban"), names: "membership/ban-before-join"},
	{name: "knock", weight: 6, choose: knocker, request: func(r *room, s Step) request {
		return request{method: http.MethodPost, path: v3("knock", r.id), query: r.via(), body: fields{"reason": text(s)}}
	}},
	{name: "own member event", weight: 3, event: true, guests: true, choose: anybody, request: func(r *room, s Step) request {
		return request{
			method: http.MethodPut, path: v3("rooms", r.id, "state", memberType, own(r, s)),
			body: fields{"membership": "join", "displayname": "called so by step " + strconv.Itoa(s.ID)},
		}
	}},
	{name: "member event of another", weight: 3, event: true, choose: setting, names: "client-view/state-key-before-join", request: func(r *room, s Step) request {
		return request{
			method: http.MethodPut, path: v3("rooms", r.id, "state", memberType, r.world.userID(s.Whom)), body: fields{"membership": s.Arg},
		}
	}},
	{name: "display name", weight: 2, account: true, choose: anybody, later: inTimeline, request: func(r *room, s Step) request {
		return request{
			method: http.MethodPut, path: v3("profile", own(r, s), "displayname"), body: fields{"displayname": "named by step " + strconv.Itoa(s.ID)},
		}
	}},
	{name: "avatar", weight: 1, account: true, choose: anybody, later: inTimeline, request: func(r *room, s Step) request {
		return request{
			method: http.MethodPut, path: v3("profile", own(r, s), "avatar_url"), body: fields{"avatar_url": "mxc://example.org/step" + strconv.Itoa(s.ID)},
		}
	}},

	// state
	{name: "name", weight: 2, event: true, guests: true, choose: anybody, request: sets("m.room.name", func(r *room, s Step) fields {
		return fields{"name": "Room " + r.world.nonce + " of step " + strconv.Itoa(s.ID)}
	})},
	{name: "topic", weight: 2, event: true, guests: true, choose: anybody, request: sets("m.room.topic", func(_ *room, s Step) fields {
		return fields{"topic": text(s)}
	})},
	{name: "room avatar", weight: 1, event: true, choose: anybody, request: sets("m.room.avatar", func(_ *room, s Step) fields {
		return fields{"url": "mxc://example.org/room" + strconv.Itoa(s.ID)}
	})},
	{name: "power", weight: 6, event: true, choose: empowering, names: "client-view/power-levels-before-join", request: func(r *room, s Step) request {
		level, _ := strconv.Atoi(s.Arg)
		return r.putLevels(func(levels fields) {
			users, _ := levels["users"].(fields)
			if users == nil {
				users = fields{}
				levels["users"] = users
			}
			users[r.world.userID(s.Whom)] = level
			if events, is := levels["events"].(fields); is {
				events["org.example.changed"] = s.ID // never what it was, too, when the user has that level already
			}
		})
	}},
	{name: "power defaults", weight: 3, event: true, choose: defaults, request: func(r *room, s Step) request {
		return r.putLevels(func(levels fields) { levels[s.Arg] = s.ID }) // never what it was: servers may leave out what changes nothing
	}},
	{name: "malformed power", weight: 2, anyRefusal: true, choose: oneOf("text for users", "text for a level"), request: func(r *room, s Step) request {
		return r.putLevels(func(levels fields) {
			levels["users"] = "everybody"
			if s.Arg == "text for a level" {
				levels["users"] = fields{own(r, s): "much"}
			}
		})
	}},
	{name: "notification power", weight: 1, event: true, choose: anybody, request: func(r *room, s Step) request {
		return r.putLevels(func(levels fields) { levels["notifications"] = fields{"room": s.ID} })
	}},
	{name: "join rule", weight: 4, event: true, choose: oneOf("public", "invite", "knock", membersJoin, strangersJoin), request: sets("m.room.join_rules", joinRule)},
	{name: "history visibility", weight: 4, event: true, choose: oneOf("joined", "invited", "shared", "world_readable"),
		request: sets("m.room.history_visibility", func(_ *room, s Step) fields { return fields{"history_visibility": s.Arg} })},
	{name: "guest access", weight: 1, event: true, choose: oneOf("can_join", "forbidden"), request: sets("m.room.guest_access", func(_ *room, s Step) fields {
		return fields{"guest_access": s.Arg}
	})},
	{name: "canonical alias", weight: 2, event: true, choose: oneOf("first", "second"), request: sets("m.room.canonical_alias", func(r *room, s Step) fields {
		return fields{"alias": r.alias(s.Arg)}
	})},
	{name: "pinned events", weight: 1, event: true, choose: toMessage, request: sets("m.room.pinned_events", func(r *room, s Step) fields {
		return fields{"pinned": []string{r.event(s.Of)}}
	})},
	{name: "encryption", weight: 1, event: true, choose: anybody, request: sets("m.room.encryption", func(*room, Step) fields {
		return fields{"algorithm": "m.megolm.v1.aes-sha2"}
	})},
	{name: "server ACL", weight: 1, event: true, choose: anybody, request: sets("m.room.server_acl", func(*room, Step) fields {
		return fields{"allow": []string{"*"}, "deny": []string{"evil.example.org"}, "allow_ip_literals": true}
	})},
	{name: "widget", weight: 2, event: true, choose: anybody, request: func(r *room, s Step) request {
		return request{method: http.MethodPut, path: v3("rooms", r.id, "state", "im.vector.modular.widgets", "notes"), body: fields{
			"id": "notes", "type": "m.custom", "url": "https://example.org/notes", "name": text(s), "creatorUserId": own(r, s),
		}}
	}},
	{name: "custom state", weight: 2, event: true, guests: true, choose: anybody, request: func(r *room, s Step) request {
		return request{method: http.MethodPut, path: v3("rooms", r.id, "state", "org.example.state", "key"), body: fields{"number": s.ID}}
	}},
	{name: "own state", weight: 3, event: true, choose: anybody, names: "client-view/state-key-before-join", request: func(r *room, s Step) request {
		return request{method: http.MethodPut, path: v3("rooms", r.id, "state", "org.example.state", own(r, s)), body: fields{"number": s.ID}}
	}},
	{name: otherState, weight: 4, event: true, choose: powerless, names: "client-view/state-key-before-join", request: func(r *room, s Step) request {
		return request{
			method: http.MethodPut, path: v3("rooms", r.id, "state", "org.example.other", r.world.userID(s.Whom)), body: fields{"number": s.ID},
		}
	}},

	// the directory
	{name: "add alias", weight: 2, choose: oneOf("first", "second"), request: func(r *room, s Step) request {
		return request{method: http.MethodPut, path: v3("directory", "room", r.alias(s.Arg)), body: fields{"room_id": r.id}}
	}},
	{name: "remove alias", weight: 2, choose: oneOf("first", "second"), request: func(r *room, s Step) request {
		return request{method: http.MethodDelete, path: v3("directory", "room", r.alias(s.Arg))}
	}},
	{name: "resolve alias", weight: 1, read: true, choose: oneOf("first", "second"), request: func(r *room, s Step) request {
		return request{method: http.MethodGet, path: v3("directory", "room", r.alias(s.Arg))}
	}},
	{name: "publish", weight: 2, choose: oneOf("public", "private"), request: func(r *room, s Step) request {
		return request{method: http.MethodPut, path: v3("directory", "list", "room", r.id), body: fields{"visibility": s.Arg}}
	}},

	// what is not in events
	{name: "typing", weight: 2, choose: anybody, later: "typing", request: func(r *room, s Step) request {
		return request{
			method: http.MethodPut, path: v3("rooms", r.id, "typing", own(r, s)), body: fields{"typing": s.ID%3 > 0, "timeout": 120000},
		}
	}},
	{name: "typing of another", weight: 2, choose: naming, request: func(r *room, s Step) request {
		return request{
			method: http.MethodPut, path: v3("rooms", r.id, "typing", r.world.userID(s.Whom)), body: fields{"typing": true, "timeout": 120000},
		}
	}},
	{name: "receipt", weight: 3, choose: toMessage, later: "receipts", request: func(r *room, s Step) request {
		return request{method: http.MethodPost, path: v3("rooms", r.id, "receipt", "m.read", r.event(s.Of))}
	}},
	{name: "private receipt", weight: 1, choose: toMessage, later: "receipts", request: func(r *room, s Step) request {
		return request{method: http.MethodPost, path: v3("rooms", r.id, "receipt", "m.read.private", r.event(s.Of))}
	}},
	{name: "read markers", weight: 2, choose: toMessage, later: "account_data", request: func(r *room, s Step) request {
		return request{
			method: http.MethodPost, path: v3("rooms", r.id, "read_markers"), body: fields{"m.fully_read": r.event(s.Of), "m.read": r.event(s.Of)},
		}
	}},
	{name: "tag", weight: 1, choose: anybody, later: "account_data", request: func(r *room, s Step) request {
		return request{method: http.MethodPut, path: v3("user", own(r, s), "rooms", r.id, "tags", "u.twin"), body: fields{"order": 0.5}}
	}},
	{name: "untag", weight: 1, choose: anybody, request: func(r *room, s Step) request {
		return request{method: http.MethodDelete, path: v3("user", own(r, s), "rooms", r.id, "tags", "u.twin")}
	}},
	{name: "room account data", weight: 1, choose: anybody, later: "account_data", request: func(r *room, s Step) request {
		return request{
			method: http.MethodPut, path: v3("user", own(r, s), "rooms", r.id, "account_data", "org.example.data"), body: fields{"number": s.ID},
		}
	}},
	{name: "ignore", weight: 2, account: true, choose: ignoring, request: func(r *room, s Step) request {
		ignored := fields{}
		if s.Arg != nobodyIgnored {
			ignored[r.world.userID(s.Whom)] = fields{}
		}
		return request{method: http.MethodPut, path: v3("user", own(r, s), "account_data", "m.ignored_user_list"), body: fields{"ignored_users": ignored}}
	}},
	{name: "report", weight: 1, choose: toMessage, request: func(r *room, s Step) request {
		return request{method: http.MethodPost, path: v3("rooms", r.id, "report", r.event(s.Of)), body: fields{"reason": text(s), "score": -50}}
	}},

	// reading
	{name: "get event", weight: 2, read: true, choose: toEvent, request: func(r *room, s Step) request {
		return request{method: http.MethodGet, path: v3("rooms", r.id, "event", r.event(s.Of))}
	}},
	{name: "get context", weight: 2, read: true, choose: toEvent, request: func(r *room, s Step) request {
		return request{method: http.MethodGet, path: v3("rooms", r.id, "context", r.event(s.Of)), query: url.Values{"limit": {"4"}}}
	}},
	{name: "get member", weight: 2, read: true, choose: naming, request: func(r *room, s Step) request {
		return request{method: http.MethodGet, path: v3("rooms", r.id, "state", memberType, r.world.userID(s.Whom))}
	}},
	{name: "get state of another", weight: 1, read: true, choose: naming, request: func(r *room, s Step) request {
		return request{method: http.MethodGet, path: v3("rooms", r.id, "state", "org.example.state", r.world.userID(s.Whom))}
	}},
	{name: "get members", weight: 2, read: true, path: "members", choose: oneOf("join", "leave", "ban", "invite", "knock"), request: func(r *room, s Step) request {
		return request{method: http.MethodGet, path: v3("rooms", r.id, "members"), query: url.Values{"membership": {s.Arg}}}
	}},
	{name: "messages of a sender", weight: 2, read: true, choose: naming, request: func(r *room, s Step) request {
		return request{method: http.MethodGet, path: v3("rooms", r.id, "messages"), query: url.Values{
			"dir": {"b"}, "limit": {"50"}, "filter": {asJSON(fields{"senders": []string{r.world.userID(s.Whom)}})},
		}}
	}},
	{name: "messages but a sender's", weight: 2, read: true, choose: naming, request: func(r *room, s Step) request {
		return request{method: http.MethodGet, path: v3("rooms", r.id, "messages"), query: url.Values{
			"dir": {"f"}, "limit": {"50"}, "filter": {asJSON(fields{"not_senders": []string{r.world.userID(s.Whom)}, "types": []string{"m.room.*"}})},
		}}
	}},
	{name: "messages with lazy members", weight: 1, read: true, lazy: true, choose: anybody, request: func(r *room, _ Step) request {
		return request{method: http.MethodGet, path: v3("rooms", r.id, "messages"), query: url.Values{
			"dir": {"b"}, "limit": {"5"}, "filter": {asJSON(fields{"lazy_load_members": true})},
		}}
	}},
	{name: "search by sender", weight: 2, read: true, choose: naming, request: func(r *room, s Step) request {
		return search(r, fields{"senders": []string{r.world.userID(s.Whom)}})
	}},
	{name: "relations", weight: 2, read: true, choose: toMessage, request: func(r *room, s Step) request {
		return request{method: http.MethodGet, path: v1("rooms", r.id, "relations", r.event(s.Of))}
	}},
	{name: "event at a time", weight: 2, read: true, choose: oneOf("first", "last"), request: func(r *room, s Step) request {
		query := url.Values{"dir": {"f"}, "ts": {"1"}}
		if s.Arg == "last" {
			query = url.Values{"dir": {"b"}, "ts": {"4102444800000"}} // in 2100
		}
		return request{method: http.MethodGet, path: v1("rooms", r.id, "timestamp_to_event"), query: query}
	}},
	{name: "sync with senders", weight: 2, read: true, choose: naming, request: func(r *room, s Step) request {
		users := []string{r.world.userID(s.Whom)}
		return syncs(r, fields{"timeline": fields{"senders": users, "limit": 50}, "state": fields{"not_senders": users}})
	}},
	{name: "sync with lazy members", weight: 2, read: true, lazy: true, choose: anybody, request: func(r *room, _ Step) request {
		return syncs(r, fields{"timeline": fields{"limit": 2}, "state": fields{"lazy_load_members": true}})
	}},
}

// the join rules of restricted rooms: members of the room that all users are in may join, or of one that nobody is in
const (
	membersJoin   = "restricted"
	strangersJoin = "restricted to others"
)

func joinRule(r *room, step Step) fields { return r.joinRule(step.Arg) }

// joinRule is the content of a join rule.
func (r *room) joinRule(rule string) fields {
	allowed := r.world.meeting
	switch rule {
	case strangersJoin:
		allowed = "!nobody-is-in-this-room:" + r.world.Users[0].Server.Name
	case membersJoin:
	default:
		return fields{"join_rule": rule}
	}
	return fields{"join_rule": "restricted", "allow": []any{fields{"type": "m.room_membership", "room_id": allowed}}}
}

// syncs is an initial sync of one room with a filter.
func syncs(r *room, filter fields) request {
	for name, value := range quietly(r.id) {
		filter[name] = value
	}
	return request{
		method: http.MethodGet, path: v3("sync"), view: (*room).inSync,
		query: url.Values{"timeout": {"0"}, "filter": {asJSON(fields{"room": filter, "presence": nobodys})}},
	}
}

// nobodys is a filter that nothing passes.
var nobodys = fields{"not_types": []string{"*"}}

// quietly is the filter of one room, also if the user has left it.
func quietly(roomID string) fields { return fields{"rooms": []string{roomID}, "include_leave": true} }

// search searches the room's messages.
func search(r *room, filter fields) request {
	filter["rooms"] = []string{r.id}
	return request{method: http.MethodPost, path: v3("search"), body: fields{"search_categories": fields{"room_events": fields{
		"search_term": "words", "filter": filter, "order_by": "recent",
		"event_context": fields{"before_limit": 1, "after_limit": 1, "include_profile": true},
		"groupings":     fields{"group_by": []any{fields{"key": "sender"}}},
	}}}}
}

var kindsByName = func() map[string]kind {
	all := map[string]kind{}
	for _, each := range kinds {
		all[each.name] = each
	}
	return all
}()
