package rooms

// This file creates rooms (client-server API, createRoom) and upgrades them.

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"maps"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/rules"
)

// StateWrite is an initial state event.
type StateWrite struct {
	Type     string          `json:"type"`
	StateKey string          `json:"state_key"`
	Content  json.RawMessage `json:"content"`
}

// CreateOptions is the request body of createRoom.
type CreateOptions struct {
	RoomVersion               string                     `json:"room_version"`
	Preset                    string                     `json:"preset"`
	Visibility                string                     `json:"visibility"`
	Name                      string                     `json:"name"`
	Topic                     string                     `json:"topic"`
	RoomAliasName             string                     `json:"room_alias_name"`
	Invite                    []string                   `json:"invite"`
	IsDirect                  bool                       `json:"is_direct"`
	InitialState              []StateWrite               `json:"initial_state"`
	CreationContent           map[string]json.RawMessage `json:"creation_content"`
	PowerLevelContentOverride map[string]json.RawMessage `json:"power_level_content_override"`
}

// Create creates a room for a local user and returns its ID.
func (rs *Rooms) Create(ctx context.Context, creatorID string, o CreateOptions) (roomID string, err error) {
	if o.RoomVersion == "" {
		o.RoomVersion = DefaultVersion
	}
	format, known := rs.format(o.RoomVersion)
	if !known {
		return "", Bad("M_UNSUPPORTED_ROOM_VERSION", "this server does not have room version %q", o.RoomVersion)
	}
	preset, err := presetOf(o)
	if err != nil {
		return "", err
	}
	alias := ""
	if o.RoomAliasName != "" {
		alias = "#" + o.RoomAliasName + ":" + rs.Server.Name
		if _, taken := rs.tables.aliases.Get(alias); taken {
			return "", Bad("M_ROOM_IN_USE", "the alias %s is taken", alias)
		}
	}
	for _, userID := range o.Invite {
		if err := identity.CheckUserID(userID); err != nil {
			return "", Bad("M_INVALID_PARAM", "cannot invite: %v", err)
		}
	}
	room := newRoom(rs, rs.newRoomID(format), format)
	if err := room.begin(creatorID, o, preset, alias); err != nil {
		return "", err
	}
	if alias != "" {
		if err := rs.CreateAlias(alias, room.id, creatorID); err != nil {
			return "", err
		}
	}
	if o.Visibility == "public" {
		if err := rs.SetListed(room.id, true); err != nil {
			return "", err
		}
	}
	for _, userID := range o.Invite {
		if err := rs.Invite(ctx, creatorID, userID, room.id, "", o.IsDirect); err != nil {
			return "", err
		}
	}
	return room.id, nil
}

// newRoomID returns a new room ID.
func (rs *Rooms) newRoomID(format pdu.Format) string {
	opaque := rand.Text()[:18]
	if format.Pseudonymous {
		return rs.Pseudonym.NewRoomID(opaque)
	}
	return "!" + opaque + ":" + rs.Server.Name
}

// preset is what a preset of createRoom sets.
type preset struct {
	joinRule, historyVisibility, guestAccess string
	trusted                                  bool // invited users get the creator's power level
}

func presetOf(o CreateOptions) (preset, error) {
	name := o.Preset
	if name == "" {
		name = "private_chat"
		if o.Visibility == "public" {
			name = "public_chat"
		}
	}
	switch name {
	case "private_chat":
		return preset{"invite", "shared", "can_join", false}, nil
	case "trusted_private_chat":
		return preset{"invite", "shared", "can_join", true}, nil
	case "public_chat":
		return preset{"public", "shared", "forbidden", false}, nil
	}
	return preset{}, Bad("M_BAD_JSON", "there is no preset %q", name)
}

// begin sends the first events of a room in the order that createRoom specifies: create, the creator's join, power
// levels, and the state that the request asks for.
func (r *Room) begin(creatorID string, o CreateOptions, p preset, alias string) error {
	key, sender, err := r.newSender(creatorID)
	if err != nil {
		return err
	}
	write := func(eventType, stateKey string, content any) error {
		_, err := r.writeFor(creatorID, Write{Type: eventType, StateKey: &stateKey, Content: raw(content)}, key, sender)
		return err
	}
	create := map[string]json.RawMessage{}
	maps.Copy(create, o.CreationContent)
	delete(create, "creator")
	create["room_version"] = raw(o.RoomVersion)
	if err := write(createType, "", create); err != nil {
		return err
	}
	r.rooms.add(r)
	if err := r.writeJoin(creatorID, ""); err != nil {
		return err
	}
	if err := write(powerLevelsType, "", powerLevels(creatorID, o, p)); err != nil {
		return err
	}
	if alias != "" {
		if err := write("m.room.canonical_alias", "", map[string]string{"alias": alias}); err != nil {
			return err
		}
	}
	given := map[pdu.StateKey]bool{}
	for _, one := range o.InitialState {
		given[pdu.StateKey{Type: one.Type, Key: one.StateKey}] = true
	}
	defaults := []StateWrite{
		{joinRulesType, "", raw(map[string]string{"join_rule": p.joinRule})},
		{historyVisibilityType, "", raw(map[string]string{"history_visibility": p.historyVisibility})},
		{"m.room.guest_access", "", raw(map[string]string{"guest_access": p.guestAccess})},
	}
	defaults = slices.DeleteFunc(defaults, func(one StateWrite) bool { return given[pdu.StateKey{Type: one.Type, Key: ""}] })
	for _, one := range append(defaults, o.InitialState...) {
		if len(one.Content) == 0 {
			one.Content = raw(struct{}{})
		}
		if err := write(one.Type, one.StateKey, one.Content); err != nil {
			return err
		}
	}
	if o.Name != "" {
		if err := write("m.room.name", "", map[string]string{"name": o.Name}); err != nil {
			return err
		}
	}
	if o.Topic != "" {
		return write("m.room.topic", "", map[string]string{"topic": o.Topic})
	}
	return nil
}

