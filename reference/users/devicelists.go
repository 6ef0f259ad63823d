package users

// This file announces changed devices, to clients by position and to other servers by EDU (server-server API, "Device
// Management"), and accepts such EDUs.

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/reference/store"
)

// remoteDevices is what is known of a remote user's keys, for when its server is unreachable.
type remoteDevices struct {
	Devices map[string]json.RawMessage `json:"devices"` // keys by device ID
	Signing SigningKeys                `json:"signing"`
}

func (r remoteDevices) asked(deviceIDs []string) map[string]json.RawMessage {
	devices := map[string]json.RawMessage{}
	for id, keys := range r.Devices {
		if wanted(deviceIDs, id) {
			devices[id] = keys
		}
	}
	return devices
}

// DeviceListChanged returns the users, local and remote, whose devices or keys changed after since and up to until.
func (u *Users) DeviceListChanged(since, until int64) []string {
	var changed []string
	if u.listsAt.Load() <= since {
		return nil
	}
	for userID, position := range u.lists.All() {
		if position > since && position <= until {
			changed = append(changed, userID)
		}
	}
	return changed
}

// listChanged records that a device list changed.
func (u *Users) listChanged(tx *store.Tx, userID string, position int64) {
	u.lists.Put(tx, userID, position)
	u.listsAt.Store(position)
}

// sendUpdates sends changes of a user's devices to the servers that share rooms with it.
func (u *Users) sendUpdates(userID string, updates ...map[string]any) {
	for _, update := range updates {
		u.send(u.rooms.ServersSharing(userID), "m.device_list_update", update)
	}
}

// update returns the m.device_list_update of a device. It should name the earlier updates by their stream IDs, so that
// a server notices a missed one; here it names none, which makes the server request all devices.
func (d Device) update(userID string, position int64) map[string]any {
	content := map[string]any{
		"user_id": userID, "device_id": d.ID, "device_display_name": d.DisplayName,
		"stream_id": position, "prev_id": []int64{}, "deleted": false,
	}
	if d.Keys != nil {
		content["keys"] = d.shownKeys()
	}
	return content
}

// update returns the m.signing_key_update of a user.
func (k SigningKeys) update(userID string) map[string]any {
	content := map[string]any{"user_id": userID}
	if k.Master != nil {
		content["master_key"] = k.Master
	}
	if k.SelfSigning != nil {
		content["self_signing_key"] = k.SelfSigning
	}
	return content
}

// UserDevices returns the response to GET /user/devices/{userId} of the federation for a local user.
func (u *Users) UserDevices(userID string) (json.RawMessage, error) {
	if !u.Exists(userID) {
		return nil, refuse("M_NOT_FOUND", "there is no user %s", userID)
	}
	position, _ := u.lists.Get(userID)
	devices := []map[string]any{}
	for _, device := range u.Devices(userID) {
		if device.Keys != nil {
			devices = append(devices, map[string]any{
				"device_id": device.ID, "device_display_name": device.DisplayName, "keys": device.shownKeys(),
			})
		}
	}
	answer := u.SigningKeysOf(userID).update(userID)
	answer["stream_id"], answer["devices"] = position, devices
	return mustMarshal(answer), nil
}

// ReceiveDeviceListUpdate processes the content of an m.device_list_update of a remote user.
func (u *Users) ReceiveDeviceListUpdate(content json.RawMessage) error {
	update := gjson.ParseBytes(content)
	userID, deviceID := update.Get("user_id").String(), update.Get("device_id").String()
	return u.changeRemote(userID, func(known *remoteDevices) {
		keys := update.Get("keys")
		switch {
		case known.Devices == nil: // never requested, so nothing to update
		case update.Get("deleted").Bool() || !keys.IsObject():
			known.Devices = maps.Clone(known.Devices)
			delete(known.Devices, deviceID)
		default:
			known.Devices = maps.Clone(known.Devices)
			known.Devices[deviceID] = slices.Clone([]byte(keys.Raw))
		}
	})
}

// ReceiveSigningKeyUpdate processes the content of an m.signing_key_update of a remote user.
func (u *Users) ReceiveSigningKeyUpdate(content json.RawMessage) error {
	var update struct {
		UserID string `json:"user_id"`
		SigningKeys
	}
	if err := json.Unmarshal(content, &update); err != nil {
		return refuse("M_BAD_JSON", "m.signing_key_update: %v", err)
	}
	return u.changeRemote(update.UserID, func(known *remoteDevices) {
		if update.Master != nil {
			known.Signing.Master = update.Master
		}
		if update.SelfSigning != nil {
			known.Signing.SelfSigning = update.SelfSigning
		}
	})
}

func (u *Users) changeRemote(userID string, change func(*remoteDevices)) error {
	if serverOf(userID) == "" || u.Local(userID) {
		return refuse("M_INVALID_PARAM", "%q is not a user of another server", userID)
	}
	return u.publish(func(tx *store.Tx, position int64) error {
		if known, found := u.remotes.Get(userID); found {
			change(&known)
			u.remotes.Put(tx, userID, known)
		}
		u.listChanged(tx, userID, position)
		return nil
	})
}
