package users

// This file manages profiles: display names, avatars and other fields.

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"msc4014/reference/store"
)

// Profile returns the fields of a user's profile, for a remote user by asking its server. It returns M_NOT_FOUND if
// there is no such user.
func (u *Users) Profile(ctx context.Context, userID string) (map[string]json.RawMessage, error) {
	if u.Local(userID) {
		return u.LocalProfile(userID)
	}
	raw, err := u.remote.Profile(ctx, userID)
	if err != nil {
		return nil, refuse("M_NOT_FOUND", "the server of %s does not tell its profile: %v", userID, err)
	}
	var profile map[string]json.RawMessage
	if err := json.Unmarshal(raw, &profile); err != nil {
		return nil, fmt.Errorf("read the profile of %s: %w", userID, err)
	}
	return profile, nil
}

// LocalProfile returns the profile fields of a local user. It returns M_NOT_FOUND if there is no such user.
func (u *Users) LocalProfile(userID string) (map[string]json.RawMessage, error) {
	account, found := u.accounts.Get(userID)
	if !found || account.Deactivated {
		return nil, refuse("M_NOT_FOUND", "there is no user %s", userID)
	}
	return account.Profile, nil
}

// SetProfileField changes a profile field of a local user; a nil value removes it. The caller must update the user's
// rooms.
func (u *Users) SetProfileField(userID, field string, value json.RawMessage) error {
	return u.Store.Update(func(tx *store.Tx) error {
		account, found := u.accounts.Get(userID)
		if !found {
			return refuse("M_NOT_FOUND", "there is no user %s", userID)
		}
		changed := maps.Clone(account.Profile)
		if changed == nil {
			changed = map[string]json.RawMessage{}
		}
		if value == nil {
			delete(changed, field)
		} else {
			changed[field] = value
		}
		account.Profile = changed
		u.accounts.Put(tx, userID, account)
		return nil
	})
}
