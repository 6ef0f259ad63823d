package users

// This file manages devices and their access tokens.

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"slices"

	"msc4014/reference/store"
)

// Holder is the user and device that an access token belongs to.
type Holder struct {
	UserID   string `json:"user_id"`
	DeviceID string `json:"device_id"`
}

// Device is one login of a user.
type Device struct {
	ID          string                     `json:"device_id"`
	DisplayName string                     `json:"display_name,omitempty"`
	Token       string                     `json:"token"` // digest of its access token
	Keys        json.RawMessage            `json:"keys,omitempty"`
	OneTime     map[string]json.RawMessage `json:"one_time,omitempty"` // by key ID, "signed_curve25519:AAAA"
	Fallback    map[string]FallbackKey     `json:"fallback,omitempty"` // by algorithm
}

// FallbackKey is handed out when no one-time key of its algorithm is left.
type FallbackKey struct {
	ID   string          `json:"id"`
	Key  json.RawMessage `json:"key"`
	Used bool            `json:"used"`
}

// digestOf returns the stored form of an access token, so that reading the database does not give access.
func digestOf(token string) string {
	sum := sha256.Sum256([]byte(token))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// LogIn logs a device of a user in and returns its access token. An empty device ID creates a new device; an existing
// device gets a new token, and its old one is revoked.
func (u *Users) LogIn(userID, deviceID, displayName string) (Holder, string, error) {
	if deviceID == "" {
		deviceID = rand.Text()[:10]
	}
	holder, token := Holder{userID, deviceID}, "msc_"+rand.Text()
	// Others need not hear of a device without keys, so this needs no position.
	err := u.Store.Update(func(tx *store.Tx) error {
		known, _ := u.devices.Get(userID)
		device, found := known[deviceID]
		if found {
			u.tokens.Delete(tx, device.Token)
		}
		device.ID, device.Token, device.DisplayName = deviceID, digestOf(token), cmp.Or(displayName, device.DisplayName)
		u.putDevice(tx, userID, device)
		u.tokens.Put(tx, device.Token, holder)
		return nil
	})
	return holder, token, err
}

// Authenticate returns the holder of an access token.
func (u *Users) Authenticate(token string) (Holder, bool) { return u.tokens.Get(digestOf(token)) }

// Devices returns the devices of a user, sorted by ID.
func (u *Users) Devices(userID string) []Device {
	known, _ := u.devices.Get(userID)
	return slices.SortedFunc(maps.Values(known), func(a, b Device) int { return cmp.Compare(a.ID, b.ID) })
}

// Device returns one device of a user.
func (u *Users) Device(h Holder) (Device, bool) {
	known, _ := u.devices.Get(h.UserID)
	device, found := known[h.DeviceID]
	return device, found
}

// RenameDevice sets the display name of a device.
func (u *Users) RenameDevice(h Holder, displayName string) error {
	return u.changeDevice(h, func(d *Device) (listed bool) {
		d.DisplayName = displayName
		return d.Keys != nil
	})
}

// DeleteDevices logs devices out and deletes their data. Unknown devices are ignored.
func (u *Users) DeleteDevices(userID string, deviceIDs ...string) error {
	var updates []map[string]any
	err := u.publish(func(tx *store.Tx, position int64) error {
		known, _ := u.devices.Get(userID)
		left := maps.Clone(known)
		for _, id := range deviceIDs {
			if device, found := left[id]; found {
				delete(left, id)
				u.tokens.Delete(tx, device.Token)
				u.inboxes.Delete(tx, store.Key(userID, id))
				updates = append(updates, map[string]any{
					"user_id": userID, "device_id": id, "stream_id": position, "prev_id": []int64{}, "deleted": true,
				})
			}
		}
		u.devices.Put(tx, userID, left)
		u.listChanged(tx, userID, position)
		return nil
	})
	if err == nil {
		u.sendUpdates(userID, updates...)
	}
	return err
}

// DeleteAllDevices logs a user out everywhere.
func (u *Users) DeleteAllDevices(userID string) error {
	known, _ := u.devices.Get(userID)
	return u.DeleteDevices(userID, slices.Collect(maps.Keys(known))...)
}

// putDevice stores a device among those of its user.
func (u *Users) putDevice(tx *store.Tx, userID string, device Device) {
	known, _ := u.devices.Get(userID)
	changed := maps.Clone(known)
	if changed == nil {
		changed = map[string]Device{}
	}
	changed[device.ID] = device
	u.devices.Put(tx, userID, changed)
}

// changeDevice changes a device. change must not modify maps in place; it reports whether users that share rooms with
// the user must be told.
func (u *Users) changeDevice(h Holder, change func(*Device) (listed bool)) error {
	var updates []map[string]any
	err := u.publish(func(tx *store.Tx, position int64) error {
		device, found := u.Device(h)
		if !found {
			return refuse("M_NOT_FOUND", "%s has no device %s", h.UserID, h.DeviceID)
		}
		if change(&device) {
			u.listChanged(tx, h.UserID, position)
			updates = append(updates, device.update(h.UserID, position))
		}
		u.putDevice(tx, h.UserID, device)
		return nil
	})
	if err == nil {
		u.sendUpdates(h.UserID, updates...)
	}
	return err
}