// powerLevels returns the initial power levels of a room, by user ID.
func powerLevels(creatorID string, o CreateOptions, p preset) map[string]json.RawMessage {
	users := map[string]int{creatorID: 100}
	if p.trusted {
		for _, userID := range o.Invite {
			users[userID] = 100
		}
	}
	levels := map[string]any{
		"users": users, "users_default": 0, "events_default": 0, "state_default": 50, "ban": 50, "kick": 50, "redact": 50, "invite": 0,
		"historical": 100, "notifications": map[string]int{"room": 50},
		"events": map[string]int{
			"m.room.name": 50, "m.room.power_levels": 100, "m.room.history_visibility": 100, "m.room.canonical_alias": 50,
			"m.room.avatar": 50, "m.room.tombstone": 100, "m.room.server_acl": 100, "m.room.encryption": 100,
		},
	}
	content := map[string]json.RawMessage{}
	for name, level := range levels {
		content[name] = raw(level)
	}
	maps.Copy(content, o.PowerLevelContentOverride)
	return content
}

// carriedOver is the state that an upgrade copies to the new room.
var carriedOver = []string{
	joinRulesType, historyVisibilityType, "m.room.guest_access", "m.room.server_acl", "m.room.encryption", "m.room.name",
	"m.room.topic", "m.room.avatar",
}

// Upgrade replaces a room by a new one of another version (client-server API, "Room upgrades"), and returns its ID.
// State is copied by user ID: users have other keys in the new room, or none.
func (rs *Rooms) Upgrade(ctx context.Context, userID, roomID, version string) (newID string, err error) {
	old := rs.Get(roomID)
	if old == nil || old.Membership(userID) != "join" {
		return "", Forbidden("%s is not in room %s", userID, roomID)
	}
	if _, known := rs.format(version); !known {
		return "", Bad("M_UNSUPPORTED_ROOM_VERSION", "this server does not have room version %q", version)
	}
	sender, _ := old.Sender(userID)
	state := old.State()
	if !old.maySendState(state, sender, "m.room.tombstone") {
		return "", Forbidden("%s does not have the power level to upgrade room %s", userID, roomID)
	}
	creation := map[string]json.RawMessage{}
	create := gjson.ParseBytes(contentOf(state.Create()))
	for _, field := range []string{"type", "m.federate"} {
		if value := create.Get(gjson.Escape(field)); value.Exists() {
			creation[field] = json.RawMessage(value.Raw)
		}
	}
	predecessor := map[string]string{"room_id": roomID}
	if heads := old.Heads(); len(heads) > 0 {
		predecessor["event_id"] = heads[len(heads)-1]
	}
	creation["predecessor"] = raw(predecessor)
	o := CreateOptions{RoomVersion: version, CreationContent: creation, PowerLevelContentOverride: map[string]json.RawMessage{}}
	levels := old.shownLevels(state)
	for name, level := range levels {
		o.PowerLevelContentOverride[name] = level
	}
	// The upgrading user sends the first events whatever its power level was; the levels of the old room are sent last.
	delete(o.PowerLevelContentOverride, "users")
	if format, _ := rs.format(version); format.Pseudonymous && rs.Pseudonym.Readings.UpgradeCarries == "nothing" && len(levels) > 0 {
		levels["users"] = raw(map[string]json.RawMessage{userID: raw(state.PowerLevels().Of(sender))})
	}
	for _, eventType := range carriedOver {
		if event := state.Get(eventType, ""); event != nil {
			o.InitialState = append(o.InitialState, StateWrite{eventType, "", old.Content(old.Event(event.ID()))})
		}
	}
	if newID, err = rs.Create(ctx, userID, o); err != nil {
		return "", err
	}
	if len(levels) > 0 {
		if _, err := rs.Send(ctx, newID, userID, Write{Type: powerLevelsType, StateKey: new(string), Content: raw(levels)}); err != nil {
			return "", err
		}
	}
	tombstone := Write{Type: "m.room.tombstone", StateKey: new(string), Content: raw(map[string]string{
		"body": "This room has been replaced", "replacement_room": newID,
	})}
	if _, err := rs.Send(ctx, roomID, userID, tombstone); err != nil {
		return "", err
	}
	return newID, rs.moveAliases(roomID, newID)
}

// Heads returns the forward extremities of the room.
func (r *Room) Heads() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Clone(r.heads)
}

// maySendState reports whether a member has the power level to send a type of state.
func (r *Room) maySendState(state rules.State, sender, eventType string) bool {
	levels := state.PowerLevels()
	return state.Membership(sender) == "join" && levels.Of(sender) >= levels.ForEvent(eventType, true)
}

// shownLevels returns the power levels as clients see them.
func (r *Room) shownLevels(state rules.State) map[string]json.RawMessage {
	event := state.Get(powerLevelsType, "")
	if event == nil {
		return nil
	}
	levels := map[string]json.RawMessage{}
	_ = json.Unmarshal(r.Content(r.Event(event.ID())), &levels) // it was parsed as an object before
	return levels
}
