package clientapi

// This file serves typing, receipts and read markers.

import (
	"time"

	"msc4014/reference/rooms"
	"msc4014/reference/users"
)

func (a *API) ephemeralRoutes() []route {
	return []route{
		{"PUT", "/v3/rooms/{roomID}/typing/{userID}", a.typing, false},
		{"POST", "/v3/rooms/{roomID}/receipt/{receiptType}/{eventID}", a.receipt, false},
		{"POST", "/v3/rooms/{roomID}/read_markers", a.readMarkers, false},
	}
}

func (a *API) typing(r *request) (any, error) {
	if err := r.itself(); err != nil {
		return nil, err
	}
	room, err := r.joined()
	if err != nil {
		return nil, err
	}
	var typing struct {
		Typing  bool   `json:"typing"`
		Timeout *int64 `json:"timeout"` // in milliseconds
	}
	if err := r.into(&typing); err != nil {
		return nil, err
	}
	during := time.Duration(0)
	if typing.Typing {
		during = 30 * time.Second
		if typing.Timeout != nil {
			during = min(time.Duration(*typing.Timeout)*time.Millisecond, 2*time.Minute)
		}
	}
	a.Users.SetTyping(room.ID(), r.UserID, during)
	return empty{}, nil
}

func (a *API) receipt(r *request) (any, error) {
	var body struct {
		ThreadID *string `json:"thread_id"`
	}
	if err := r.into(&body); err != nil {
		return nil, err
	}
	room, err := r.joined()
	if err != nil {
		return nil, err
	}
	threadID := ""
	if body.ThreadID != nil {
		threadID = *body.ThreadID
		if threadID == "" {
			return nil, rooms.Bad("M_INVALID_PARAM", "thread_id is empty")
		}
	}
	return empty{}, a.mark(r, room, r.PathValue("receiptType"), r.PathValue("eventID"), threadID)
}

func (a *API) readMarkers(r *request) (any, error) {
	var markers map[string]any
	if err := r.into(&markers); err != nil {
		return nil, err
	}
	room, err := r.joined()
	if err != nil {
		return nil, err
	}
	for _, marker := range []string{users.FullyRead, users.ReadReceipt, users.PrivateReadReceipt} {
		if eventID, found := markers[marker].(string); found {
			if err := a.mark(r, room, marker, eventID, ""); err != nil {
				return nil, err
			}
		}
	}
	return empty{}, nil
}

// mark sets a receipt, or the marker that is account data.
func (a *API) mark(r *request, room *rooms.Room, marker, eventID, threadID string) error {
	if marker == users.FullyRead {
		return a.Users.SetAccountData(r.UserID, room.ID(), marker, marshal(object{"event_id": eventID}))
	}
	if event := room.Event(eventID); event == nil {
		return rooms.NotFound("there is no event %s in room %s", eventID, room.ID())
	}
	return a.Users.SetReceipt(room.ID(), users.Receipt{
		Type: marker, UserID: r.UserID, EventID: eventID, ThreadID: threadID, Timestamp: time.Now().UnixMilli(),
	})
}
