package federation

// This file accepts EDUs. A server may send them only about its own users.

import (
	"encoding/json"
	"fmt"

	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
)

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
		if domain, err := identity.UserIDDomain(userID); err != nil || domain != origin {
			return fmt.Errorf("%s does not speak for %q", origin, userID)
		}
		if eduType == "m.device_list_update" {
			return s.Users.ReceiveDeviceListUpdate(content)
		}
		return s.Users.ReceiveSigningKeyUpdate(content)
	}
	return fmt.Errorf("there is no such EDU")
}

// mayTell reports whether a server may send an EDU about a user in a room: the room's access control list allows the
// server, and the user is joined.
func (s *Server) mayTell(origin, roomID, userID string) bool {
	room := s.Rooms.Get(roomID)
	return room != nil && room.Resident() && room.ACLAllows(origin) && room.Membership(userID) == "join"
}
