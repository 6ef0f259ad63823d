package clientapi

// This file serves push rules and pushers (client-server API, "Push Notifications").

import (
	"encoding/json"

	"msc4014/reference/rooms"
	"msc4014/reference/users/pushrules"
)

func (a *API) pushRoutes() []route {
	const rule = "/v3/pushrules/global/{kind}/{ruleID}"
	return []route{
		{"GET", "/v3/pushrules/{$}", a.pushRules, false},
		{"GET", "/v3/pushrules", a.pushRules, false},
		{"GET", "/v3/pushrules/global", a.globalPushRules, false},
		{"GET", "/v3/pushrules/global/{$}", a.globalPushRules, false},
		{"GET", rule, a.pushRule, false},
		{"PUT", rule, a.putPushRule, false},
		{"DELETE", rule, a.deletePushRule, false},
		{"GET", rule + "/enabled", a.pushRuleEnabled, false},
		{"PUT", rule + "/enabled", a.enablePushRule, false},
		{"GET", rule + "/actions", a.pushRuleActions, false},
		{"PUT", rule + "/actions", a.setPushRuleActions, false},
		{"GET", "/v3/pushers", a.pushers, false},
		{"POST", "/v3/pushers/set", a.setPusher, false},
		{"GET", "/v3/notifications", a.notifications, false},
	}
}

func (a *API) pushRules(r *request) (any, error) {
	return object{"global": a.Users.PushRules(r.UserID)}, nil
}

func (a *API) globalPushRules(r *request) (any, error) { return a.Users.PushRules(r.UserID), nil }

// foundRule returns the push rule that the path names.
func (r *request) foundRule() (pushrules.Rule, error) {
	rule, found := r.api.Users.PushRules(r.UserID).Find(r.PathValue("kind"), r.PathValue("ruleID"))
	if !found {
		return rule, r.noRule()
	}
	return rule, nil
}

func (r *request) noRule() error {
	return rooms.NotFound("there is no push rule %s/%s", r.PathValue("kind"), r.PathValue("ruleID"))
}

func (a *API) pushRule(r *request) (any, error) { return r.foundRule() }

func (a *API) pushRuleEnabled(r *request) (any, error) {
	rule, err := r.foundRule()
	return object{"enabled": rule.Enabled}, err
}

func (a *API) pushRuleActions(r *request) (any, error) {
	rule, err := r.foundRule()
	return object{"actions": rule.Actions}, err
}

func (a *API) putPushRule(r *request) (any, error) {
	var rule pushrules.Rule
	if err := r.into(&rule); err != nil {
		return nil, err
	}
	if rule.Actions == nil {
		return nil, rooms.Bad("M_MISSING_PARAM", "a push rule needs actions, if only an empty list")
	}
	kind := r.PathValue("kind")
	if kind == "content" && rule.Pattern == "" {
		return nil, rooms.Bad("M_MISSING_PARAM", "a content rule needs a pattern")
	}
	rule.ID, rule.Default, rule.Enabled = r.PathValue("ruleID"), false, true
	return empty{}, a.Users.ChangePushRules(r.UserID, func(rules pushrules.Ruleset) (pushrules.Ruleset, error) {
		if known, found := rules.Find(kind, rule.ID); found {
			rule.Enabled = known.Enabled
		}
		changed, err := rules.With(kind, rule, r.query("before"), r.query("after"))
		if err != nil {
			return rules, rooms.Bad("M_INVALID_PARAM", "%v", err)
		}
		return changed, nil
	})
}

func (a *API) deletePushRule(r *request) (any, error) {
	return empty{}, a.Users.ChangePushRules(r.UserID, func(rules pushrules.Ruleset) (pushrules.Ruleset, error) {
		changed, found := rules.Without(r.PathValue("kind"), r.PathValue("ruleID"))
		if !found {
			return rules, r.noRule()
		}
		return changed, nil
	})
}

func (a *API) enablePushRule(r *request) (any, error) {
	var body struct {
		Enabled *bool `json:"enabled"`
	}
	if err := r.into(&body); err != nil {
		return nil, err
	}
	if body.Enabled == nil {
		return nil, rooms.Bad("M_MISSING_PARAM", "enabled is missing")
	}
	return a.changeRule(r, func(rule *pushrules.Rule) { rule.Enabled = *body.Enabled })
}

func (a *API) setPushRuleActions(r *request) (any, error) {
	var body struct {
		Actions []json.RawMessage `json:"actions"`
	}
	if err := r.into(&body); err != nil {
		return nil, err
	}
	if body.Actions == nil {
		return nil, rooms.Bad("M_MISSING_PARAM", "actions are missing")
	}
	return a.changeRule(r, func(rule *pushrules.Rule) { rule.Actions = body.Actions })
}

func (a *API) changeRule(r *request, change func(*pushrules.Rule)) (any, error) {
	return empty{}, a.Users.ChangePushRules(r.UserID, func(rules pushrules.Ruleset) (pushrules.Ruleset, error) {
		changed, found := rules.Changed(r.PathValue("kind"), r.PathValue("ruleID"), change)
		if !found {
			return rules, r.noRule()
		}
		return changed, nil
	})
}

func (a *API) pushers(r *request) (any, error) {
	return object{"pushers": append([]json.RawMessage{}, a.Users.Pushers(r.UserID)...)}, nil
}

func (a *API) setPusher(r *request) (any, error) {
	pusher, err := r.body()
	if err != nil {
		return nil, err
	}
	return empty{}, a.Users.SetPusher(r.UserID, pusher)
}
