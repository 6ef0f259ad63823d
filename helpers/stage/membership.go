package stage

// Membership changes of other users, and profile changes.

import (
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
)

// Invites invites a user by user ID.
func (u *User) Invites(roomID, userID string) {
	u.need(u.Invite(u.stage.C.Context(), roomID, userID))
}

// Kicks kicks a member by user ID.
func (u *User) Kicks(roomID, userID string) {
	u.stage.C.Need("membership/kick", u.Kick(u.stage.C.Context(), roomID, userID, ""))
}

// Bans bans a user by user ID.
func (u *User) Bans(roomID, userID string) {
	u.stage.C.Need("membership/ban", u.Ban(u.stage.C.Context(), roomID, userID, ""))
}

// Unbans lifts the ban of a user by user ID.
func (u *User) Unbans(roomID, userID string) {
	u.stage.C.Need("membership/unban", u.Unban(u.stage.C.Context(), roomID, userID))
}

// Knocks knocks on a room, through the servers via if given.
func (u *User) Knocks(roomID string, via ...string) {
	_, err := u.Knock(u.stage.C.Context(), roomID, "", via...)
	NeedKnock(u.stage.C, err)
}

// NeedKnock blocks the check by membership/knock if a request to knock failed. It ends the check as unsupported if the server has no
// endpoint for that: then nobody can knock on ordinary rooms either.
func NeedKnock(c *check.C, err error) {
	if refusal, ok := csapi.Refused(err); ok && refusal.ErrCode == "M_UNRECOGNIZED" {
		c.Unsupported("users cannot knock on ordinary rooms of the server either: %v", err)
	}
	c.Need("membership/knock", err)
}

// SetsDisplayName changes the user's display name.
func (u *User) SetsDisplayName(name string) {
	u.stage.C.Need("membership/profile-propagates", u.SetDisplayName(u.stage.C.Context(), name))
}

// SetsAvatar changes the user's avatar to an mxc: URI.
func (u *User) SetsAvatar(uri string) {
	u.stage.C.Need("membership/profile-propagates", u.SetAvatar(u.stage.C.Context(), uri))
}
