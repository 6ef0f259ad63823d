package federation

// Templates: events before they are hashed and signed. A forgery and its control are built from the same template and differ only
// in the altered field.

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
)

// Signer is a signing key with the entity and the key ID of its signatures; without a key ID, they have MSC1228's bare form.
type Signer struct {
	Entity string
	KeyID  string
	Key    ed25519.PrivateKey
}

// Path returns the gjson path of the signer's signature in an event.
func (s Signer) Path() string {
	path := "signatures." + gjson.Escape(s.Entity)
	if s.KeyID != "" {
		path += "." + gjson.Escape(s.KeyID)
	}
	return path
}

// Sign returns an event with the signer's signature.
func (s Signer) Sign(event []byte, format pseudoid.Format) ([]byte, error) {
	if s.KeyID == "" {
		return pseudoid.SignEventBare(event, format, s.Entity, s.Key)
	}
	return pseudoid.SignEvent(event, format, s.Entity, s.KeyID, s.Key)
}

// signerOf returns a signer with a sender key of the peer, whose signatures stand where the format has them.
func (p *Peer) signerOf(pair pseudoid.KeyPair, format pseudoid.Format) Signer {
	entity := string(pair.Public)
	if format.Signature.ByServer {
		entity = p.name
	}
	return Signer{Entity: entity, KeyID: format.Signature.KeyID, Key: pair.Private}
}

// SignerOf returns a signer with a sender key of the room's peer.
func (r *Room) SignerOf(pair pseudoid.KeyPair) Signer { return r.peer.signerOf(pair, r.format) }

// SignerIn returns a signer with the user's sender key in a room.
func (u *User) SignerIn(room *Room) Signer { return u.peer.signerOf(u.KeyIn(room.id), room.format) }

// SignerOf returns a signer with a sender key of the template's peer.
func (t Template) SignerOf(pair pseudoid.KeyPair) Signer { return t.peer.signerOf(pair, t.format) }

// Change alters a copy of the JSON of an event or a mapping.
type Change func(raw []byte) ([]byte, error)

// SetField returns a Change that sets the field at an sjson path.
func SetField(path string, value any) Change {
	return func(raw []byte) ([]byte, error) {
		written, err := marshal(value)
		if err != nil {
			return nil, err
		}
		return sjson.SetRawBytes(raw, path, written)
	}
}

// DeleteField returns a Change that removes the field at an sjson path.
func DeleteField(path string) Change {
	return func(raw []byte) ([]byte, error) { return sjson.DeleteBytes(raw, path) }
}

// Template is an event before it is hashed and signed. It is immutable: each method returns an altered copy. A template from a room
// places each event that it builds at the room's end; one from the answer to make_join or make_leave keeps that answer's
// placement.
type Template struct {
	peer   *Peer
	roomID string
	format pseudoid.Format
	place  func(eventType, sender string, stateKey *string, content []byte) placement

	eventType string
	stateKey  *string
	content   []byte
	redacts   string
	timestamp int64

	user        *User
	key         pseudoid.KeyPair
	sender      string
	mapping     *mapping
	signers     []Signer
	before      []Change
	afterwards  []Change
	description string
}

// mapping is the mxid_mapping of a template; nil means none.
type mapping struct {
	key        pseudoid.SenderKey
	userID     string
	raw        []byte // if set, replaces everything else
	signers    []Signer
	before     []Change
	afterwards []Change
}

// as sets the sender, the key and the signer to those of a user. For also sets the state key and the mapping.
func (t Template) as(user *User) Template {
	t.user = user
	if t.format.Pseudonymous {
		t.key = user.KeyIn(t.roomID)
		t.sender = string(t.key.Public)
		t.signers = []Signer{user.peer.signerOf(t.key, t.format)} // by its own server, where the format names that
	} else {
		t.sender = user.ID()
		t.signers = []Signer{user.peer.Signer()}
	}
	return t
}

// MemberTemplate returns a template of the user's own member event in a room that the peer is in. In pseudonymous rooms, joins and
// knocks have a mapping; WithMappingOf adds one to others.
func (r *Room) MemberTemplate(user *User, membership string) Template {
	return memberTemplate(r.peer, r.id, r.format, r.place, user, membership, nil)
}

func memberTemplate(peer *Peer, roomID string, format pseudoid.Format,
	place func(string, string, *string, []byte) placement, user *User, membership string, content []byte,
) Template {
	if len(content) == 0 {
		content = []byte("{}")
	}
	content, _ = sjson.SetBytes(bytes.Clone(content), "membership", membership) // an object and a string: cannot fail
	if membership == "join" {
		for name, value := range user.profile() {
			content, _ = sjson.SetBytes(content, name, value)
		}
	}
	template := Template{
		peer: peer, roomID: roomID, format: format, place: place, eventType: "m.room.member", content: content,
		description: membership + " of " + user.ID(),
	}
	return template.For(user)
}

