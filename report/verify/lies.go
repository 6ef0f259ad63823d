package verify

// What clients were shown of the events of peers that must be refused, or whose mapping must not be honoured.

import (
	"errors"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
)

// honest are the prefixes of the requirements by which no user ID may be shown that is not proven.
var honest = []string{
	"mapping/missing-not", "mapping/unsigned-not", "mapping/bad-signature", "mapping/foreign-signature-not", "mapping/unknown-key-id-not", "mapping/other-key-not",
	"mapping/no-hijack", "mapping/no-claim-of-", "mapping/unverified-on-", "mapping/malformed-not", "unverified/placeholder", "unverified/claimed-id-hidden",
	"unverified/every-path",
}

// lie judges what a client was shown of an event of a peer, which may have brought several forms of it.
func (s *scene) lie(shown gjson.Result, forms []*event, where string) {
	id, one := shown.Get("event_id").String(), forms[0]
	signed := slices.ContainsFunc(forms, func(each *event) bool { return s.judgedOnce(each.raw).signed })
	whole := slices.ContainsFunc(forms, func(each *event) bool { return s.judgedOnce(each.raw).hash == nil })
	if !signed && one.membership() != "invite" {
		s.breaksOwn(refusals, "the event %s, which has no valid signature by its sender key, is in %s", id, where)
	}
	if signed && !whole && !s.isRedacted(shown, one) {
		s.breaksOwn("signing/tampered-content-redacted", "the event %s, whose content hash is wrong, is not redacted in %s", id, where)
	}
	if sender := shown.Get("sender").String(); one.key != "" && sender == one.key {
		s.dishonest("the event %s is shown as one of the raw key %s in %s", id, sender, where)
		for _, prefix := range []string{"unverified/no-raw-key-shown", "client-view/sender-is-user-id"} {
			s.breaksOwn(prefix, "the event %s is shown as one of the raw key %s in %s", id, sender, where)
		}
	}
	if key := shown.Get("state_key").String(); one.kind() == "m.room.member" && isKey(key) {
		s.breaksOwn("client-view/member-state-key-is-user-id", "the event %s is shown with the state key %s in %s", id, key, where)
	}
	disproven := func(each *event) bool {
		mapping, ok := s.mappedBy(each)
		return ok && errors.Is(s.verified(mapping), pseudoid.ErrBadSignature)
	}
	if refused := []string{"join", "invite"}; slices.Contains(refused, one.membership()) && !slices.ContainsFunc(forms, func(each *event) bool { return !disproven(each) }) {
		s.breaksOwn("mapping/bad-signature-rejected", "the event %s, whose mapping has a signature that does not verify, is in %s", id, where)
	}
	s.proven(one.key, shown.Get("sender").String(), id, where)
	if one.kind() == "m.room.member" {
		s.proven(one.get("state_key").String(), shown.Get("state_key").String(), id, where)
	}
}

// isRedacted reports whether what is shown of an event has nothing that redaction takes away.
func (s *scene) isRedacted(shown gjson.Result, one *event) bool {
	content := map[string]bool{}
	for _, format := range s.formats {
		if kept, err := pseudoid.Redact(one.raw, format); err == nil {
			gjson.GetBytes(kept, "content").ForEach(func(name, _ gjson.Result) bool {
				content[name.String()] = true
				return true
			})
		}
	}
	whole := true
	shown.Get("content").ForEach(func(name, _ gjson.Result) bool {
		whole = content[name.String()] || name.String() == pseudoid.MappingField // whether that stays is open
		return whole
	})
	return whole
}

// proven judges whether a key of a peer may be shown as a user: a mapping says it, and the user's server signed that.
func (s *scene) proven(key, userID, id, where string) {
	pair := [2]string{key, userID}
	if s.proved[pair] || !isKey(key) || s.ownKeys[key] || pseudoid.ValidUserID(userID) != nil {
		return
	}
	s.proved[pair] = true
	claimed := false
	for _, one := range s.events {
		raw, ok := one.mapping()
		if !ok || gjson.GetBytes(raw, "user_id").String() != userID {
			continue
		}
		mapping, err := pseudoid.ParseMapping(raw)
		about := one.get("state_key").String() == key || one.key == key || err == nil && string(mapping.Key) == key
		if !about {
			continue
		}
		claimed = true
		if err != nil || one.get("state_key").String() != key || string(mapping.Key) != key {
			continue
		}
		if err := s.verified(mapping); err == nil || errors.Is(err, errUnknown) && !s.unsignedBy(mapping) {
			return
		}
	}
	if claimed {
		s.dishonest("the event %s of the key %s is shown as one of %s in %s, which no mapping proves", id, key, userID, where)
	}
}

// dishonest notes a breach of what the check judges, if that is which users may be shown.
func (s *scene) dishonest(format string, arguments ...any) {
	for _, prefix := range honest {
		s.breaksOwn(prefix, format, arguments...)
	}
}

// refusedViews judges whether clients are refused views of a room with an error of the server that they were given before.
func (s *scene) refusedViews() {
	given := map[string]bool{}
	for _, e := range s.exchanges {
		path := pathOf(e)
		if e.Direction != transcript.ClientRequest || e.Method != "GET" || len(path) < 3 || path[0] != "rooms" {
			continue
		}
		view := e.Actor + " " + strings.Join(path, "/")
		if e.Status >= 500 && given[view] {
			s.dishonest("/%s, which a client was given before, is answered with %d", strings.Join(path, "/"), e.Status)
		}
		given[view] = given[view] || e.Status == 200
	}
}

// unsignedBy reports whether a mapping has no signature of the server of its user at all, whatever keys that has.
func (s *scene) unsignedBy(mapping pseudoid.Mapping) bool {
	domain, err := pseudoid.UserIDDomain(mapping.UserID)
	if err != nil {
		return true
	}
	signed := false
	gjson.GetBytes(mapping.Raw, "signatures").ForEach(func(server, _ gjson.Result) bool {
		signed = server.String() == domain
		return !signed
	})
	return !signed
}

func contains(list []string, text string) bool { return slices.Contains(list, text) }

// lastSegment returns what follows a path in an address; "" if the path is not there.
func lastSegment(address, path string) string {
	_, rest, _ := strings.Cut(unescaped(address), path)
	rest, _, _ = strings.Cut(rest, "?")
	return rest
}
