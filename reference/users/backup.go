package users

// This file keeps backups of room keys (client-server API, "Server-side key backups"). Their contents are encrypted by
// the client.

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"msc4014/reference/store"
)

// Backup is one version of a user's backup; the last version that is not deleted is the current one.
type Backup struct {
	Version   string                     `json:"version"`
	Algorithm string                     `json:"algorithm"`
	AuthData  json.RawMessage            `json:"auth_data"`
	Changes   int                        `json:"changes"` // the number of changes, for the etag
	Deleted   bool                       `json:"deleted,omitempty"`
	Sessions  map[string]json.RawMessage `json:"sessions"` // by store.Key(room ID, session ID)
}

// AddBackup adds a new version and returns its name.
func (u *Users) AddBackup(userID, algorithm string, authData json.RawMessage) (string, error) {
	var version string
	return version, u.Store.Update(func(tx *store.Tx) error {
		known, _ := u.backups.Get(userID)
		version = strconv.Itoa(len(known) + 1)
		u.backups.Put(tx, userID, append(slices.Clip(known), Backup{Version: version, Algorithm: algorithm, AuthData: authData}))
		return nil
	})
}

// Backup returns a version of a backup, or the current one for "". It returns M_NOT_FOUND if there is none.
func (u *Users) Backup(userID, version string) (Backup, error) {
	known, _ := u.backups.Get(userID)
	for _, b := range slices.Backward(known) {
		if !b.Deleted && (version == "" || version == b.Version) {
			return b, nil
		}
	}
	return Backup{}, refuse("M_NOT_FOUND", "%s has no key backup %q", userID, version)
}

// ChangeBackup changes a version of a backup. change must not modify its map in place. With current, it returns
// M_WRONG_ROOM_KEYS_VERSION if the version is not the current one.
func (u *Users) ChangeBackup(userID, version string, current bool, change func(*Backup)) (Backup, error) {
	var changed Backup
	return changed, u.Store.Update(func(tx *store.Tx) error {
		var err error
		if changed, err = u.Backup(userID, version); err != nil {
			return err
		}
		if newest, _ := u.Backup(userID, ""); current && newest.Version != version {
			return refuse("M_WRONG_ROOM_KEYS_VERSION", "the current key backup is %s", newest.Version)
		}
		change(&changed)
		changed.Changes++
		known, _ := u.backups.Get(userID)
		all := slices.Clone(known)
		for i := range all {
			if all[i].Version == version {
				all[i] = changed
			}
		}
		u.backups.Put(tx, userID, all)
		return nil
	})
}

// PutSession adds a session to a backup, unless the backup has a better one: a verified one, else one with an earlier
// first message, else one that was forwarded less often.
func (b *Backup) PutSession(roomID, sessionID string, session json.RawMessage) {
	key := store.Key(roomID, sessionID)
	if known, found := b.Sessions[key]; found && !better(session, known) {
		return
	}
	b.Sessions = merged(b.Sessions, map[string]json.RawMessage{key: session})
}

func better(session, than json.RawMessage) bool {
	type quality struct {
		Verified  bool `json:"is_verified"`
		First     int  `json:"first_message_index"`
		Forwarded int  `json:"forwarded_count"`
	}
	var mine, theirs quality
	if json.Unmarshal(session, &mine) != nil {
		return false
	}
	if json.Unmarshal(than, &theirs) != nil {
		return true
	}
	switch {
	case mine.Verified != theirs.Verified:
		return mine.Verified
	case mine.First != theirs.First:
		return mine.First < theirs.First
	}
	return mine.Forwarded < theirs.Forwarded
}

// DeleteSessions deletes sessions from a backup: all, those of a room, or one.
func (b *Backup) DeleteSessions(roomID, sessionID string) {
	b.Sessions = maps.Clone(b.Sessions)
	maps.DeleteFunc(b.Sessions, func(key string, _ json.RawMessage) bool { return isOf(key, roomID, sessionID) })
}

// Rooms returns the sessions of a backup by room ID and session ID: all, those of a room, or one.
func (b *Backup) Rooms(roomID, sessionID string) map[string]map[string]json.RawMessage {
	rooms := map[string]map[string]json.RawMessage{}
	for key, session := range b.Sessions {
		if !isOf(key, roomID, sessionID) {
			continue
		}
		parts := store.Parts(key)
		if rooms[parts[0]] == nil {
			rooms[parts[0]] = map[string]json.RawMessage{}
		}
		rooms[parts[0]][parts[1]] = session
	}
	return rooms
}

// isOf reports whether a key is of a room and a session; "" matches any.
func isOf(key, roomID, sessionID string) bool {
	parts := store.Parts(key)
	return (roomID == "" || parts[0] == roomID) && (sessionID == "" || parts[1] == sessionID)
}