// For turns the template into the member event of another user: sender, state key, signature and mapping are that user's.
func (t Template) For(user *User) Template {
	t = t.as(user)
	t.stateKey = StateKey(t.sender)
	t.mapping = nil
	switch gjson.GetBytes(t.content, "membership").String() {
	case "join", "knock":
		t = t.WithMappingOf(user)
	}
	return t
}

// WithKey turns the template into the member event of another sender key, which signs it and is in the mapping.
func (t Template) WithKey(pair pseudoid.KeyPair) Template {
	t.peer.sw.markKey(pair.Public)
	t.key = pair
	t.sender = string(pair.Public)
	t.stateKey = StateKey(t.sender)
	t.signers = []Signer{t.SignerOf(pair)}
	return t.withMapping(func(m *mapping) { m.key = pair.Public })
}

// WithMappingOf sets the mapping of the template's key to a user, signed by that user's server. It does nothing in ordinary rooms.
func (t Template) WithMappingOf(user *User) Template {
	if !t.format.Pseudonymous {
		return t
	}
	t.mapping = &mapping{key: t.key.Public, userID: user.ID(), signers: []Signer{user.peer.Signer()}}
	return t
}

// WithoutMapping omits mxid_mapping.
func (t Template) WithoutMapping() Template {
	t.mapping = nil
	return t
}

// WithMapping sets mxid_mapping to raw JSON, byte for byte.
func (t Template) WithMapping(raw []byte) Template {
	t.mapping = &mapping{raw: bytes.Clone(raw)}
	return t
}

// Claiming sets the user ID in the mapping, which is still signed only by the template's own server.
func (t Template) Claiming(userID string) Template {
	return t.withMapping(func(m *mapping) { m.userID = userID })
}

// NamingKey sets the key in the mapping, which may differ from the one that signs the event.
func (t Template) NamingKey(key pseudoid.SenderKey) Template {
	return t.withMapping(func(m *mapping) { m.key = key })
}

// MappingSignedBy replaces the signers of the mapping; without any it is unsigned.
func (t Template) MappingSignedBy(signers ...Signer) Template {
	return t.withMapping(func(m *mapping) { m.signers = slices.Clone(signers) })
}

// MappingAlsoSignedBy adds signers to those of the mapping.
func (t Template) MappingAlsoSignedBy(signers ...Signer) Template {
	return t.withMapping(func(m *mapping) { m.signers = append(slices.Clone(m.signers), signers...) })
}

// AlterMapping alters the mapping before it is signed.
func (t Template) AlterMapping(change Change) Template {
	return t.withMapping(func(m *mapping) { m.before = append(slices.Clone(m.before), change) })
}

// AlterMappingAfterSigning alters the mapping after it is signed, but before the event is hashed and signed.
func (t Template) AlterMappingAfterSigning(change Change) Template {
	return t.withMapping(func(m *mapping) { m.afterwards = append(slices.Clone(m.afterwards), change) })
}

func (t Template) withMapping(change func(*mapping)) Template {
	altered := mapping{key: t.key.Public, userID: t.user.ID(), signers: []Signer{t.user.peer.Signer()}}
	if t.mapping != nil {
		altered = *t.mapping
	}
	change(&altered)
	t.mapping = &altered
	return t
}

// SignedBy replaces the signers of the event; without any it is unsigned.
func (t Template) SignedBy(signers ...Signer) Template {
	t.signers = slices.Clone(signers)
	return t
}

// AlsoSignedBy adds signers to those of the event.
func (t Template) AlsoSignedBy(signers ...Signer) Template {
	t.signers = append(slices.Clone(t.signers), signers...)
	return t
}

// WithContent sets a field of the content at an sjson path.
func (t Template) WithContent(path string, value any) Template {
	return t.Alter(SetField("content."+path, value))
}

// Naming sets a field of the content before the auth events are selected, which may depend on it. WithContent does so afterwards.
func (t Template) Naming(path string, value any) Template {
	if changed, err := sjson.SetBytes(bytes.Clone(t.content), path, value); err == nil {
		t.content = changed
	}
	return t
}

// Alter alters the event before it is hashed and signed: hash and signatures are valid for the result.
func (t Template) Alter(change Change) Template {
	t.before = append(slices.Clone(t.before), change)
	return t
}

