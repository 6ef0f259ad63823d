// Package formats finds out the wire format of a candidate from events that it made. The proposal leaves most of the format open, so
// each part is learnt by itself, and a part that no event shows is not guessed: it is said to be unseen.
package formats

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
)

// Part is a part of a format.
type Part string

// The parts of a format.
const (
	Dialect   Part = "dialect"
	Base      Part = "base version"
	Redaction Part = "redacted form"
	Signature Part = "place of signatures"
	Invites   Part = "path of invites"
)

// Evidence is what a candidate wrote. The zero Evidence is that of a candidate of which nothing was seen.
type Evidence struct {
	Server string // the name of its server

	events []event
	named  map[string]bool // event IDs that the candidate gave to events
	paths  []path          // of the invites that it sent or accepted
	byKey  bool            // it asked for a template by a sender key
}

// event is an event of the candidate, whole or partial.
type event struct {
	raw    []byte
	source string
}

type path struct {
	byEventID bool
	source    string
}

// Event adds an event that the candidate made, as peers see it. What it refers to counts as named by the candidate. source says where
// it was seen: "the answer to send_join".
func (e *Evidence) Event(raw []byte, source string) {
	if !gjson.ValidBytes(raw) || !gjson.ParseBytes(raw).IsObject() {
		return
	}
	e.events = append(e.events, event{raw, source})
	for _, field := range []string{"auth_events", "prev_events"} {
		for _, id := range gjson.GetBytes(raw, field).Array() {
			e.Names(id.String())
		}
	}
}

// ClientEvent adds an event that a client was given in the federation format (event_format of a filter), if it is as peers see it:
// its content hash is right.
func (e *Evidence) ClientEvent(raw []byte, source string) {
	id := gjson.GetBytes(raw, "event_id").String()
	for _, added := range []string{"event_id", "unsigned", "age"} {
		without, err := sjson.DeleteBytes(slices.Clone(raw), added)
		if err != nil {
			return
		}
		raw = without
	}
	if pseudoid.CheckContentHash(raw) != nil {
		return
	}
	e.Event(raw, source)
	e.Names(id)
}

// Names adds the ID that the candidate gave to an event.
func (e *Evidence) Names(eventID string) {
	if e.named == nil {
		e.named = map[string]bool{}
	}
	e.named[eventID] = true
}

// InvitePath adds the path of a partial invite that the candidate sent, or accepted from a peer.
func (e *Evidence) InvitePath(byEventID bool, source string) {
	e.paths = append(e.paths, path{byEventID, source})
}

// AsksFor adds by what the candidate named its user when it asked for a template of a member event.
func (e *Evidence) AsksFor(name string) {
	_, err := pseudoid.ParseSenderKey(name)
	e.byKey = e.byKey || err == nil
}

// Learnt is a format, and what is known of its parts. Each part is in exactly one of the maps.
type Learnt struct {
	Format pseudoid.Format
	From   map[Part]string // where it was seen
	Unseen map[Part]string // why it was not; Format has a default
	Wrong  map[Part]string // what was seen, and is right under no known form; Format has a default
}

// Learn returns what the evidence shows of the format of a room version.
func (e *Evidence) Learn(roomVersion string) Learnt {
	learnt := Learnt{
		Format: pseudoid.FormatDendrite, From: map[Part]string{}, Unseen: map[Part]string{}, Wrong: map[Part]string{},
	}
	e.dialect(&learnt)
	e.redaction(&learnt)
	e.signature(&learnt)
	e.invites(&learnt)
	learnt.Format.RoomVersion, learnt.Format.TemplatesByKey = roomVersion, e.byKey
	return learnt
}

