package outgoing

// This file has the calls about users: profiles, devices, keys, and EDUs.

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"

	"msc4014/reference/identity"
	"msc4014/reference/store"
)

// Users is the client in the form that reference/users needs. Responses are unparsed.
type Users struct{ c *Client }

// ForUsers returns the calls about users.
func (c *Client) ForUsers() Users { return Users{c} }

// Profile requests a profile from the user's server: GET /query/profile.
func (u Users) Profile(ctx context.Context, userID string) (json.RawMessage, error) {
	server, err := identity.UserIDDomain(userID)
	if err != nil {
		return nil, fmt.Errorf("asking for a profile: %w", err)
	}
	return u.c.call(ctx, server, http.MethodGet, v1("query")+"/profile"+query(url.Values{"user_id": {userID}}), nil)
}

// UserDevices requests a user's devices from the user's server: GET /user/devices/{userID}.
func (u Users) UserDevices(ctx context.Context, userID string) (json.RawMessage, error) {
	server, err := identity.UserIDDomain(userID)
	if err != nil {
		return nil, fmt.Errorf("asking for devices: %w", err)
	}
	return u.c.call(ctx, server, http.MethodGet, v1("user/devices", userID), nil)
}

// QueryKeys requests the device keys of users: POST /user/keys/query.
func (u Users) QueryKeys(ctx context.Context, server string, body json.RawMessage) (json.RawMessage, error) {
	return u.c.call(ctx, server, http.MethodPost, v1("user/keys/query"), body)
}

// ClaimKeys claims one-time keys: POST /user/keys/claim.
func (u Users) ClaimKeys(ctx context.Context, server string, body json.RawMessage) (json.RawMessage, error) {
	return u.c.call(ctx, server, http.MethodPost, v1("user/keys/claim"), body)
}

// SendEDU queues an EDU for servers. To-device messages and device changes are not lost; it must therefore not be
// called in an Update of the store.
func (u Users) SendEDU(servers []string, eduType string, content json.RawMessage) {
	edu := EDU{eduType, content}
	switch eduType {
	case "m.direct_to_device", "m.device_list_update", "m.signing_key_update":
		err := u.c.Store.Update(func(tx *store.Tx) error { u.c.SendEDU(tx, edu, servers); return nil })
		if err != nil {
			u.c.Log.Error("an EDU was not queued", "type", eduType, "servers", servers, "error", err)
		}
	default:
		u.c.SendEphemeral(edu, servers)
	}
}
