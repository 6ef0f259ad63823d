package users

// This file issues tokens that prove a user's identity to third parties (client-server API, "OpenID").

import "crypto/rand"

// NewOpenIDToken returns a token for a user that is valid until the server stops.
func (u *Users) NewOpenIDToken(userID string) string {
	token := rand.Text()
	u.lock.Lock()
	defer u.lock.Unlock()
	u.openID[token] = userID
	return token
}

// OpenIDUser returns the user of an OpenID token.
func (u *Users) OpenIDUser(token string) (string, bool) {
	u.lock.RLock()
	defer u.lock.RUnlock()
	userID, found := u.openID[token]
	return userID, found
}
