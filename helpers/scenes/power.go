package scenes

import (
	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
)

// WithPower is power levels in which one user has another power, which is also enough to upgrade the room: in rooms as servers
// make them only the creator has the power to send a tombstone.
func WithPower(levels gjson.Result, userID string, power int) map[string]any {
	content := csapi.Object(levels)
	users, _ := content["users"].(map[string]any)
	if users == nil {
		users = map[string]any{}
	}
	users[userID] = power
	content["users"] = users
	events, _ := content["events"].(map[string]any)
	if events == nil {
		events = map[string]any{}
	}
	events["m.room.tombstone"] = power
	content["events"] = events
	return content
}
