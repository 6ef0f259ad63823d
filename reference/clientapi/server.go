package clientapi

// This file serves information about the server: versions, capabilities, and features that it lacks.

import (
	"encoding/json"
	"slices"
	"strings"

	"msc4014/reference/pdu"
	"msc4014/reference/rooms"
)

func (a *API) serverRoutes() []route {
	return []route{
		{"GET", "/versions", a.versions, true},
		{"GET", "/.well-known/matrix/client", a.wellKnown, true},
		{"GET", "/v3/capabilities", a.capabilities, false},
		{"GET", "/v3/voip/turnServer", nothing, false},
		{"GET", "/v3/thirdparty/protocols", nothing, false},
		{"POST", "/v3/user_directory/search", a.searchUsers, false},
		{"POST", "/v3/user/{userID}/openid/request_token", a.openIDToken, false},
	}
}

func nothing(*request) (any, error) { return empty{}, nil }

func (a *API) versions(*request) (any, error) {
	return object{
		"versions": []string{
			"r0.6.1", "v1.1", "v1.2", "v1.3", "v1.4", "v1.5", "v1.6", "v1.7", "v1.8", "v1.9", "v1.10", "v1.11",
		},
		"unstable_features": object{},
	}, nil
}

// wellKnown returns the address that the request was sent to.
func (a *API) wellKnown(r *request) (any, error) {
	return object{"m.homeserver": object{"base_url": "http://" + r.Host}}, nil
}

func (a *API) capabilities(*request) (any, error) {
	available := map[string]string{}
	for _, version := range rooms.Versions() {
		available[version] = "stable"
	}
	available[pdu.RoomVersion] = "unstable"
	return object{"capabilities": object{
		"m.room_versions":   object{"default": rooms.DefaultVersion, "available": available},
		"m.change_password": object{"enabled": true},
		"m.set_displayname": object{"enabled": true},
		"m.set_avatar_url":  object{"enabled": true},
		"m.3pid_changes":    object{"enabled": false},
		"m.get_login_token": object{"enabled": false},
		"m.profile_fields":  object{"enabled": true},
	}}, nil
}

// searchUsers searches the users of this server.
func (a *API) searchUsers(r *request) (any, error) {
	var search struct {
		Term  string `json:"search_term"`
		Limit *int   `json:"limit"`
	}
	if err := r.into(&search); err != nil {
		return nil, err
	}
	limit := 10
	if search.Limit != nil {
		limit = *search.Limit
	}
	results := []object{}
	found := a.Users.Search(search.Term)
	for _, userID := range a.remotesMet(r.UserID) {
		if strings.Contains(strings.ToLower(userID), strings.ToLower(search.Term)) {
			found = append(found, userID)
		}
	}
	for _, userID := range found[:min(max(limit, 0), len(found))] {
		result := object{"user_id": userID}
		if profile, err := a.Users.LocalProfile(userID); err == nil {
			addProfile(result, "display_name", profile["displayname"])
			addProfile(result, "avatar_url", profile["avatar_url"])
		}
		results = append(results, result)
	}
	return object{"results": results, "limited": len(found) > len(results)}, nil
}

// remotesMet returns the users of other servers who are in a room with a local user (client-server API, "User directory").
func (a *API) remotesMet(userID string) (met []string) {
	for _, membership := range a.Rooms.MembershipsOf(userID) {
		if membership.Membership != "join" {
			continue
		}
		for _, other := range membership.Room.MemberUserIDs("join") {
			if !a.Users.Local(other) && !slices.Contains(met, other) {
				met = append(met, other)
			}
		}
	}
	return met
}

// addProfile adds a profile field unless it is not set.
func addProfile(to object, name string, value []byte) {
	if len(value) > 0 && string(value) != "null" {
		to[name] = json.RawMessage(value)
	}
}

// openIDToken returns a token that proves the user's identity to a third party.
func (a *API) openIDToken(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	return object{
		"access_token": a.Users.NewOpenIDToken(r.UserID), "token_type": "Bearer", "matrix_server_name": a.Server, "expires_in": 3600,
	}, nil
}
