package rooms

// This file sends the events of local users.

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/tidwall/sjson"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
	"msc4014/reference/store"
)

// Write is an event that a client sends. It names users by user ID, in pseudonymous rooms too.
type Write struct {
	Type     string
	StateKey *string // nil if it is not state
	Content  json.RawMessage
	Redacts  string // the event ID, for a redaction
	// Device and Transaction are of the request; only that device is shown the transaction ID.
	Device, Transaction string
	// Also is called in the Update that stores the event; it may be nil.
	Also func(tx *store.Tx, eventID string)
}

// maxPrevEvents is how many forward extremities an event has as prev events.
const maxPrevEvents = 20

// Send sends an event of a local user that is in the room. A member event that a client sends as state is passed on to
// Join, Leave and so on.
func (rs *Rooms) Send(ctx context.Context, roomID, userID string, w Write) (eventID string, err error) {
	room := rs.Get(roomID)
	if room == nil {
		return "", Forbidden("%s is not in room %s", userID, roomID)
	}
	if w.Type == memberType && w.StateKey != nil {
		return rs.sendMember(ctx, room, userID, w)
	}
	key, sender, err := room.ownSender(userID)
	if err != nil {
		return "", err
	}
	return room.writeFor(userID, w, key, sender)
}

// writeFor sends what a local user wrote.
func (r *Room) writeFor(userID string, w Write, key identity.KeyPair, sender string) (eventID string, err error) {
	d, deferred, err := r.draft(w, sender)
	if err != nil {
		return "", err
	}
	also := func(tx *store.Tx, eventID string) {
		if w.Type == powerLevelsType {
			r.deferPower(tx, deferred, userID)
		}
		if w.Also != nil {
			w.Also(tx, eventID)
		}
	}
	event, err := r.write(d, key, sender, taking{device: w.Device, transaction: w.Transaction, also: also})
	if err != nil {
		return "", err
	}
	if len(deferred) > 0 { // to users that have joined since the draft was made
		r.applyAllDeferred()
	}
	return event.ID(), nil
}

// ownSender returns the key and the wire name of a local user that is known in the room. The key is empty in ordinary
// rooms.
func (r *Room) ownSender(userID string) (key identity.KeyPair, sender string, err error) {
	if !r.format.Pseudonymous {
		return key, userID, nil
	}
	if _, known := r.directory.Key(userID); !known {
		return key, "", Forbidden("%s is not in room %s", userID, r.id)
	}
	key, err = pseudonym.SenderKey(r.rooms.keys, r.id, userID)
	return key, string(key.Public), err
}

// makeKey makes the key of a local user in advance, for pseudonym.KeyMaker.
func (r *Room) makeKey(userID string) (identity.SenderKey, bool, error) {
	if !r.rooms.own(userID) {
		return "", false, nil
	}
	pair, err := pseudonym.SenderKey(r.rooms.keys, r.id, userID)
	return pair.Public, err == nil, err
}

// draft translates what a client wrote into a draft for the wire.
func (r *Room) draft(w Write, sender string) (d pseudonym.Draft, deferred map[string]json.RawMessage, err error) {
	d = pseudonym.Draft{Type: w.Type, RoomID: r.id, StateKey: w.StateKey, Content: w.Content, Redacts: w.Redacts}
	if !r.format.Pseudonymous {
		if w.Type == createType && r.format.RoomVersion != pdu.FormatV11.RoomVersion {
			d.Content, err = sjson.SetBytes(d.Content, "creator", sender)
		}
		if w.Redacts != "" && r.format.RoomVersion == pdu.FormatV11.RoomVersion {
			d.Redacts = ""
			d.Content, err = sjson.SetBytes(d.Content, "redacts", w.Redacts)
		}
		return d, nil, err
	}
	p := r.rooms.Pseudonym
	if w.StateKey != nil {
		stateKey, err := p.WireStateKey(w.Type, *w.StateKey, r.directory, r.makeKey)
		if err != nil {
			return d, nil, noKey(err)
		}
		d.StateKey = &stateKey
	}
	written, err := p.WireContent(w.Type, w.Content, identity.SenderKey(sender), r.directory, r.makeKey)
	if err != nil {
		return d, nil, noKey(err)
	}
	d.Content = written.Content
	return d, written.Deferred, nil
}

// noKey returns the error for a client whose event cannot be translated, mostly since it names a user that has no key in
// the room.
func noKey(err error) error {
	return Bad("M_BAD_JSON", "%v", err)
}

// write builds an event at the forward extremities, checks it as other servers will, adds it to the room and sends it.
func (r *Room) write(d pseudonym.Draft, key identity.KeyPair, sender string, how taking) (*Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.writeLocked(d, key, sender, how)
}

// writeLocked is write for a caller that holds the lock.
func (r *Room) writeLocked(d pseudonym.Draft, key identity.KeyPair, sender string, how taking) (*Event, error) {
	state := r.current.state
	r.place(&d, sender, state)
	event, err := r.build(d, key, sender)
	if err != nil {
		return nil, err
	}
	return r.takeOwn(event, state, how)
}

// place sets the prev events, auth events, depth and time of a draft. The lock must be held.
func (r *Room) place(d *pseudonym.Draft, sender string, state rules.State) {
	d.PrevEvents = r.heads[max(0, len(r.heads)-maxPrevEvents):]
	d.Depth = 1
	for _, id := range d.PrevEvents {
		d.Depth = max(d.Depth, r.events[id].Depth()+1)
	}
	d.OriginServerTS = now()
	d.AuthEvents = nil
	for _, needed := range rules.AuthKeys(d.Type, sender, d.StateKey, d.Content) {
		if event := state[needed]; event != nil {
			d.AuthEvents = append(d.AuthEvents, event.ID())
		}
	}
}

