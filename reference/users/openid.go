package users

// This file hands out tokens by which a third service learns who somebody is (client-server API, "OpenID").

import "crypto/rand"

// NewOpenIDToken makes a token that proves to others who a user is, until the server ends.
func (u *Users) NewOpenIDToken(userID string) string {
	token := rand.Text()
	u.lock.Lock()
	defer u.lock.Unlock()
	u.openID[token] = userID
	return token
}

// OpenIDUser returns whom an OpenID token stands for.
func (u *Users) OpenIDUser(token string) (string, bool) {
	u.lock.RLock()
	defer u.lock.RUnlock()
	userID, found := u.openID[token]
	return userID, found
}