// dialect learns in which field events have their sender key.
func (e *Evidence) dialect(learnt *Learnt) {
	seen, first := map[pseudoid.Dialect]int{}, map[pseudoid.Dialect]string{}
	for _, event := range e.events {
		if dialect, _ := pseudoid.DetectDialect(event.raw); dialect != "" {
			if seen[dialect]++; first[dialect] == "" {
				first[dialect] = event.source
			}
		}
	}
	switch dendrite, msc := seen[pseudoid.DialectDendrite], seen[pseudoid.DialectMSC4014]; {
	case dendrite+msc == 0 && len(e.events) == 0:
		learnt.Unseen[Dialect] = "no event of the server in such a room was seen"
		return
	case dendrite+msc == 0:
		learnt.Wrong[Dialect] = fmt.Sprintf("none of %d events has a sender key in %q or %q", len(e.events),
			pseudoid.DialectMSC4014.SenderField(), pseudoid.DialectDendrite.SenderField())
		return
	case msc > dendrite:
		learnt.Format = pseudoid.FormatMSC4014
	}
	learnt.From[Dialect] = first[learnt.Format.Dialect]
}

// redaction learns the base version, and whether redaction keeps the sender key: only the right form gives events the IDs that the
// candidate calls them by, and makes their signatures valid.
func (e *Evidence) redaction(learnt *Learnt) {
	open := []Part{Base}
	if learnt.Format.Dialect == pseudoid.DialectMSC4014 {
		open = append(open, Redaction)
	}
	var best pseudoid.Format
	most, where := 0, ""
	ofBase, ofKept := map[string]int{}, map[bool]int{}
	for _, format := range learnt.Format.Redactions() {
		fitting, first := e.fits(format)
		if fitting > most {
			most, best, where = fitting, format, first
		}
		ofBase[format.Base] = max(ofBase[format.Base], fitting)
		ofKept[format.RedactionKeepsSenderKey] = max(ofKept[format.RedactionKeepsSenderKey], fitting)
	}
	tells := map[Part]bool{
		Base: ofBase[pseudoid.FormatV10.Base] != ofBase[pseudoid.FormatV11.Base], Redaction: ofKept[true] != ofKept[false],
	}
	for _, part := range open {
		switch {
		case most == 0 && e.signed() > 0:
			learnt.Wrong[part] = fmt.Sprintf("no known form gives any of %d events an ID that another names, or a valid signature", e.signed())
		case !tells[part]:
			learnt.Unseen[part] = fmt.Sprintf("none of %d events tells, by its ID or its signature", e.signed())
		default:
			learnt.From[part] = where
		}
	}
	if most > 0 {
		learnt.Format = best
	}
}

// fits counts the events that the candidate names by their ID in a format, and those whose signature is valid in it.
func (e *Evidence) fits(format pseudoid.Format) (fitting int, first string) {
	for _, event := range e.events {
		before := fitting
		if id, err := pseudoid.EventID(event.raw, format); err == nil && e.named[id] {
			fitting++
		}
		if _, err := pseudoid.VerifySenderSignature(event.raw, format); err == nil {
			fitting++
		}
		if first == "" && fitting > before {
			first = event.source
		}
	}
	return fitting, first
}

// signed counts the events that have signatures: partial ones do not.
func (e *Evidence) signed() (count int) {
	for _, event := range e.events {
		if gjson.GetBytes(event.raw, "signatures").IsObject() {
			count++
		}
	}
	return count
}

// signature learns under which entity and key ID the signature by the sender key stands.
func (e *Evidence) signature(learnt *Learnt) {
	seen, first := map[pseudoid.SignaturePlace]int{}, map[pseudoid.SignaturePlace]string{}
	elsewhere := map[string]bool{}
	for _, event := range e.events {
		location, err := pseudoid.VerifySenderSignature(event.raw, learnt.Format)
		if err != nil {
			continue
		}
		place := pseudoid.SignaturePlace{KeyID: location.KeyID, ByServer: location.Entity == e.Server}
		if !place.ByServer && location.Entity != learnt.Format.Sender(event.raw) {
			elsewhere[fmt.Sprintf("%.80q", location.Entity)] = true
			continue
		}
		if seen[place]++; first[place] == "" {
			first[place] = event.source
		}
	}
	switch {
	case len(seen) > 0:
		places := slices.SortedFunc(maps.Keys(seen), func(a, b pseudoid.SignaturePlace) int {
			return cmp.Or(seen[b]-seen[a], cmp.Compare(a.KeyID, b.KeyID)) // so that a tie is decided alike in each run
		})
		learnt.Format.Signature, learnt.From[Signature] = places[0], first[places[0]]
	case len(elsewhere) > 0:
		learnt.Wrong[Signature] = "signatures by sender keys stand under " + strings.Join(firstOf(slices.Sorted(maps.Keys(elsewhere)), 3), ", ")
	case e.signed() > 0:
		learnt.Wrong[Signature] = fmt.Sprintf("none of %d events has a valid signature by its sender key", e.signed())
	default:
		learnt.Unseen[Signature] = "no signed event of the server in such a room was seen"
	}
}

