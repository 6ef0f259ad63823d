package users

// This file manages accounts: registration, passwords and deactivation.

import (
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"msc4014/reference/identity"
	"msc4014/reference/store"
)

// passwordRounds makes a guess at a password cost some milliseconds. The server is for tests and for reading; one that
// is reachable from outside would use more.
const passwordRounds = 10_000

// Account is a user of this server.
type Account struct {
	Salt        []byte                     `json:"salt,omitempty"`
	Password    []byte                     `json:"password,omitempty"` // its digest; without one, password login is impossible
	Created     int64                      `json:"created"`            // in milliseconds
	Deactivated bool                       `json:"deactivated,omitempty"`
	Profile     map[string]json.RawMessage `json:"profile,omitempty"`
}

// setPassword sets the account's password; "" removes it.
func (a *Account) setPassword(password string) error {
	a.Salt, a.Password = nil, nil
	if password == "" {
		return nil
	}
	a.Salt = make([]byte, 16)
	_, _ = rand.Read(a.Salt) // never fails, by its documentation
	digest, err := pbkdf2.Key(sha256.New, password, a.Salt, passwordRounds, sha256.Size)
	a.Password = digest
	return err
}

// Localpart returns the localpart of a local user, given as a localpart or a user ID.
func (u *Users) Localpart(user string) (string, error) {
	if !strings.HasPrefix(user, "@") {
		return user, nil
	}
	if !u.Local(user) {
		return "", refuse("M_FORBIDDEN", "%s is not a user of %s", user, u.Server)
	}
	localpart, _, _ := strings.Cut(user[1:], ":")
	return localpart, nil
}

// CheckAvailable returns an error if nobody can register with a localpart: M_INVALID_USERNAME, M_EXCLUSIVE (it is
// reserved for members that cannot be verified) or M_USER_IN_USE (client-server API, "Account registration"; identifier
// grammar in the appendices).
func (u *Users) CheckAvailable(localpart string) error {
	userID := "@" + localpart + ":" + u.Server
	legal := func(c rune) bool {
		return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.ContainsRune("._=-/+", c)
	}
	switch {
	case localpart == "" || strings.ContainsFunc(localpart, func(c rune) bool { return !legal(c) }):
		return refuse("M_INVALID_USERNAME", "the username %q is not made of a-z, 0-9 and . _ = - / +", localpart)
	case identity.CheckUserID(userID) != nil:
		return refuse("M_INVALID_USERNAME", "the username %q makes no valid user ID", localpart)
	case !u.MayRegister(localpart):
		return refuse("M_EXCLUSIVE", "the username %q is reserved for members who cannot be verified", localpart)
	}
	if _, found := u.accounts.Get(userID); found {
		return refuse("M_USER_IN_USE", "the username %q is taken", localpart)
	}
	return nil
}

// Register creates an account and returns its user ID. If localpart is empty, the server chooses one; the errors are
// those of CheckAvailable.
func (u *Users) Register(localpart, password string) (string, error) {
	if localpart == "" {
		localpart = strings.ToLower(rand.Text()[:12])
	}
	localpart = strings.ToLower(localpart)
	account := Account{Created: time.Now().UnixMilli()}
	if err := account.setPassword(password); err != nil {
		return "", fmt.Errorf("register %q: %w", localpart, err)
	}
	userID := "@" + localpart + ":" + u.Server
	return userID, u.Store.Update(func(tx *store.Tx) error {
		if err := u.CheckAvailable(localpart); err != nil {
			return err
		}
		name, _ := json.Marshal(localpart)
		account.Profile = map[string]json.RawMessage{"displayname": name}
		u.accounts.Put(tx, userID, account)
		return nil
	})
}

// Exists reports whether a user ID has an account here that is not deactivated.
func (u *Users) Exists(userID string) bool {
	account, found := u.accounts.Get(userID)
	return found && !account.Deactivated
}

// CheckPassword returns an error if a password is not that of a user: M_FORBIDDEN, or M_USER_DEACTIVATED.
func (u *Users) CheckPassword(userID, password string) error {
	account, found := u.accounts.Get(userID)
	if found && account.Deactivated {
		return refuse("M_USER_DEACTIVATED", "the account %s was deactivated", userID)
	}
	if found && account.Password != nil {
		digest, err := pbkdf2.Key(sha256.New, password, account.Salt, passwordRounds, sha256.Size)
		if err != nil {
			return fmt.Errorf("check the password of %s: %w", userID, err)
		}
		if subtle.ConstantTimeCompare(digest, account.Password) == 1 {
			return nil
		}
	}
	return refuse("M_FORBIDDEN", "the password is not that of %s", userID)
}

// SetPassword changes a password. With logOutOthers, all other devices are logged out.
func (u *Users) SetPassword(userID, password, deviceID string, logOutOthers bool) error {
	err := u.Store.Update(func(tx *store.Tx) error {
		account, found := u.accounts.Get(userID)
		if !found {
			return refuse("M_NOT_FOUND", "there is no account %s", userID)
		}
		if err := account.setPassword(password); err != nil {
			return fmt.Errorf("change the password of %s: %w", userID, err)
		}
		u.accounts.Put(tx, userID, account)
		return nil
	})
	if err != nil || !logOutOthers {
		return err
	}
	all, _ := u.devices.Get(userID)
	others := slices.DeleteFunc(slices.Collect(maps.Keys(all)), func(id string) bool { return id == deviceID })
	return u.DeleteDevices(userID, others...)
}

// Deactivate ends an account for good: no password, no devices, no profile. Its user ID is never reused. The caller
// must leave its rooms (client-server API, "Account deactivation").
func (u *Users) Deactivate(userID string) error {
	if err := u.DeleteAllDevices(userID); err != nil {
		return err
	}
	return u.Store.Update(func(tx *store.Tx) error {
		account, _ := u.accounts.Get(userID)
		u.accounts.Put(tx, userID, Account{Created: account.Created, Deactivated: true})
		u.pushers.Delete(tx, userID)
		u.signing.Delete(tx, userID)
		return nil
	})
}

// Search returns the user IDs with accounts here whose user ID or display name contains a term, sorted.
func (u *Users) Search(term string) []string {
	var found []string
	for userID, account := range u.accounts.All() {
		var name string
		_ = json.Unmarshal(account.Profile["displayname"], &name)
		matches := strings.Contains(strings.ToLower(userID), strings.ToLower(term)) ||
			strings.Contains(strings.ToLower(name), strings.ToLower(term))
		if !account.Deactivated && matches {
			found = append(found, userID)
		}
	}
	return found
}
