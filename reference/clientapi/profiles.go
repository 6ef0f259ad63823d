package clientapi

// This file serves profiles and presence.

import (
	"context"
	"encoding/json"

	"msc4014/reference/rooms"
)

func (a *API) profileRoutes() []route {
	return []route{
		{"GET", "/v3/profile/{userID}", a.profile, true},
		{"GET", "/v3/profile/{userID}/{field}", a.profileField, true},
		{"PUT", "/v3/profile/{userID}/{field}", a.setProfileField, false},
		{"DELETE", "/v3/profile/{userID}/{field}", a.deleteProfileField, false},
		{"GET", "/v3/presence/{userID}/status", a.presence, false},
		{"PUT", "/v3/presence/{userID}/status", a.setPresence, false},
	}
}

// named returns the user that a request is about. For a placeholder it retries the verification, and returns the true
// user ID if it succeeds.
func (a *API) named(ctx context.Context, userID string) string {
	if a.Users.Local(userID) && !a.Users.Exists(userID) {
		if verified, ok := a.Rooms.VerifyNow(ctx, userID); ok {
			return verified
		}
	}
	return userID
}

func (a *API) profile(r *request) (any, error) {
	return a.Users.Profile(r.Context(), a.named(r.Context(), r.PathValue("userID")))
}

func (a *API) profileField(r *request) (any, error) {
	profile, err := a.Users.Profile(r.Context(), a.named(r.Context(), r.PathValue("userID")))
	if err != nil {
		return nil, err
	}
	field := r.PathValue("field")
	value, found := profile[field]
	switch {
	case found:
		return object{field: value}, nil
	case field == "displayname" || field == "avatar_url": // the user exists, but has not set it
		return empty{}, nil
	}
	return nil, rooms.NotFound("the profile has no field %q", field)
}

func (a *API) setProfileField(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	var values map[string]json.RawMessage
	if err := r.into(&values); err != nil {
		return nil, err
	}
	field := r.PathValue("field")
	value, found := values[field]
	if !found {
		return nil, rooms.Bad("M_MISSING_PARAM", "the body has no %q", field)
	}
	var text *string
	if (field == "displayname" || field == "avatar_url") && json.Unmarshal(value, &text) != nil {
		return nil, rooms.Bad("M_BAD_JSON", "%s must be a string", field)
	}
	return empty{}, a.changeProfile(r.UserID, field, value)
}

func (a *API) deleteProfileField(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	return empty{}, a.changeProfile(r.UserID, r.PathValue("field"), nil)
}

// changeProfile changes a profile field, and updates the user's rooms if the field is in member events.
func (a *API) changeProfile(userID, field string, value json.RawMessage) error {
	if err := a.Users.SetProfileField(userID, field, value); err != nil {
		return err
	}
	if field == "displayname" || field == "avatar_url" {
		return a.Rooms.ProfileChanged(userID)
	}
	return nil
}

func (a *API) presence(r *request) (any, error) {
	userID := r.PathValue("userID")
	if userID != r.UserID && !a.shareRoom(r.UserID, userID) {
		return nil, rooms.Forbidden("%s shares no room with %s", r.UserID, userID)
	}
	return a.Users.PresenceOf(userID), nil
}

func (a *API) setPresence(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	var presence struct {
		State  string `json:"presence"`
		Status string `json:"status_msg"`
	}
	if err := r.into(&presence); err != nil {
		return nil, err
	}
	return empty{}, a.Users.SetPresence(r.UserID, presence.State, presence.Status)
}

// shareRoom reports whether two users are in a room together.
func (a *API) shareRoom(userID, other string) bool {
	for _, room := range a.Rooms.All() {
		if room.Membership(userID) == "join" && room.Membership(other) == "join" {
			return true
		}
	}
	return false
}