// firstOf returns at most so many of the names.
func firstOf(names []string, count int) []string { return names[:min(count, len(names))] }

// invites learns the path of partial invites.
func (e *Evidence) invites(learnt *Learnt) {
	if len(e.paths) == 0 {
		learnt.Unseen[Invites] = "the server sent no partial invite, and completed none that a peer sent to either path"
		return
	}
	learnt.Format.InviteByEventID, learnt.From[Invites] = e.paths[0].byEventID, e.paths[0].source
}

// Guesses returns the formats that the candidate may have: each unseen part in each form that can be guessed.
func (l Learnt) Guesses() []pseudoid.Format {
	guesses := []pseudoid.Format{l.Format}
	if l.Unseen[Dialect] != "" {
		other := pseudoid.FormatMSC4014
		other.RoomVersion, other.InviteByEventID = l.Format.RoomVersion, l.Format.InviteByEventID
		other.TemplatesByKey = l.Format.TemplatesByKey
		guesses = append(guesses, other)
	}
	if l.From[Redaction] == "" {
		guesses = alternatively(guesses, func(format *pseudoid.Format) bool {
			format.RedactionKeepsSenderKey = !format.RedactionKeepsSenderKey
			return format.Dialect == pseudoid.DialectMSC4014
		})
	}
	if l.Unseen[Signature] != "" {
		guesses = alternatively(guesses, func(format *pseudoid.Format) bool {
			format.Signature = pseudoid.SignaturePlace{} // MSC1228's
			return true
		})
	}
	return guesses
}

// alternatively adds another form of each format, if there is one.
func alternatively(guesses []pseudoid.Format, change func(*pseudoid.Format) bool) []pseudoid.Format {
	for _, format := range guesses {
		if change(&format) {
			guesses = append(guesses, format)
		}
	}
	return guesses
}

// String describes the format, part by part.
func (l Learnt) String() string {
	shown := map[Part]string{Dialect: string(l.Format.Dialect), Base: l.Format.Base, Signature: placeName(l.Format.Signature)}
	shown[Redaction] = map[bool]string{true: "keeps", false: "without"}[l.Format.RedactionKeepsSenderKey] + " sender_key"
	shown[Invites] = map[bool]string{true: "event ID", false: "room ID"}[l.Format.InviteByEventID] + " and user ID"
	var parts []string
	for _, part := range []Part{Dialect, Base, Redaction, Signature, Invites} {
		switch {
		case l.From[part] != "":
			parts = append(parts, fmt.Sprintf("%s: %s (%s)", part, shown[part], l.From[part]))
		case l.Unseen[part] != "":
			parts = append(parts, fmt.Sprintf("%s: not seen (%s)", part, l.Unseen[part]))
		case l.Wrong[part] != "":
			parts = append(parts, fmt.Sprintf("%s: none that is known (%s); the suite goes on with %s", part, l.Wrong[part], shown[part]))
		}
	}
	return strings.Join(parts, "; ")
}

func placeName(place pseudoid.SignaturePlace) string {
	entity, keyID := "the key", place.KeyID
	if place.ByServer {
		entity = "the server's name"
	}
	if keyID == "" {
		return entity + " without a key ID"
	}
	return entity + " with key ID " + keyID
}
