package clientapi

// This file serves backups of room keys (client-server API, "Server-side key backups").

import (
	"encoding/json"
	"strconv"

	"msc4014/reference/rooms"
	"msc4014/reference/users"
)

func (a *API) backupRoutes() []route {
	const keys, room, session = "/v3/room_keys/keys", "/v3/room_keys/keys/{roomID}", "/v3/room_keys/keys/{roomID}/{sessionID}"
	return []route{
		{"POST", "/v3/room_keys/version", a.addBackup, false},
		{"GET", "/v3/room_keys/version", a.backup, false},
		{"GET", "/v3/room_keys/version/{version}", a.backup, false},
		{"PUT", "/v3/room_keys/version/{version}", a.changeBackup, false},
		{"DELETE", "/v3/room_keys/version/{version}", a.deleteBackup, false},
		{"GET", keys, a.sessions, false}, {"PUT", keys, a.putSessions, false}, {"DELETE", keys, a.deleteSessions, false},
		{"GET", room, a.sessions, false}, {"PUT", room, a.putSessions, false}, {"DELETE", room, a.deleteSessions, false},
		{"GET", session, a.sessions, false}, {"PUT", session, a.putSessions, false}, {"DELETE", session, a.deleteSessions, false},
	}
}

// backupInfo is what clients write about a backup version.
type backupInfo struct {
	Algorithm string          `json:"algorithm"`
	AuthData  json.RawMessage `json:"auth_data"`
}

func (a *API) addBackup(r *request) (any, error) {
	var info backupInfo
	if err := r.into(&info); err != nil {
		return nil, err
	}
	if info.Algorithm == "" || info.AuthData == nil {
		return nil, rooms.Bad("M_MISSING_PARAM", "a key backup needs algorithm and auth_data")
	}
	version, err := a.Users.AddBackup(r.UserID, info.Algorithm, info.AuthData)
	return object{"version": version}, err
}

func (a *API) backup(r *request) (any, error) {
	b, err := a.Users.Backup(r.UserID, r.PathValue("version"))
	if err != nil {
		return nil, err
	}
	answer := backupCount(b)
	answer["version"], answer["algorithm"], answer["auth_data"] = b.Version, b.Algorithm, b.AuthData
	return answer, nil
}

func backupCount(b users.Backup) object {
	return object{"count": len(b.Sessions), "etag": strconv.Itoa(b.Changes)}
}

func (a *API) changeBackup(r *request) (any, error) {
	var info backupInfo
	if err := r.into(&info); err != nil {
		return nil, err
	}
	version := r.PathValue("version")
	b, err := a.Users.Backup(r.UserID, version)
	if err != nil {
		return nil, err
	}
	if info.Algorithm != b.Algorithm {
		return nil, rooms.Bad("M_INVALID_PARAM", "the algorithm of a key backup cannot change")
	}
	_, err = a.Users.ChangeBackup(r.UserID, version, false, func(b *users.Backup) { b.AuthData = info.AuthData })
	return empty{}, err
}

func (a *API) deleteBackup(r *request) (any, error) {
	_, err := a.Users.ChangeBackup(r.UserID, r.PathValue("version"), false, func(b *users.Backup) {
		b.Deleted, b.Sessions = true, nil
	})
	return empty{}, err
}

// sessions returns all sessions, those of a room, or one, depending on the path.
func (a *API) sessions(r *request) (any, error) {
	b, err := a.Users.Backup(r.UserID, r.query("version"))
	if err != nil {
		return nil, err
	}
	roomID, sessionID := r.PathValue("roomID"), r.PathValue("sessionID")
	found := b.Rooms(roomID, sessionID)
	if sessionID != "" {
		if session, ok := found[roomID][sessionID]; ok {
			return session, nil
		}
		return nil, rooms.NotFound("the key backup has no session %s of room %s", sessionID, roomID)
	}
	if roomID != "" {
		return object{"sessions": orEmpty(found[roomID])}, nil
	}
	all := object{}
	for id, of := range found {
		all[id] = object{"sessions": of}
	}
	return object{"rooms": all}, nil
}

func orEmpty(sessions map[string]json.RawMessage) map[string]json.RawMessage {
	if sessions == nil {
		return map[string]json.RawMessage{}
	}
	return sessions
}

// putSessions adds sessions to the current version: several rooms, one room or one session, depending on the path.
func (a *API) putSessions(r *request) (any, error) {
	type ofRoom struct {
		Sessions map[string]json.RawMessage `json:"sessions"`
	}
	roomID, sessionID := r.PathValue("roomID"), r.PathValue("sessionID")
	body := struct {
		Rooms map[string]ofRoom `json:"rooms"`
	}{map[string]ofRoom{}}
	var err error
	switch {
	case sessionID != "":
		var session json.RawMessage
		session, err = r.body()
		body.Rooms[roomID] = ofRoom{map[string]json.RawMessage{sessionID: session}}
	case roomID != "":
		var room ofRoom
		err = r.into(&room)
		body.Rooms[roomID] = room
	default:
		err = r.into(&body)
	}
	if err != nil {
		return nil, err
	}
	b, err := a.Users.ChangeBackup(r.UserID, r.query("version"), true, func(b *users.Backup) {
		for id, room := range body.Rooms {
			for session, data := range room.Sessions {
				b.PutSession(id, session, data)
			}
		}
	})
	return backupCount(b), err
}

func (a *API) deleteSessions(r *request) (any, error) {
	b, err := a.Users.ChangeBackup(r.UserID, r.query("version"), true, func(b *users.Backup) {
		b.DeleteSessions(r.PathValue("roomID"), r.PathValue("sessionID"))
	})
	return backupCount(b), err
}
