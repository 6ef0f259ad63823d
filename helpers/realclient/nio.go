package realclient

import (
	"context"
	"fmt"
)

// NioProgram starts matrix-nio in the image of real clients.
var NioProgram = []string{"python3", "/clients/nio_driver.py"}

// Nio is matrix-nio, logged in as a device of a user, with end-to-end encryption.
type Nio struct {
	*Program
	UserID   string `json:"user_id"`
	DeviceID string `json:"device_id"`
}

// Model is what the client knows of its rooms.
type Model struct {
	Version   int              `json:"version"`
	SyncError string           `json:"sync_error"` // of the last /sync
	Rooms     map[string]*Room `json:"rooms"`      // by room ID; also those that the user has left
	Invites   map[string]struct {
		Inviter string `json:"inviter"`
	} `json:"invites"`
	Left []string `json:"left"` // the rooms that /sync last listed as left
}

// Room is what the client knows of a room.
type Room struct {
	Version   string             `json:"version"`
	Creator   string             `json:"creator"`
	Encrypted bool               `json:"encrypted"`
	Members   map[string]*Member `json:"members"` // by user ID; joined or invited
	Powers    map[string]int     `json:"powers"`  // of the power levels, by user ID
	Timeline  []*Shown           `json:"timeline"`
}

// Member is a member as the client knows it.
type Member struct {
	Name    string   `json:"name"` // as the client shows it
	Invited bool     `json:"invited"`
	Power   int      `json:"power"`
	Devices []string `json:"devices"` // the IDs of the devices whose keys the client has, in encrypted rooms
}

// Shown is an event of the timeline as the client shows it.
type Shown struct {
	EventID    string `json:"event_id"`
	Sender     string `json:"sender"`
	Type       string `json:"type"`
	Body       string `json:"body"`      // of a text message, decrypted if it can be; "" if it was redacted
	Decrypted  bool   `json:"decrypted"` // it was encrypted, and Body is its text
	StateKey   string `json:"state_key"` // of a member event
	Membership string `json:"membership"`
	RedactedBy string `json:"redacted_by"`
	Redacts    string `json:"redacts"`
	Bad        bool   `json:"bad"` // the client refuses it, because its form is wrong
}

// Event returns an event of the timeline, or nil.
func (r *Room) Event(eventID string) *Shown {
	for _, shown := range r.Timeline {
		if shown.EventID == eventID {
			return shown
		}
	}
	return nil
}

// RegisterNio registers a user, and begins to synchronise.
func RegisterNio(ctx context.Context, program *Program, localpart, password string) (*Nio, error) {
	return enterNio(ctx, program, "register", localpart, password)
}

// LogInNio logs in another device of a user, and begins to synchronise.
func LogInNio(ctx context.Context, program *Program, userID, password string) (*Nio, error) {
	return enterNio(ctx, program, "login", userID, password)
}

func enterNio(ctx context.Context, program *Program, how, user, password string) (*Nio, error) {
	n := &Nio{Program: program}
	return n, program.Do(ctx, how, map[string]any{"user": user, "password": password}, n)
}

// Create creates a public room of a version, and returns its ID.
func (n *Nio) Create(ctx context.Context, version string, encrypted bool) (roomID string, err error) {
	err = n.Do(ctx, "create", map[string]any{"version": version, "public": true, "encrypted": encrypted}, &roomID)
	return roomID, err
}

// Join joins a room by its ID or an alias, and returns its ID.
func (n *Nio) Join(ctx context.Context, room string) (roomID string, err error) {
	err = n.Do(ctx, "join", map[string]any{"room": room}, &roomID)
	return roomID, err
}

// Leave leaves a room.
func (n *Nio) Leave(ctx context.Context, roomID string) error {
	return n.Do(ctx, "leave", map[string]any{"room": roomID}, nil)
}

// Invite invites a user.
func (n *Nio) Invite(ctx context.Context, roomID, userID string) error {
	return n.Do(ctx, "invite", map[string]any{"room": roomID, "user": userID}, nil)
}

// Kick removes a member.
func (n *Nio) Kick(ctx context.Context, roomID, userID string) error {
	return n.Do(ctx, "kick", map[string]any{"room": roomID, "user": userID}, nil)
}

// Say sends a text message, encrypted if the room is, and returns its event ID.
func (n *Nio) Say(ctx context.Context, roomID, text string) (eventID string, err error) {
	err = n.Do(ctx, "say", map[string]any{"room": roomID, "text": text}, &eventID)
	return eventID, err
}

// Redact redacts an event.
func (n *Nio) Redact(ctx context.Context, roomID, eventID string) error {
	return n.Do(ctx, "redact", map[string]any{"room": roomID, "event": eventID}, nil)
}

// SetName changes the user's display name.
func (n *Nio) SetName(ctx context.Context, name string) error {
	return n.Do(ctx, "set_name", map[string]any{"name": name}, nil)
}

// Await waits until the client's model satisfies wanted. If ctx ends first, the error begins with what the model lacks.
func (n *Nio) Await(ctx context.Context, wanted func(Model) error) error {
	var lacks error
	for after := -1; ; {
		var model Model
		if err := n.Do(ctx, "model", map[string]any{"after": after}, &model); err != nil {
			return beside(lacks, err)
		}
		if lacks = wanted(model); lacks == nil {
			return nil
		}
		if model.SyncError != "" {
			lacks = fmt.Errorf("%w; its last /sync failed: %s", lacks, model.SyncError)
		}
		after = model.Version
	}
}
