package hostile

// Forging: from a valid event and an input to a hostile event. Twists are applied first, then mapping signature, hash and event
// signature are computed, so that they are valid for the twisted event; twists of these follow last.

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"msc4014/helpers/pseudoid"
)

// Honest is a valid event, from which hostile ones are made, with the keys to sign them.
type Honest struct {
	Event       []byte // signed or not, in canonical JSON
	Format      pseudoid.Format
	Key         pseudoid.KeyPair // the sender key
	Server      string           // the server of the user in the mapping
	ServerKeyID string
	ServerKey   ed25519.PrivateKey
	// UnderTest is the name of the server that the event is for.
	UnderTest string
}

// Forged is a hostile event.
type Forged struct {
	JSON []byte // may be invalid JSON
	ID   string // the event ID, computed leniently
	Key  string // the text in place of the sender key
}

// Forge builds the event of an input.
func (h Honest) Forge(input Input) Forged {
	event := parse(h.Event)
	event.remove("hashes", "signatures", "unsigned")
	f := forging{Honest: h, key: string(h.Key.Public)}
	if mapping := f.mapping(event); mapping != nil {
		mapping.remove("signatures")
	}
	for _, twist := range input {
		if twist.place.path == nil {
			f.replaceKey(event, f.fill(twist.value.Raw))
		}
	}
	f.apply(event, input, func(t Twist) bool { return t.place.signed && !t.late && !inSignatures(t.place) })
	f.signMapping(event)
	f.apply(event, input, func(t Twist) bool { return t.place.signed && !t.late && inSignatures(t.place) })
	f.hash(event)
	f.apply(event, input, func(t Twist) bool { return t.place.path != nil && t.place.path[0] == "hashes" })
	id := sha256.Sum256(f.redacted(event).without("signatures").bytes())
	f.signEvent(event)
	f.apply(event, input, func(t Twist) bool { return t.late || !t.place.signed && t.place.path[0] != "hashes" })
	return Forged{JSON: event.bytes(), ID: "$" + base64.RawURLEncoding.EncodeToString(id[:]), Key: f.key}
}

func inSignatures(p place) bool { return slices.Contains(p.path, "signatures") }

// forging is the state of Forge.
type forging struct {
	Honest
	key       string // the text in place of the sender key
	signature []byte // the latest one, from which hostile ones are derived
}

// entity is the entity of the signature by the sender key.
func (f *forging) entity() string {
	if f.Format.Signature.ByServer {
		return f.Server
	}
	return f.key
}

func (f *forging) mapping(event *node) *node {
	content := event.get("content")
	if content == nil {
		return nil
	}
	mapping := content.get(pseudoid.MappingField)
	if mapping == nil || mapping.members == nil {
		return nil
	}
	return mapping
}

