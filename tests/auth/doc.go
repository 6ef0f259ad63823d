// Package auth judges chapter auth: the authorisation rules and state resolution, with sender keys in the place of user IDs.
package auth