// build builds and signs the event of a draft, with the sender's key, or in an ordinary room with the server's.
func (r *Room) build(d pseudonym.Draft, key identity.KeyPair, sender string) (event *pdu.Event, err error) {
	if r.format.Pseudonymous {
		event, err = r.rooms.Pseudonym.Build(d, key, r.rooms.Server)
	} else {
		event, err = r.rooms.Server.Sign(ordinaryEvent(d, sender), r.format)
	}
	if err != nil {
		return nil, Bad("M_BAD_JSON", "this event of type %s cannot be sent: %v", d.Type, err)
	}
	return event, nil
}

// ordinaryEvent returns a draft as an event of an ordinary room, without hashes and signatures.
func ordinaryEvent(d pseudonym.Draft, sender string) []byte {
	event := map[string]any{
		"type": d.Type, "room_id": d.RoomID, "sender": sender, "content": json.RawMessage(d.Content), "depth": d.Depth,
		"prev_events": append([]string{}, d.PrevEvents...), "auth_events": append([]string{}, d.AuthEvents...),
		"origin_server_ts": d.OriginServerTS,
	}
	if d.StateKey != nil {
		event["state_key"] = *d.StateKey
	}
	if d.Redacts != "" {
		event["redacts"] = d.Redacts
	}
	return raw(event)
}

// takeOwn adds an event of a local user to the room if the rules allow it, and sends it. The lock must be held.
func (r *Room) takeOwn(event *pdu.Event, before rules.State, how taking) (*Event, error) {
	if err := r.checkAuth(event, before); err != nil {
		return nil, Forbidden("%v", err)
	}
	if how.judgement == nil {
		how.judgement = r.judgeOwn(event)
	}
	how.send = true
	return r.take(event, before, how)
}

// checkAuth returns an error if the authorisation rules reject an event, by its auth events or in the state before it.
func (r *Room) checkAuth(event *pdu.Event, before rules.State) error {
	var authEvents []*pdu.Event
	for _, id := range event.AuthEvents() {
		if known := r.events[id]; known != nil {
			authEvents = append(authEvents, known.Event)
		}
	}
	applied := r.rules()
	if err := applied.CheckAuthEvents(event, authEvents, history{r, nil}.Rejected); err != nil {
		return err
	}
	return applied.Allowed(event, before)
}

// deferredPower is a power level that a client gave to a user without a key (client-view/power-levels-before-join).
type deferredPower struct {
	Level json.RawMessage `json:"level"`
	By    string          `json:"by"` // the user ID that gave it
}

// deferPower stores the power levels that an event of a local user gives to users without a key. They replace those of
// earlier events: a user that a later one leaves out, or names by its key, gets what that says.
func (r *Room) deferPower(tx *store.Tx, levels map[string]json.RawMessage, by string) {
	for _, userID := range r.deferredUsers() {
		r.rooms.tables.deferred.Delete(tx, store.Key(r.id, userID))
	}
	for userID, level := range levels {
		r.rooms.tables.deferred.Put(tx, store.Key(r.id, userID), deferredPower{level, by})
	}
}

// deferredUsers returns the users with a deferred power level, sorted.
func (r *Room) deferredUsers() []string {
	var users []string
	for place := range r.rooms.tables.deferred.All() {
		if parts := store.Parts(place); parts[0] == r.id {
			users = append(users, parts[1])
		}
	}
	slices.Sort(users)
	return users
}

// applyAllDeferred sends the deferred power levels of all users that have joined by now: whichever way a join came, and
// whenever its mapping was verified. No lock of the room may be held but intake.
func (r *Room) applyAllDeferred() {
	for _, userID := range r.deferredUsers() {
		if err := r.applyDeferred(userID); err != nil {
			r.rooms.Log.Warn("a deferred power level was not applied", "room", r.id, "user", userID, "error", err)
		}
	}
}

// applyDeferred sends the deferred power level of a user that has joined, on behalf of the user that gave it, if that user
// still may.
func (r *Room) applyDeferred(userID string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	place, state := store.Key(r.id, userID), r.current.state
	deferred, ok := r.rooms.tables.deferred.Get(place)
	key, known := r.directory.Key(userID)
	levels := state.Get(powerLevelsType, "")
	if !ok || !known || levels == nil || state.Membership(string(key)) != "join" {
		return nil
	}
	forget := func(tx *store.Tx, _ string) { r.rooms.tables.deferred.Delete(tx, place) }
	giver, _ := r.directory.Key(deferred.By)
	power := state.PowerLevels()
	content, changed, err := pseudonym.ApplyDeferred(contentOf(levels), key,
		pseudonym.Deferred{UserID: userID, Level: deferred.Level, Stays: power.Of(userID) >= power.Of(string(giver))})
	if err == nil && changed {
		if err = r.writePower(content, deferred.By, taking{also: forget}); err == nil {
			return nil
		}
	}
	return errors.Join(err, r.rooms.Store.Update(func(tx *store.Tx) error {
		forget(tx, "")
		return nil
	}))
}

// writePower sends the power levels of a pseudonymous room for a local user. The lock must be held.
func (r *Room) writePower(content []byte, by string, how taking) error {
	key, sender, err := r.ownSender(by)
	if err != nil {
		return err
	}
	_, err = r.writeLocked(pseudonym.Draft{Type: powerLevelsType, RoomID: r.id, StateKey: new(string), Content: content}, key, sender, how)
	return err
}
