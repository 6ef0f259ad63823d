package rooms

// This file writes the events of own users.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
	"msc4014/reference/store"
)

// Write is an event that a client sends. Users are named by user ID in it, also in pseudonymous rooms.
type Write struct {
	Type     string
	StateKey *string // nil: not state
	Content  json.RawMessage
	Redacts  string // of a redaction
	// Device and Transaction are of the request; the event shows its transaction ID to that device alone.
	Device, Transaction string
	// Also is called in the Update that remembers the event; it may be nil.
	Also func(tx *store.Tx, eventID string)
}

// maxPrevEvents is how many ends of a room an event joins together.
const maxPrevEvents = 20

// Send writes an event of an own user who is in the room, and has it sent to the servers in the room. Member events are
// written by Join, Leave and their kin: one that comes here is what a client sends by /state, and is led there.
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
	d, deferred, err := room.draft(w, sender)
	if err != nil {
		return "", err
	}
	event, err := room.write(d, key, sender, taking{device: w.Device, transaction: w.Transaction, also: w.Also})
	if err != nil {
		return "", err
	}
	if err := room.deferPower(deferred, userID); err != nil {
		return "", err
	}
	return event.ID(), nil
}

// ownSender returns the key and the name on the wire of an own user who is a member. The key is empty in ordinary rooms.
func (r *Room) ownSender(userID string) (key pseudoid.KeyPair, sender string, err error) {
	if !r.format.Pseudonymous {
		return key, userID, nil
	}
	if _, known := r.directory.Key(userID); !known {
		return key, "", Forbidden("%s is not in room %s", userID, r.id)
	}
	key, err = pseudonym.SenderKey(r.rooms.keys, r.id, userID)
	return key, string(key.Public), err
}

// makeKey makes the key of an own user in advance, for pseudonym.KeyMaker.
func (r *Room) makeKey(userID string) (pseudoid.SenderKey, bool, error) {
	if !r.rooms.own(userID) {
		return "", false, nil
	}
	pair, err := pseudonym.SenderKey(r.rooms.keys, r.id, userID)
	return pair.Public, err == nil, err
}

// draft spells what a client wrote as it goes over the wire.
func (r *Room) draft(w Write, sender string) (d pseudonym.Draft, deferred map[string]json.RawMessage, err error) {
	d = pseudonym.Draft{Type: w.Type, RoomID: r.id, StateKey: w.StateKey, Content: w.Content, Redacts: w.Redacts}
	if !r.format.Pseudonymous {
		if w.Type == createType && r.format.RoomVersion != pseudoid.FormatV11.RoomVersion {
			d.Content, err = sjson.SetBytes(d.Content, "creator", sender)
		}
		if w.Redacts != "" && r.format.RoomVersion == pseudoid.FormatV11.RoomVersion {
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
	written, err := p.WireContent(w.Type, w.Content, pseudoid.SenderKey(sender), r.directory, r.makeKey)
	if err != nil {
		return d, nil, noKey(err)
	}
	d.Content = written.Content
	return d, written.Deferred, nil
}

// noKey tells a client that it named a user whom events of the room cannot name.
func noKey(err error) error {
	var missing *pseudonym.NoKeyError
	if errors.As(err, &missing) {
		return Bad("M_BAD_JSON", "%v", err)
	}
	return Bad("M_BAD_JSON", "%v", err)
}

// write builds an event at the room's end, checks it as others will, takes it and sends it.
func (r *Room) write(d pseudonym.Draft, key pseudoid.KeyPair, sender string, how taking) (*Event, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	state := r.current.state
	r.place(&d, sender, state)
	event, err := r.build(d, key, sender)
	if err != nil {
		return nil, err
	}
	return r.takeOwn(event, state, how)
}

// place puts a draft at the room's end. The lock is held.
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

// build makes the event of a draft, signed by its sender's key, or in an ordinary room by the server's.
func (r *Room) build(d pseudonym.Draft, key pseudoid.KeyPair, sender string) (*rules.Event, error) {
	var signed []byte
	var err error
	if r.format.Pseudonymous {
		signed, _, err = r.rooms.Pseudonym.Build(d, key, r.rooms.Server)
	} else {
		signed, err = r.signOrdinary(ordinaryEvent(d, sender))
	}
	if err != nil {
		return nil, fmt.Errorf("writing an event of type %s: %w", d.Type, err)
	}
	return r.read(signed)
}

// read reads an event that was made here.
func (r *Room) read(signed []byte) (*rules.Event, error) {
	event, err := rules.NewEvent(signed, r.format)
	if err != nil {
		return nil, Bad("M_BAD_JSON", "no such event can be sent: %v", err)
	}
	return event, nil
}

// ordinaryEvent spells a draft as an event of an ordinary room, without hashes and signatures.
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

// signOrdinary adds the content hash and the server's signature.
func (r *Room) signOrdinary(event []byte) ([]byte, error) {
	signer := r.rooms.Server
	return pseudoid.SignEvent(event, r.format, signer.Name, signer.KeyID, signer.Key)
}

// takeOwn takes an event of an own user, if the rules allow it, and sends it. The lock is held.
func (r *Room) takeOwn(event *rules.Event, before rules.State, how taking) (*Event, error) {
	if err := r.authorised(event, before); err != nil {
		return nil, Forbidden("%v", err)
	}
	if how.judgement == nil {
		how.judgement = r.judgeOwn(event)
	}
	how.send = true
	return r.take(event, before, how)
}

// authorised tells why the rules do not allow an event, or nil.
func (r *Room) authorised(event *rules.Event, before rules.State) error {
	var authEvents []*rules.Event
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

// deferredPower is power that a client gave to a user without a key (client-view/power-levels-before-join).
type deferredPower struct {
	Level json.RawMessage `json:"level"`
	By    string          `json:"by"` // the user ID of who gave it
}

// deferPower remembers power for users who have no key yet.
func (r *Room) deferPower(levels map[string]json.RawMessage, by string) error {
	if len(levels) == 0 {
		return nil
	}
	return r.rooms.Store.Update(func(tx *store.Tx) error {
		for userID, level := range levels {
			r.rooms.tables.deferred.Put(tx, store.Key(r.id, userID), deferredPower{level, by})
		}
		return nil
	})
}

// applyDeferred writes the power that was deferred for a user, once it has a key, in the name of who gave it.
func (r *Room) applyDeferred(userID string) {
	deferred, ok := r.rooms.tables.deferred.Get(store.Key(r.id, userID))
	if !ok || !r.format.Pseudonymous {
		return
	}
	key, known := r.directory.Key(userID)
	levels := r.State()[rules.StateKey{Type: powerLevelsType}]
	if !known || levels == nil || r.Membership(userID) != "join" {
		return
	}
	err := r.rooms.Store.Update(func(tx *store.Tx) error {
		r.rooms.tables.deferred.Delete(tx, store.Key(r.id, userID))
		return nil
	})
	content, changed, applyErr := pseudonym.ApplyDeferred(contentOf(levels), key, deferred.Level)
	if err = errors.Join(err, applyErr); err == nil && changed {
		empty := ""
		by, sender, keyErr := r.ownSender(deferred.By)
		if err = keyErr; err == nil {
			_, err = r.write(pseudonym.Draft{Type: powerLevelsType, RoomID: r.id, StateKey: &empty, Content: content}, by, sender, taking{})
		}
	}
	if err != nil {
		r.rooms.Log.Warn("power that was given before the user joined is not given", "room", r.id, "user", userID, "error", err)
	}
}
