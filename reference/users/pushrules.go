package users

// This file keeps push rules: the account data m.push_rules, which clients change rule by rule.

import (
	"encoding/json"
	"fmt"

	"msc4014/reference/store"
	"msc4014/reference/users/pushrules"
)

const pushRulesType = "m.push_rules"

// global is the content of m.push_rules.
type global struct {
	Global pushrules.Ruleset `json:"global"`
}

// PushRules returns the push rules of a user.
func (u *Users) PushRules(userID string) pushrules.Ruleset {
	content, found := u.AccountData(userID, "", pushRulesType)
	var rules global
	if !found || json.Unmarshal(content, &rules) != nil {
		return pushrules.Defaults(userID)
	}
	return rules.Global
}

// ChangePushRules stores the result of change on the push rules of a user, and announces it to /sync.
func (u *Users) ChangePushRules(userID string, change func(pushrules.Ruleset) (pushrules.Ruleset, error)) error {
	return u.publish(func(tx *store.Tx, position int64) error {
		rules, err := change(u.PushRules(userID))
		if err != nil {
			return err
		}
		content, err := json.Marshal(global{rules})
		if err != nil {
			return fmt.Errorf("change the push rules of %s: %w", userID, err)
		}
		u.putAccountData(tx, position, userID, "", pushRulesType, content)
		return nil
	})
}

// pushRulesEvent returns the account data of a user that never changed a rule.
func (u *Users) pushRulesEvent(userID string) DataEvent {
	content, _ := json.Marshal(global{pushrules.Defaults(userID)}) // strings and raw JSON made here always marshal
	return DataEvent{pushRulesType, content}
}
