// Package invite judges chapter invite: the inviting server sends an invite without the invited user's key, the invited server
// completes it, and the inviting server signs what it gets back (MSC1228, Sending invites).
package invite
