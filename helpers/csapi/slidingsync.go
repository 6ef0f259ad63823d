package csapi

import (
	"context"
	"net/http"
	"net/url"
)

// SlidingVersions are the unstable names of sliding sync: that of MSC4186, and that of MSC3575, which MSC4014 speaks of.
var SlidingVersions = []string{"org.matrix.simplified_msc3575", "org.matrix.msc3575"}

// SlidingSync requests what is new in a room since a position by a version of sliding sync. With the position "" that is the room's whole
// state, and its latest 20 events. Servers keep the positions of a user's connections apart by their names.
func (c *Client) SlidingSync(ctx context.Context, version, connection, roomID, position string) (*Response, error) {
	query := url.Values{"timeout": {"0"}}
	if position != "" {
		query.Set("pos", position)
	}
	subscription := map[string]any{"required_state": [][]string{{"*", "*"}}, "timeline_limit": 20}
	return c.Do(ctx, http.MethodPost, Path("_matrix", "client", "unstable", version, "sync"), query, map[string]any{
		"conn_id": connection, "lists": map[string]any{}, "room_subscriptions": map[string]any{roomID: subscription},
	})
}
