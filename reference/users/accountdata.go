package users

// This file keeps what clients store for themselves: account data, global and by room (including tags, in m.tag),
// filters and pushers.

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"msc4014/reference/store"
)

// Dated is account data with the position of its last change.
type Dated struct {
	Content  json.RawMessage `json:"content"`
	Position int64           `json:"position"`
}

// DataEvent is account data in /sync format.
type DataEvent struct {
	Type    string          `json:"type"`
	Content json.RawMessage `json:"content"`
}

// AccountData returns account data of a type, of a room or, with "", global.
func (u *Users) AccountData(userID, roomID, dataType string) (json.RawMessage, bool) {
	data, _ := u.accountData.Get(store.Key(userID, roomID))
	dated, found := data[dataType]
	return dated.Content, found
}

// SetAccountData stores account data.
func (u *Users) SetAccountData(userID, roomID, dataType string, content json.RawMessage) error {
	return u.publish(func(tx *store.Tx, position int64) error {
		u.putAccountData(tx, position, userID, roomID, dataType, content)
		return nil
	})
}

func (u *Users) putAccountData(tx *store.Tx, position int64, userID, roomID, dataType string, content json.RawMessage) {
	key := store.Key(userID, roomID)
	known, _ := u.accountData.Get(key)
	changed := maps.Clone(known)
	if changed == nil {
		changed = map[string]Dated{}
	}
	changed[dataType] = Dated{content, position}
	u.accountData.Put(tx, key, changed)
}

// AccountDataSince returns the account data of a room, or with "" the global account data, that changed after a
// position, sorted by type. since 0 returns all, and the default push rules if they were never changed.
func (u *Users) AccountDataSince(userID, roomID string, since int64) []DataEvent {
	data, _ := u.accountData.Get(store.Key(userID, roomID))
	events := []DataEvent{}
	for _, dataType := range slices.Sorted(maps.Keys(data)) {
		if data[dataType].Position > since {
			events = append(events, DataEvent{dataType, data[dataType].Content})
		}
	}
	if _, changed := data[pushRulesType]; !changed && roomID == "" && since == 0 {
		events = append(events, u.pushRulesEvent(userID))
	}
	return events
}

// Tags returns the tags that a user gave a room, by name.
func (u *Users) Tags(userID, roomID string) map[string]json.RawMessage {
	content, _ := u.AccountData(userID, roomID, tagType)
	return tagsIn(content)
}

const tagType = "m.tag"

func tagsIn(content json.RawMessage) map[string]json.RawMessage {
	var tag struct {
		Tags map[string]json.RawMessage `json:"tags"`
	}
	if json.Unmarshal(content, &tag) != nil || tag.Tags == nil {
		return map[string]json.RawMessage{}
	}
	return tag.Tags
}

// SetTag sets a tag of a room, or removes it if fields is nil.
func (u *Users) SetTag(userID, roomID, tag string, fields json.RawMessage) error {
	return u.publish(func(tx *store.Tx, position int64) error {
		content, _ := u.AccountData(userID, roomID, tagType)
		tags := tagsIn(content) // parsed anew, so it may be changed
		if fields == nil {
			delete(tags, tag)
		} else {
			tags[tag] = fields
		}
		content, err := json.Marshal(map[string]any{"tags": tags})
		if err != nil {
			return fmt.Errorf("tag %s as %q: %w", roomID, tag, err)
		}
		u.putAccountData(tx, position, userID, roomID, tagType, content)
		return nil
	})
}

// AddFilter stores a filter and returns its ID.
func (u *Users) AddFilter(userID string, filter json.RawMessage) (string, error) {
	var id string
	return id, u.Store.Update(func(tx *store.Tx) error {
		known, _ := u.filters.Get(userID)
		same := func(stored json.RawMessage) bool { return string(stored) == string(filter) }
		if at := slices.IndexFunc(known, same); at >= 0 {
			id = strconv.Itoa(at)
			return nil
		}
		id = strconv.Itoa(len(known))
		u.filters.Put(tx, userID, append(slices.Clip(known), filter))
		return nil
	})
}

// Filter returns a filter of a user by its ID.
func (u *Users) Filter(userID, id string) (json.RawMessage, bool) {
	known, _ := u.filters.Get(userID)
	n, err := strconv.Atoi(id)
	if err != nil || n < 0 || n >= len(known) {
		return nil, false
	}
	return known[n], true
}

// Pushers returns the pushers that a user set. Nothing is ever pushed.
func (u *Users) Pushers(userID string) []json.RawMessage {
	known, _ := u.pushers.Get(userID)
	return known
}

// SetPusher stores a pusher, replacing one with the same app_id and pushkey. A pusher whose kind is null only deletes
// that one.
func (u *Users) SetPusher(userID string, pusher json.RawMessage) error {
	type identity struct {
		AppID   string  `json:"app_id"`
		PushKey string  `json:"pushkey"`
		Kind    *string `json:"kind"`
	}
	var set identity
	if err := json.Unmarshal(pusher, &set); err != nil || set.AppID == "" || set.PushKey == "" {
		return refuse("M_MISSING_PARAM", "a pusher needs app_id and pushkey, both strings")
	}
	return u.Store.Update(func(tx *store.Tx) error {
		known, _ := u.pushers.Get(userID)
		left := []json.RawMessage{}
		for _, raw := range known {
			var other identity
			if json.Unmarshal(raw, &other) == nil && (other.AppID != set.AppID || other.PushKey != set.PushKey) {
				left = append(left, raw)
			}
		}
		if set.Kind != nil {
			left = append(left, pusher)
		}
		u.pushers.Put(tx, userID, left)
		return nil
	})
}
