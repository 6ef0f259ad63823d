package users

// This file keeps how far users have read (client-server API, "Receipts" and "Read markers").

import (
	"encoding/json"
	"slices"

	"msc4014/reference/store"
)

// Receipt records that a user has read up to an event.
type Receipt struct {
	Type      string `json:"type"` // m.read, m.read.private
	UserID    string `json:"user_id"`
	ThreadID  string `json:"thread_id,omitempty"` // "" is the whole room, "main" the events outside threads
	EventID   string `json:"event_id"`
	Timestamp int64  `json:"ts"` // in milliseconds
	Position  int64  `json:"position"`
}

// The types of receipts, and of the marker that is account data.
const (
	ReadReceipt        = "m.read"
	PrivateReadReceipt = "m.read.private"
	FullyRead          = "m.fully_read"
)

// SetReceipt sets a receipt of a local user. A public one is sent to the other servers in the room.
func (u *Users) SetReceipt(roomID string, r Receipt) error {
	if r.Type != ReadReceipt && r.Type != PrivateReadReceipt {
		return refuse("M_INVALID_PARAM", "there is no receipt type %q", r.Type)
	}
	if err := u.putReceipts(roomID, r); err != nil || r.Type != ReadReceipt {
		return err
	}
	data := map[string]any{"ts": r.Timestamp}
	if r.ThreadID != "" {
		data["thread_id"] = r.ThreadID
	}
	u.send(u.rooms.ServersOf(roomID), "m.receipt", map[string]any{
		roomID: map[string]any{ReadReceipt: map[string]any{r.UserID: map[string]any{"data": data, "event_ids": []string{r.EventID}}}},
	})
	return nil
}

// ReceiveReceipts processes the content of an m.receipt of a server, for its own users only. inRoom reports whether a
// user is in a room.
func (u *Users) ReceiveReceipts(origin string, content json.RawMessage, inRoom func(roomID, userID string) bool) error {
	var rooms map[string]map[string]map[string]struct {
		EventIDs []string `json:"event_ids"`
		Data     struct {
			Timestamp int64  `json:"ts"`
			ThreadID  string `json:"thread_id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(content, &rooms); err != nil {
		return refuse("M_BAD_JSON", "m.receipt: %v", err)
	}
	for roomID, types := range rooms {
		var receipts []Receipt
		for userID, receipt := range types[ReadReceipt] {
			if serverOf(userID) == origin && len(receipt.EventIDs) > 0 && inRoom(roomID, userID) {
				receipts = append(receipts, Receipt{
					Type: ReadReceipt, UserID: userID, EventID: receipt.EventIDs[len(receipt.EventIDs)-1],
					ThreadID: receipt.Data.ThreadID, Timestamp: receipt.Data.Timestamp,
				})
			}
		}
		if len(receipts) == 0 {
			continue
		}
		if err := u.putReceipts(roomID, receipts...); err != nil {
			return err
		}
	}
	return nil
}

// putReceipts stores receipts, each replacing the one of its type, user and thread.
func (u *Users) putReceipts(roomID string, receipts ...Receipt) error {
	return u.publish(func(tx *store.Tx, position int64) error {
		known, _ := u.receipts.Get(roomID)
		changed := slices.Clone(known)
		for _, r := range receipts {
			changed = slices.DeleteFunc(changed, func(o Receipt) bool {
				return o.Type == r.Type && o.UserID == r.UserID && o.ThreadID == r.ThreadID
			})
			r.Position = position
			changed = append(changed, r)
		}
		u.receipts.Put(tx, roomID, changed)
		return nil
	})
}

// ReceiptsSince returns the receipts of a room that were set after a position and that a user may see: private ones are
// only for their own user.
func (u *Users) ReceiptsSince(userID, roomID string, since int64) []Receipt {
	known, _ := u.receipts.Get(roomID)
	var found []Receipt
	for _, r := range known {
		if r.Position > since && (r.Type != PrivateReadReceipt || r.UserID == userID) {
			found = append(found, r)
		}
	}
	return found
}
