package pushrules

// This file has the default rules of every user (client-server API, "Predefined Rules").

import (
	"encoding/json"
	"strings"
)

const masterRule = ".m.rule.master"

// The actions.
var (
	notify    = json.RawMessage(`"notify"`)
	sound     = json.RawMessage(`{"set_tweak":"sound","value":"default"}`)
	ring      = json.RawMessage(`{"set_tweak":"sound","value":"ring"}`)
	highlight = json.RawMessage(`{"set_tweak":"highlight"}`)
)

func actions(list ...json.RawMessage) []json.RawMessage { return append([]json.RawMessage{}, list...) }

func matches(key, pattern string) Condition {
	return Condition{Kind: "event_match", Key: key, Pattern: &pattern}
}

func is(key, value string) Condition {
	return Condition{Kind: "event_property_is", Key: key, Value: json.RawMessage(value)}
}

func quoted(text string) string {
	raw, _ := json.Marshal(text) // a string always marshals
	return string(raw)
}

// Defaults returns the rules of a user that has changed none.
func Defaults(userID string) Ruleset {
	rule := func(id string, what []json.RawMessage, conditions ...Condition) Rule {
		return Rule{ID: id, Default: true, Enabled: true, Actions: what, Conditions: conditions}
	}
	localpart, _, _ := strings.Cut(strings.TrimPrefix(userID, "@"), ":")
	master := rule(masterRule, actions())
	master.Enabled = false
	twoMembers := Condition{Kind: "room_member_count", Is: "2"}
	mayNotifyRoom := Condition{Kind: "sender_notification_permission", Key: "room"}
	return Ruleset{
		Override: []Rule{
			master,
			rule(".m.rule.suppress_notices", actions(), matches("content.msgtype", "m.notice")),
			rule(".m.rule.invite_for_me", actions(notify, sound),
				matches("type", "m.room.member"), matches("content.membership", "invite"), matches("state_key", userID)),
			rule(".m.rule.member_event", actions(), matches("type", "m.room.member")),
			rule(".m.rule.is_user_mention", actions(notify, sound, highlight),
				Condition{Kind: "event_property_contains", Key: `content.m\.mentions.user_ids`, Value: json.RawMessage(quoted(userID))}),
			rule(".m.rule.contains_display_name", actions(notify, sound, highlight), Condition{Kind: "contains_display_name"}),
			rule(".m.rule.is_room_mention", actions(notify, highlight), is(`content.m\.mentions.room`, "true"), mayNotifyRoom),
			rule(".m.rule.roomnotif", actions(notify, highlight), matches("content.body", "@room"), mayNotifyRoom),
			rule(".m.rule.tombstone", actions(notify, highlight), matches("type", "m.room.tombstone"), matches("state_key", "")),
			rule(".m.rule.reaction", actions(), matches("type", "m.reaction")),
			rule(".m.rule.room.server_acl", actions(), matches("type", "m.room.server_acl"), matches("state_key", "")),
			rule(".m.rule.suppress_edits", actions(), is(`content.m\.relates_to.rel_type`, `"m.replace"`)),
		},
		Content: []Rule{{ID: ".m.rule.contains_user_name", Default: true, Enabled: true, Pattern: localpart,
			Actions: actions(notify, sound, highlight)}},
		Room:   []Rule{},
		Sender: []Rule{},
		Underride: []Rule{
			rule(".m.rule.call", actions(notify, ring), matches("type", "m.call.invite")),
			rule(".m.rule.encrypted_room_one_to_one", actions(notify, sound), twoMembers, matches("type", "m.room.encrypted")),
			rule(".m.rule.room_one_to_one", actions(notify, sound), twoMembers, matches("type", "m.room.message")),
			rule(".m.rule.message", actions(notify), matches("type", "m.room.message")),
			rule(".m.rule.encrypted", actions(notify), matches("type", "m.room.encrypted")),
		},
	}
}
