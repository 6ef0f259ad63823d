// The user's own account, profiles, and what the server can do.

package csapi

import (
	"context"

	"github.com/tidwall/gjson"
)

// Deactivate deactivates the account permanently, confirmed with its password. erase requests the removal of personal data.
// CS API: Account deactivation.
func (c *Client) Deactivate(ctx context.Context, password string, erase bool) error {
	auth := map[string]any{
		"type": "m.login.password", "password": password,
		"identifier": map[string]any{"type": "m.id.user", "user": c.UserID},
	}
	body := map[string]any{"auth": auth, "erase": erase}
	_, err := c.post(ctx, V3("account", "deactivate"), body)
	if refusal, ok := refusedWith(err, 401); ok {
		if session := gjson.GetBytes(refusal.Body, "session").String(); session != "" {
			auth["session"] = session
			_, err = c.post(ctx, V3("account", "deactivate"), body)
		}
	}
	return err
}

// Capabilities returns the server's capabilities: capabilities.m\.room_versions.available lists the room versions.
func (c *Client) Capabilities(ctx context.Context) (*Response, error) {
	return c.get(ctx, V3("capabilities"), nil)
}

// SetDisplayName changes the user's display name.
func (c *Client) SetDisplayName(ctx context.Context, name string) error {
	return only(c.put(ctx, V3("profile", c.UserID, "displayname"), map[string]any{"displayname": name}))
}

// SetAvatar changes the user's avatar to an mxc: URI.
func (c *Client) SetAvatar(ctx context.Context, uri string) error {
	return only(c.put(ctx, V3("profile", c.UserID, "avatar_url"), map[string]any{"avatar_url": uri}))
}

// Profile returns a user's profile: displayname, avatar_url.
func (c *Client) Profile(ctx context.Context, userID string) (*Response, error) {
	return c.get(ctx, V3("profile", userID), nil)
}

// SetPresence sets the user's presence: "online", "unavailable" or "offline"; message may be empty.
func (c *Client) SetPresence(ctx context.Context, presence, message string) error {
	body := map[string]any{"presence": presence}
	if message != "" {
		body["status_msg"] = message
	}
	return only(c.put(ctx, V3("presence", c.UserID, "status"), body))
}

// QueryKeys returns the device keys of users.
func (c *Client) QueryKeys(ctx context.Context, userIDs ...string) (*Response, error) {
	devices := map[string][]string{}
	for _, userID := range userIDs {
		devices[userID] = []string{}
	}
	return c.post(ctx, V3("keys", "query"), map[string]any{"device_keys": devices})
}