// AlterAfterSigning alters the event after it is hashed and signed.
func (t Template) AlterAfterSigning(change Change) Template {
	t.afterwards = append(slices.Clone(t.afterwards), change)
	return t
}

// Sender returns the sender: a sender key, or a user ID in ordinary rooms.
func (t Template) Sender() string { return t.sender }

// Key returns the sender key pair of the event; the zero value in ordinary rooms.
func (t Template) Key() pseudoid.KeyPair { return t.key }

// User returns the user of the event.
func (t Template) User() *User { return t.user }

// Format returns the format of the event.
func (t Template) Format() pseudoid.Format { return t.format }

// RoomID returns the ID of the event's room.
func (t Template) RoomID() string { return t.roomID }

// Build builds the event: fields, mapping, alterations, hash, signatures, alterations after signing. It marks the event as the
// suite's own.
func (t Template) Build() (Event, error) {
	event, err := t.build()
	if err != nil {
		what := t.description
		if what == "" {
			what = t.eventType
		}
		return Event{}, fmt.Errorf("%s cannot build the event (%s, room %s): %w", t.peer.name, what, t.roomID, err)
	}
	t.peer.sw.markEvent(event)
	return event, nil
}

func (t Template) build() (Event, error) {
	if t.user == nil {
		return Event{}, errors.New("the template has no user")
	}
	content := bytes.Clone(t.content)
	if t.mapping != nil {
		written, err := t.mapping.write(t.format.Dialect)
		if err != nil {
			return Event{}, fmt.Errorf("its mapping: %w", err)
		}
		if content, err = sjson.SetRawBytes(content, pseudoid.MappingField, written); err != nil {
			return Event{}, fmt.Errorf("its mapping: %w", err)
		}
	}
	where := t.place(t.eventType, t.sender, t.stateKey, content)
	timestamp := t.timestamp
	if timestamp == 0 {
		timestamp = time.Now().UnixMilli()
	}
	fields := []field{
		{"auth_events", list(where.auth)}, {"content", content}, text("depth", where.depth),
		text("origin_server_ts", timestamp), {"prev_events", list(where.prev)}, text("room_id", t.roomID),
		text(t.format.SenderField(), t.sender), text("type", t.eventType),
	}
	if t.stateKey != nil {
		fields = append(fields, text("state_key", *t.stateKey))
	}
	if t.redacts != "" {
		fields = append(fields, text("redacts", t.redacts))
	}
	raw, err := applyChanges(object(fields...), t.before)
	if err != nil {
		return Event{}, err
	}
	if len(t.signers) == 0 {
		// Only the signature is missing: the hash is valid.
		hash, err := pseudoid.ContentHash(raw)
		if err != nil {
			return Event{}, err
		}
		if raw, err = sjson.SetBytes(raw, "hashes.sha256", hash); err != nil {
			return Event{}, err
		}
		if raw, err = sjson.SetRawBytes(raw, "signatures", []byte("{}")); err != nil {
			return Event{}, err
		}
	}
	for _, signer := range t.signers {
		if raw, err = signer.Sign(raw, t.format); err != nil {
			return Event{}, fmt.Errorf("signing as %s: %w", signer.Entity, err)
		}
	}
	if raw, err = applyChanges(raw, t.afterwards); err != nil {
		return Event{}, err
	}
	return NewEvent(raw, t.format), nil
}

// write returns the JSON of the mapping.
func (m *mapping) write(dialect pseudoid.Dialect) ([]byte, error) {
	if m.raw != nil {
		return m.raw, nil
	}
	raw, err := applyChanges(pseudoid.NewMapping(dialect, m.key, m.userID), m.before)
	if err != nil {
		return nil, err
	}
	for _, signer := range m.signers {
		if raw, err = pseudoid.SignMapping(raw, signer.Entity, signer.KeyID, signer.Key); err != nil {
			return nil, fmt.Errorf("signing as %s: %w", signer.Entity, err)
		}
	}
	return applyChanges(raw, m.afterwards)
}

func applyChanges(raw []byte, changes []Change) ([]byte, error) {
	for _, change := range changes {
		altered, err := change(bytes.Clone(raw))
		if err != nil {
			return nil, fmt.Errorf("an alteration failed: %w", err)
		}
		raw = altered
	}
	return raw, nil
}

// list encodes event IDs as a JSON array.
func list(ids []string) []byte {
	if len(ids) == 0 {
		return []byte("[]")
	}
	raw, err := marshal(ids)
	if err != nil {
		return []byte("[]")
	}
	return raw
}
