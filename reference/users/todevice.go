package users

// This file delivers to-device messages (client-server API, "Send-to-Device messaging").

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"

	"msc4014/reference/store"
)

// Message waits in the inbox of a device until the device acknowledges it, with the token of a later /sync.
type Message struct {
	Position int64           `json:"position"`
	Sender   string          `json:"sender"`
	Type     string          `json:"type"`
	Content  json.RawMessage `json:"content"`
}

// Messages are contents by user ID, then by device ID; "*" is all devices of the user.
type Messages map[string]map[string]json.RawMessage

// SendToDevices delivers messages to local devices and queues those for other servers.
func (u *Users) SendToDevices(sender, messageType string, messages Messages) error {
	local, servers := Messages{}, map[string]Messages{}
	for userID, contents := range messages {
		server := serverOf(userID)
		switch {
		case server == u.Server:
			local[userID] = contents
		case server == "": // no valid user ID
		case servers[server] == nil:
			servers[server] = Messages{userID: contents}
		default:
			servers[server][userID] = contents
		}
	}
	if err := u.deliver(sender, messageType, local, func(*store.Tx) bool { return false }); err != nil {
		return err
	}
	for server, of := range servers {
		u.send([]string{server}, "m.direct_to_device", map[string]any{
			"sender": sender, "type": messageType, "message_id": rand.Text(), "messages": of,
		})
	}
	return nil
}

// ReceiveToDevice processes the content of an m.direct_to_device of a server. A message ID that was received before is
// ignored, and so are recipients of other servers. A sender that is not of the origin server is an error.
func (u *Users) ReceiveToDevice(origin string, content json.RawMessage) error {
	var message struct {
		Sender    string   `json:"sender"`
		Type      string   `json:"type"`
		MessageID string   `json:"message_id"`
		Messages  Messages `json:"messages"`
	}
	if err := json.Unmarshal(content, &message); err != nil {
		return refuse("M_BAD_JSON", "m.direct_to_device: %v", err)
	}
	if serverOf(message.Sender) != origin {
		return refuse("M_FORBIDDEN", "%s may not send for %q", origin, message.Sender)
	}
	maps.DeleteFunc(message.Messages, func(userID string, _ map[string]json.RawMessage) bool { return !u.Local(userID) })
	once := store.Key(origin, message.MessageID)
	return u.deliver(message.Sender, message.Type, message.Messages, func(tx *store.Tx) (again bool) {
		_, again = u.taken.Get(once)
		u.taken.Put(tx, once, true)
		return again
	})
}

// deliver adds messages to inboxes, unless first, which is called in the same transaction, returns that they were
// received before.
func (u *Users) deliver(sender, messageType string, messages Messages, first func(tx *store.Tx) (again bool)) error {
	return u.publish(func(tx *store.Tx, position int64) error {
		if first(tx) {
			return nil
		}
		for userID, contents := range messages {
			for _, device := range u.Devices(userID) {
				content, found := contents[device.ID]
				if !found {
					content, found = contents["*"]
				}
				if !found {
					continue
				}
				key := store.Key(userID, device.ID)
				waiting, _ := u.inboxes.Get(key)
				u.inboxes.Put(tx, key, append(slices.Clip(waiting), Message{position, sender, messageType, content}))
			}
		}
		return nil
	})
}

// ToDevice returns up to limit messages for a device, oldest first, after since and up to until, and the position up to
// which they are complete: until, unless limit was reached. Messages up to since, which the device has received, are
// deleted.
func (u *Users) ToDevice(h Holder, since, until int64, limit int) ([]Message, int64, error) {
	key := store.Key(h.UserID, h.DeviceID)
	if waiting, _ := u.inboxes.Get(key); len(waiting) > 0 && waiting[0].Position <= since {
		err := u.Store.Update(func(tx *store.Tx) error {
			waiting, _ := u.inboxes.Get(key)
			u.inboxes.Put(tx, key, after(waiting, since))
			return nil
		})
		if err != nil {
			return nil, 0, err
		}
	}
	waiting, _ := u.inboxes.Get(key)
	messages := []Message{}
	for _, m := range after(waiting, since) {
		if m.Position > until {
			break
		}
		if len(messages) >= limit && m.Position > messages[len(messages)-1].Position {
			return messages, messages[len(messages)-1].Position, nil
		}
		messages = append(messages, m)
	}
	return messages, until, nil
}

func after(messages []Message, position int64) []Message {
	at := slices.IndexFunc(messages, func(m Message) bool { return m.Position > position })
	if at < 0 {
		return nil
	}
	return messages[at:]
}
