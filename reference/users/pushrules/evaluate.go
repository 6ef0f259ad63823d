package pushrules

// This file finds the rule that matches an event, and its outcome.

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/tidwall/gjson"
)

// Facts are what rules need to know besides the event.
type Facts struct {
	UserID      string // the owner of the rules
	DisplayName string // of that user in the room
	Members     int    // the number of joined members
	// MayNotify reports whether a member has the power level for a notification of everybody in the room, such as "room".
	MayNotify func(userID, notification string) bool
}

// Outcome is what a rule decides about an event.
type Outcome struct {
	Notify    bool
	Highlight bool
	Actions   []json.RawMessage
}

// Evaluate returns the outcome of the first enabled rule that matches an event, as clients see it. The user's own
// events have no outcome.
func (s Ruleset) Evaluate(event []byte, facts Facts) Outcome {
	e := gjson.ParseBytes(event)
	if e.Get("sender").String() == facts.UserID {
		return Outcome{}
	}
	mentions := e.Get(`content.m\.mentions`).IsObject()
	for _, kind := range Kinds {
		rules, _ := s.Of(kind)
		for _, rule := range rules {
			if rule.Enabled && !(mentions && supersededByMentions[rule.ID]) && rule.matches(kind, e, facts) {
				return rule.outcome()
			}
		}
	}
	return Outcome{}
}

// supersededByMentions are the rules that do not apply to events that declare whom they mention.
var supersededByMentions = map[string]bool{
	".m.rule.contains_display_name": true, ".m.rule.contains_user_name": true, ".m.rule.roomnotif": true,
}

func (r Rule) outcome() Outcome {
	outcome := Outcome{Actions: r.Actions}
	for _, raw := range r.Actions {
		action := gjson.ParseBytes(raw)
		if action.String() == "notify" {
			outcome.Notify = true
		}
		if action.Get("set_tweak").String() == "highlight" {
			value := action.Get("value")
			outcome.Highlight = !value.Exists() || value.Bool()
		}
	}
	outcome.Highlight = outcome.Highlight && outcome.Notify
	return outcome
}

func (r Rule) matches(kind string, event gjson.Result, facts Facts) bool {
	switch kind {
	case "content":
		return globMatches(r.Pattern, event.Get("content.body"), true)
	case "room":
		return event.Get("room_id").String() == r.ID
	case "sender":
		return event.Get("sender").String() == r.ID
	}
	return !slices.ContainsFunc(r.Conditions, func(c Condition) bool { return !c.holds(event, facts) })
}

// holds reports whether a condition holds; one of an unknown kind does not.
func (c Condition) holds(event gjson.Result, facts Facts) bool {
	switch c.Kind {
	case "event_match":
		return c.Pattern != nil && globMatches(*c.Pattern, property(event, c.Key), c.Key == "content.body")
	case "event_property_is":
		return simple(property(event, c.Key)) && same(property(event, c.Key), c.Value)
	case "event_property_contains":
		list := property(event, c.Key)
		return list.IsArray() && slices.ContainsFunc(list.Array(), func(e gjson.Result) bool { return same(e, c.Value) })
	case "contains_display_name":
		return facts.DisplayName != "" && globMatches(escapeGlob(facts.DisplayName), event.Get("content.body"), true)
	case "room_member_count":
		return countMatches(c.Is, facts.Members)
	case "sender_notification_permission":
		return facts.MayNotify(event.Get("sender").String(), c.Key)
	}
	return false
}

// property returns the property at a dotted path; a backslash before a dot or a backslash makes it part of a name.
func property(event gjson.Result, key string) gjson.Result {
	value, name := event, strings.Builder{}
	step := func() {
		value = value.Get(gjson.Escape(name.String()))
		name.Reset()
	}
	for i := 0; i < len(key); i++ {
		switch {
		case key[i] == '\\' && i+1 < len(key) && (key[i+1] == '.' || key[i+1] == '\\'):
			i++
			name.WriteByte(key[i])
		case key[i] == '.':
			step()
		default:
			name.WriteByte(key[i])
		}
	}
	step()
	return value
}

func simple(value gjson.Result) bool { return value.Exists() && !value.IsArray() && !value.IsObject() }

// same reports whether two values are equal, and neither lists nor objects.
func same(value gjson.Result, raw json.RawMessage) bool {
	other := gjson.ParseBytes(raw)
	return value.Type == other.Type && simple(other) && value.String() == other.String()
}

// globMatches matches text against a pattern with * and ?, ignoring case: a whole value, or words in it.
func globMatches(pattern string, value gjson.Result, words bool) bool {
	if value.Type != gjson.String {
		return false
	}
	key := pattern
	if words {
		key = "\x00" + pattern
	}
	compiled, ok := globs.Load(key)
	if !ok {
		quoted := strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(regexp.QuoteMeta(pattern))
		expression := `(?is)^` + quoted + `$`
		if words {
			expression = `(?is)(^|[^\p{L}\p{N}_])` + quoted + `([^\p{L}\p{N}_]|$)`
		}
		made, err := regexp.Compile(expression)
		if err != nil { // a pattern that is not valid UTF-8 matches nothing
			return false
		}
		compiled, _ = globs.LoadOrStore(key, made)
	}
	return compiled.(*regexp.Regexp).MatchString(value.Str)
}

// globs caches the expressions made from patterns.
var globs sync.Map

// escapeGlob returns a pattern for a literal text: * and ? cannot be escaped, so each becomes "any character".
func escapeGlob(text string) string { return strings.NewReplacer("*", "?").Replace(text) }

func countMatches(is string, members int) bool {
	number := strings.TrimLeft(is, "<>=")
	wanted, err := strconv.Atoi(number)
	if err != nil {
		return false
	}
	switch strings.TrimSuffix(is, number) {
	case "", "==":
		return members == wanted
	case "<":
		return members < wanted
	case ">":
		return members > wanted
	case "<=":
		return members <= wanted
	case ">=":
		return members >= wanted
	}
	return false
}
