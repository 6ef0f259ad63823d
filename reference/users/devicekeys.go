package users

// This file manages the keys of devices: uploading them, and claiming one-time keys or, once those are used up,
// fallback keys (client-server API, "End-to-End Encryption").

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/reference/store"
)

// KeyUpload is the body of POST /keys/upload. The keys are signed by clients, and are not verified here.
type KeyUpload struct {
	DeviceKeys   json.RawMessage            `json:"device_keys"`
	OneTimeKeys  map[string]json.RawMessage `json:"one_time_keys"`
	FallbackKeys map[string]json.RawMessage `json:"fallback_keys"`
}

// algorithm returns the algorithm of a key ID such as "signed_curve25519:AAAA".
func algorithm(keyID string) string {
	algorithm, _, _ := strings.Cut(keyID, ":")
	return algorithm
}

// UploadKeys adds keys to a device. It returns M_INVALID_PARAM if the device keys name another device, and M_UNKNOWN if
// another one-time key with the same ID exists.
func (u *Users) UploadKeys(h Holder, upload KeyUpload) error {
	hasKeys := len(upload.DeviceKeys) > 0 && string(upload.DeviceKeys) != "null"
	if hasKeys {
		named := gjson.ParseBytes(upload.DeviceKeys)
		if named.Get("user_id").String() != h.UserID || named.Get("device_id").String() != h.DeviceID {
			return refuse("M_INVALID_PARAM", "device_keys must name %s and its device %s", h.UserID, h.DeviceID)
		}
	}
	device, _ := u.Device(h)
	for id, key := range upload.OneTimeKeys {
		if known, found := device.OneTime[id]; found && !sameJSON(known, key) {
			return refuse("M_UNKNOWN", "the one-time key %s is there already, and is another", id)
		}
	}
	return u.changeDevice(h, func(d *Device) (listed bool) {
		if hasKeys && !sameJSON(d.Keys, upload.DeviceKeys) {
			d.Keys, listed = upload.DeviceKeys, true
		}
		d.OneTime = merged(d.OneTime, upload.OneTimeKeys)
		fallback := maps.Clone(d.Fallback)
		for id, key := range upload.FallbackKeys {
			if fallback == nil {
				fallback = map[string]FallbackKey{}
			}
			fallback[algorithm(id)] = FallbackKey{ID: id, Key: key}
		}
		d.Fallback = fallback
		return listed
	})
}

// merged returns a map with the entries of both; those of more win.
func merged(known, more map[string]json.RawMessage) map[string]json.RawMessage {
	if len(more) == 0 {
		return known
	}
	all := maps.Clone(known)
	if all == nil {
		all = map[string]json.RawMessage{}
	}
	maps.Copy(all, more)
	return all
}

// sameJSON reports whether two JSON texts are equal except for white space and the order of keys.
func sameJSON(a, b json.RawMessage) bool {
	var x, y any
	if json.Unmarshal(a, &x) != nil || json.Unmarshal(b, &y) != nil {
		return false
	}
	left, _ := json.Marshal(x) // what was unmarshalled can be marshalled
	right, _ := json.Marshal(y)
	return string(left) == string(right)
}

// OneTimeKeyCounts returns how many one-time keys a device has left, by algorithm, and the algorithms whose fallback
// key is unused.
func (u *Users) OneTimeKeyCounts(h Holder) (counts map[string]int, unusedFallback []string) {
	device, _ := u.Device(h)
	counts, unusedFallback = map[string]int{"signed_curve25519": 0}, []string{}
	for id := range device.OneTime {
		counts[algorithm(id)]++
	}
	for _, name := range slices.Sorted(maps.Keys(device.Fallback)) {
		if !device.Fallback[name].Used {
			unusedFallback = append(unusedFallback, name)
		}
	}
	return counts, unusedFallback
}

// Claims are claimed one-time keys: the algorithm, and ClaimedKeys the keys by key ID, by user ID and device ID.
type (
	Claims      map[string]map[string]string
	ClaimedKeys map[string]map[string]map[string]json.RawMessage
)

// ClaimLocalKeys claims a one-time key of each requested local device, or its fallback key. Devices that have neither
// are left out.
func (u *Users) ClaimLocalKeys(claims Claims) (ClaimedKeys, error) {
	claimed := ClaimedKeys{}
	err := u.Store.Update(func(tx *store.Tx) error {
		for userID, devices := range claims {
			for deviceID, wanted := range devices {
				device, found := u.Device(Holder{userID, deviceID})
				if !found {
					continue
				}
				id, key := device.claim(wanted)
				if id == "" {
					continue
				}
				u.putDevice(tx, userID, device)
				if claimed[userID] == nil {
					claimed[userID] = map[string]map[string]json.RawMessage{}
				}
				claimed[userID][deviceID] = map[string]json.RawMessage{id: key}
			}
		}
		return nil
	})
	return claimed, err
}

// claim removes a key of an algorithm from a device; the ID is "" if it has none.
func (d *Device) claim(wanted string) (id string, key json.RawMessage) {
	for _, id := range slices.Sorted(maps.Keys(d.OneTime)) {
		if algorithm(id) == wanted {
			key, left := d.OneTime[id], maps.Clone(d.OneTime)
			delete(left, id)
			d.OneTime = left
			return id, key
		}
	}
	fallback, found := d.Fallback[wanted]
	if !found {
		return "", nil
	}
	fallback.Used = true
	d.Fallback = maps.Clone(d.Fallback)
	d.Fallback[wanted] = fallback
	return fallback.ID, fallback.Key
}

// shownKeys returns the keys of a device as others see them, with its display name.
func (d Device) shownKeys() json.RawMessage {
	if d.DisplayName == "" {
		return d.Keys
	}
	keys, err := sjson.SetBytes(slices.Clone(d.Keys), "unsigned.device_display_name", d.DisplayName)
	if err != nil {
		return d.Keys
	}
	return keys
}
