package verify

// The form, hash and signature of the candidate's own events, and its sender keys.

import (
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
)

// The requirements of events that are judged again, of those that are named twice.
const (
	contentHash = "event-format/content-hash"
	everyEvent  = "signing/every-event-type"
	oneRoom     = "sender-key/differs-between-rooms"
	noUserID    = "event-format/no-mxid-outside-mapping"
)

// event judges an event that the candidate made in a room in which it sends under sender keys.
func (s *scene) event(one *event) {
	name, facts := s.nameOf(one), s.judgedOnce(one.raw)
	if s.counted(one.raw) {
		s.Events++
		s.Signatures++
	}
	s.fields(one, name)
	if len(facts.ids) == 0 {
		s.breaks("event-format/event-id", "%s has no reference hash", name)
	}
	if one.membership() == "invite" {
		return // others complete invites, with hash and signatures
	}
	if facts.hash != nil && !facts.redacted {
		s.breaks(contentHash, "%s: %v", name, facts.hash)
	}
	if !facts.signed {
		s.breaks(everyEvent, "%s has no valid signature by its sender key", name)
		return
	}
	room := one.room()
	switch first, known := s.keyRooms[one.key]; {
	case room == "":
	case known && first != room:
		s.breaks(oneRoom, "the key %s is used in %s and in %s", one.key, first, room)
	default:
		s.keyRooms[one.key] = room
	}
	for server := range s.servers {
		for _, keys := range s.published[server] {
			for _, key := range keys {
				if string(pseudoid.SenderKeyOf(key)) == one.key {
					s.breaks("sender-key/not-the-server-key", "%s is sent under a key that %s publishes", name, server)
				}
			}
		}
	}
}

// misencoded judges whether an event without a sender key has one in another form: padded, or in the letters of URLs.
func (s *scene) misencoded(one *event) {
	for _, dialect := range []pseudoid.Dialect{pseudoid.DialectMSC4014, pseudoid.DialectDendrite} {
		sender := one.get(dialect.SenderField()).String()
		plain := strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(sender, "="))
		if plain != sender && isKey(plain) {
			s.breaks("event-format/key-encoding", "%s has the sender %s, which is a key in another encoding", s.nameOf(one), sender)
		}
	}
}

// fields judges in which fields an event has keys and user IDs.
func (s *scene) fields(one *event, name string) {
	if !one.get("sender_key").Exists() {
		s.breaks("event-format/sender-key-field", "%s has no sender_key", name)
	}
	if sender := one.get("sender"); sender.Exists() {
		s.breaks("event-format/no-sender-field", "%s has the sender %s", name, sender)
		s.stray(one, name, "sender", sender)
	}
	for _, path := range []string{"user_mapping", "content.user_mapping", "content.mxid_mapping.user_mapping"} {
		if one.get(path).Exists() {
			s.breaks("event-format/no-user-mapping", "%s has %s", name, path)
		}
	}
	switch one.kind() {
	case "m.room.member":
		if one.get("content.third_party_invite").Exists() {
			return // whom it names is open
		}
		stateKey := one.get("state_key")
		s.stray(one, name, "state key", stateKey)
		switch {
		case s.nobody[stateKey.String()]: // a server may leave what a client wrote
		case !isKey(stateKey.String()):
			s.breaks("event-format/member-state-key", "%s has the state key %q", name, stateKey)
		case one.membership() == "join" && stateKey.String() != one.key:
			s.breaks("event-format/member-state-key", "%s has the state key %s and the sender %s", name, stateKey, one.key)
		}
	case "m.room.create":
		if creator := one.get("content.creator"); creator.Exists() && creator.String() != one.key {
			s.breaks("event-format/create-names-no-mxid", "%s names the creator %q, and its sender is %s", name, creator, one.key)
			s.stray(one, name, "creator", creator)
		}
	case "m.room.power_levels":
		one.get("content.users").ForEach(func(user, _ gjson.Result) bool {
			if s.hadKey(user.String(), one) {
				s.breaks("event-format/power-levels-by-key", "%s gives power to %s, who has a key", name, user)
				s.stray(one, name, "power levels", user)
			}
			return true
		})
	}
}

// stray notes a user ID where only the mapping may have one.
func (s *scene) stray(one *event, name, where string, value gjson.Result) {
	if one.own && pseudoid.ValidUserID(value.String()) == nil {
		s.breaks(noUserID, "%s has the user ID %s as its %s", name, value, where)
	}
}

// hadKey reports whether a user of the sender's server had a key in the room before an event, as its joins say.
func (s *scene) hadKey(userID string, before *event) bool {
	domain, err := pseudoid.UserIDDomain(userID)
	if err != nil || !s.servers[domain] {
		return false
	}
	for _, one := range s.events {
		if one.own && one.joins() && one.room() == before.room() && (one.depth() < before.depth() || one.key == before.key) {
			if mapped, ok := s.mappedBy(one); ok && mapped.UserID == userID {
				return true
			}
		}
	}
	return false
}

// keysOfUsers judges whether users of the candidate share keys in a room, and keep theirs where the check demands it.
func (s *scene) keysOfUsers() {
	type member struct{ room, what string }
	users, keys := map[member]string{}, map[member]string{}
	for _, one := range s.events {
		mapped, ok := s.mappedBy(one)
		if !one.own || !ok || !one.joins() || string(mapped.Key) != one.key {
			continue
		}
		byKey, byUser := member{one.room(), one.key}, member{one.room(), mapped.UserID}
		if other, known := users[byKey]; known && other != mapped.UserID {
			s.breaks("sender-key/differs-between-users", "%s and %s share the key %s in %s", other, mapped.UserID, one.key, one.room())
		}
		if other, known := keys[byUser]; known && other != one.key {
			s.breaksOwn("sender-key/kept-", "%s has the keys %s and %s in %s", mapped.UserID, other, one.key, one.room())
		}
		users[byKey], keys[byUser] = mapped.UserID, one.key
	}
}

// answersByID judges whether the candidate's answers to requests for an event have it.
func (s *scene) answersByID() {
	for _, e := range s.exchanges {
		if e.Direction != transcript.PeerRequest || e.Status != 200 || s.peers[e.Server] {
			continue
		}
		wanted := lastSegment(e.URL, "/_matrix/federation/v1/event/")
		pdus := pdusIn(e.ResponseBody, 0)
		if wanted == "" || len(pdus) != 1 || keyOf(pdus[0]) == "" {
			continue
		}
		if ids := s.judgedOnce(pdus[0]).ids; !contains(ids, wanted) {
			s.breaks("event-format/event-id", "the answer to a request for the event %s has another: %s", wanted, fmt.Sprint(ids))
		}
	}
}