// fill replaces placeholders.
func (f *forging) fill(text string) string {
	standard := base64.RawStdEncoding.EncodeToString
	pairs := []string{
		"{peer}", f.Server, "{server}", f.UnderTest, "{server key ID}", f.ServerKeyID, "{key}", f.key, "{entity}", f.entity(), "{key ID}", f.Format.Signature.KeyID,
		"{mapping key}", f.Format.Dialect.MappingKeyField(), "{sender}", f.Format.SenderField(),
	}
	if len(f.signature) == ed25519.SignatureSize {
		pairs = append(pairs, malleableSignature, standard(malleable(f.signature)), doubledSignature, standard(slices.Concat(f.signature, f.signature)),
			paddedSignature, base64.StdEncoding.EncodeToString(f.signature))
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// apply applies the twists for which wanted returns true.
func (f *forging) apply(event *node, input Input, wanted func(Twist) bool) {
	for _, twist := range input {
		if twist.place.path == nil || !wanted(twist) {
			continue
		}
		var path []string
		for _, name := range twist.place.path {
			if name == "{key ID}" && f.Format.Signature.KeyID == "" {
				continue // a bare signature has none
			}
			path = append(path, f.fill(name))
		}
		twist.op.apply(event, path, []byte(f.fill(twist.value.Raw)))
	}
}

// replaceKey replaces the sender key everywhere.
func (f *forging) replaceKey(event *node, raw string) {
	event.set(f.Format.SenderField(), &node{raw: []byte(raw)})
	event.set("state_key", &node{raw: []byte(raw)})
	if mapping := f.mapping(event); mapping != nil {
		mapping.set(f.Format.Dialect.MappingKeyField(), &node{raw: []byte(raw)})
	}
	f.key = strings.TrimSuffix(strings.TrimPrefix(raw, `"`), `"`)
}

// signMapping signs the mapping as the user's server, if it is an object.
func (f *forging) signMapping(event *node) {
	mapping := f.mapping(event)
	if mapping == nil {
		return
	}
	f.signature = ed25519.Sign(f.ServerKey, mapping.without("signatures", "unsigned").bytes())
	mapping.set("signatures", signatures(f.Server, f.ServerKeyID, f.signature))
}

func (f *forging) hash(event *node) {
	sum := sha256.Sum256(event.without("hashes", "signatures", "unsigned").bytes())
	event.set("hashes", &node{members: []member{{quoted("sha256"), text(sum[:])}}})
}

// signEvent signs the event by the sender key. For a key of small order it finds a signature without a private key.
func (f *forging) signEvent(event *node) {
	message := f.redacted(event).without("signatures").bytes()
	f.signature = ed25519.Sign(f.Key.Private, message)
	if public, err := base64.RawStdEncoding.DecodeString(f.key); err == nil && pseudoid.SmallOrder(public) {
		f.signature = signatureBySmallOrder(public, message)
	}
	event.set("signatures", signatures(f.entity(), f.Format.Signature.KeyID, f.signature))
}

// redacted returns the redacted event, over which ID and signature are computed (room versions 10 and 11, "Redactions"). It accepts any
// event.
func (f *forging) redacted(event *node) *node {
	kept := []string{
		"type", "room_id", "sender", "state_key", "content", "hashes", "signatures", "depth", "prev_events", "auth_events", "origin_server_ts",
	}
	if f.Format.Base == pseudoid.FormatV10.Base { // version 11 no longer keeps these
		kept = append(kept, "prev_state", "origin", "membership")
	}
	if f.Format.RedactionKeepsSenderKey {
		kept = append(kept, "sender_key")
	}
	redacted := &node{members: []member{}}
	for _, m := range event.members {
		if slices.ContainsFunc(kept, func(name string) bool { return bytes.Equal(m.name, quoted(name)) }) {
			redacted.members = append(redacted.members, m)
		}
	}
	if event.get("content") == nil {
		return redacted
	}
	content := &node{members: []member{}}
	kind := event.get("type")
	for _, name := range []string{"membership", "join_authorised_via_users_server"} {
		if value := event.get("content").get(name); value != nil && kind != nil && string(kind.raw) == `"m.room.member"` {
			content.add(name, value)
		}
	}
	if invite := event.get("content").get("third_party_invite"); f.Format.Base == pseudoid.FormatV11.Base && kind != nil &&
		string(kind.raw) == `"m.room.member"` && invite != nil && invite.members != nil {
		kept := &node{members: []member{}}
		if signed := invite.get("signed"); signed != nil {
			kept.add("signed", signed)
		}
		content.add("third_party_invite", kept)
	}
	redacted.set("content", content)
	return redacted
}

// signatures returns {entity: {key ID: signature}}, or {entity: signature} without a key ID. The entity is not escaped: it may be
// invalid.
func signatures(entity, keyID string, signature []byte) *node {
	if keyID == "" {
		return &node{members: []member{{quoted(entity), text(signature)}}}
	}
	return &node{members: []member{{quoted(entity), &node{members: []member{{quoted(keyID), text(signature)}}}}}}
}

// text returns bytes as a JSON string in base64.
func text(data []byte) *node {
	return &node{raw: []byte(quote(base64.RawStdEncoding.EncodeToString(data)))}
}

// Shown returns the event for people: all of it, or its beginning and its length. If it is not plain text, it is quoted.
func (f Forged) Shown(limit int) string {
	shown := string(f.JSON)
	if len(shown) > limit {
		shown = shown[:limit]
	}
	if !utf8.ValidString(shown) || strings.ContainsFunc(shown, unicode.IsControl) {
		shown = strconv.QuoteToGraphic(shown)
	}
	if len(f.JSON) > limit {
		shown += "… (" + strconv.Itoa(len(f.JSON)) + " bytes)"
	}
	return shown
}
