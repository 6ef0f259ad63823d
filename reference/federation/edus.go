package federation

// This file takes in EDUs: what servers tell each other that is no event. A server speaks for its own users alone.

import (
	"encoding/json"
	"fmt"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
)

// takeEDU takes an EDU in.
func (s *Server) takeEDU(origin, eduType string, content json.RawMessage) error {
	switch eduType {
	case "m.typing":
		roomID, userID := gjson.GetBytes(content, "room_id").String(), gjson.GetBytes(content, "user_id").String()
		if !s.mayTell(origin, roomID, userID) {
			return fmt.Errorf("%s is not in room %s", userID, roomID)
		}
		return s.Users.ReceiveTyping(origin, content)
	case "m.receipt":
		return s.Users.ReceiveReceipts(origin, content, func(roomID, userID string) bool { return s.mayTell(origin, roomID, userID) })
	case "m.presence":
		return s.Users.ReceivePresence(origin, content)
	case "m.direct_to_device":
		return s.Users.ReceiveToDevice(origin, content)
	case "m.device_list_update", "m.signing_key_update", "org.matrix.signing_key_update":
		userID := gjson.GetBytes(content, "user_id").String()
		if domain, err := pseudoid.UserIDDomain(userID); err != nil || domain != origin {
			return fmt.Errorf("%s does not speak for %q", origin, userID)
		}
		if eduType == "m.device_list_update" {
			return s.Users.ReceiveDeviceListUpdate(content)
		}
		return s.Users.ReceiveSigningKeyUpdate(content)
	}
	return fmt.Errorf("there is no such EDU")
}

// mayTell tells whether a server may say something of a user in a room: the room lets the server take part, and the user
// is joined to it.
func (s *Server) mayTell(origin, roomID, userID string) bool {
	room := s.Rooms.Get(roomID)
	return room != nil && room.Resident() && room.ACLAllows(origin) && room.Membership(userID) == "join"
}
