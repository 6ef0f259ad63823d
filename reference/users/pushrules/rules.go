// Package pushrules decides which events a user is notified of (client-server API, "Push Rules"). It sees events as
// clients do, so that it reads the same in every kind of room.
package pushrules

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Rule is one push rule, in the form of the client-server API.
type Rule struct {
	ID         string            `json:"rule_id"`
	Default    bool              `json:"default"`
	Enabled    bool              `json:"enabled"`
	Actions    []json.RawMessage `json:"actions"`
	Conditions []Condition       `json:"conditions,omitempty"` // of override and underride rules; all must hold
	Pattern    string            `json:"pattern,omitempty"`    // of content rules
}

// Condition is one condition of a rule. Which fields count depends on the kind.
type Condition struct {
	Kind    string          `json:"kind"`
	Key     string          `json:"key,omitempty"`
	Pattern *string         `json:"pattern,omitempty"`
	Is      string          `json:"is,omitempty"`
	Value   json.RawMessage `json:"value,omitempty"`
}

// Ruleset is the rules of a user; the first that matches applies: override, content, room, sender, underride. It is
// immutable; methods that change it return another.
type Ruleset struct {
	Override  []Rule `json:"override"`
	Content   []Rule `json:"content"`
	Room      []Rule `json:"room"`
	Sender    []Rule `json:"sender"`
	Underride []Rule `json:"underride"`
}

// Kinds are the kinds of rules in the order in which they apply.
var Kinds = []string{"override", "content", "room", "sender", "underride"}

// Of returns the rules of a kind, and whether there is such a kind.
func (s Ruleset) Of(kind string) ([]Rule, bool) {
	rules := s.kind(kind)
	if rules == nil {
		return nil, false
	}
	return *rules, true
}

func (s *Ruleset) kind(kind string) *[]Rule {
	switch kind {
	case "override":
		return &s.Override
	case "content":
		return &s.Content
	case "room":
		return &s.Room
	case "sender":
		return &s.Sender
	case "underride":
		return &s.Underride
	}
	return nil
}

// Find returns a rule.
func (s Ruleset) Find(kind, id string) (Rule, bool) {
	rules, _ := s.Of(kind)
	at := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == id })
	if at < 0 {
		return Rule{}, false
	}
	return rules[at], true
}

// With returns the rules with a user's own rule added. It replaces a rule with its ID; otherwise it is placed before
// the rule before or after the rule after, if given, or else first among the user's own. It returns an error if there
// is no such kind or rule, or if the rule would replace a default one.
func (s Ruleset) With(kind string, rule Rule, before, after string) (Ruleset, error) {
	rules, ok := s.Of(kind)
	if !ok {
		return s, fmt.Errorf("there is no kind %q of push rules", kind)
	}
	if strings.HasPrefix(rule.ID, ".") {
		return s, fmt.Errorf("the name %q is kept for default rules", rule.ID)
	}
	rules = slices.DeleteFunc(slices.Clone(rules), func(r Rule) bool { return r.ID == rule.ID })
	// .m.rule.master is before everything else, and the user's own rules before the other default rules.
	at := max(slices.IndexFunc(rules, func(r Rule) bool { return r.ID != masterRule }), 0)
	if len(rules) == 1 && rules[0].ID == masterRule {
		at = 1
	}
	for _, place := range []struct {
		id     string
		offset int
	}{{before, 0}, {after, 1}} {
		if place.id == "" {
			continue
		}
		found := slices.IndexFunc(rules, func(r Rule) bool { return r.ID == place.id && !r.Default })
		if found < 0 {
			return s, fmt.Errorf("there is no push rule %q of your own to place a rule beside", place.id)
		}
		at = found + place.offset
	}
	*s.kind(kind) = slices.Insert(rules, at, rule)
	return s, nil
}

// Without returns the rules without one of the user's own, and whether it existed.
func (s Ruleset) Without(kind, id string) (Ruleset, bool) {
	rule, found := s.Find(kind, id)
	if !found || rule.Default {
		return s, false
	}
	rules := s.kind(kind)
	*rules = slices.DeleteFunc(slices.Clone(*rules), func(r Rule) bool { return r.ID == id })
	return s, true
}

// Changed returns the rules with a rule changed, and whether it existed. change must not modify slices in place.
func (s Ruleset) Changed(kind, id string, change func(*Rule)) (Ruleset, bool) {
	if _, found := s.Find(kind, id); !found {
		return s, false
	}
	rules := s.kind(kind)
	*rules = slices.Clone(*rules)
	for i := range *rules {
		if (*rules)[i].ID == id {
			change(&(*rules)[i])
		}
	}
	return s, true
}
