package verify

// A transcript as a whole: whose events, keys and servers occur in it, and what each server publishes.

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
)

// scene is a transcript, with what it rests on, that is judged again.
type scene struct {
	*judging
	check     verdict.CheckResult
	exchanges []transcript.Exchange // in the order in which they started
	events    []*event
	byID      map[string][]*event // of one ID there may be several: signatures and content are not part of it

	rooms     map[string]bool                           // IDs of rooms in which the candidate sends under sender keys
	ownKeys   map[string]bool                           // sender keys of the candidate's own events
	peerKeys  map[string]bool                           // what looks like a key, and a peer said first
	written   map[string]bool                           // what looks like a key, and a client said
	nobody    map[string]bool                           // state keys of member events that clients wrote and that are not user IDs
	servers   map[string]bool                           // names of the candidate's servers
	peers     map[string]bool                           // names of the suite's
	published map[string]map[string][]ed25519.PublicKey // by server and key ID
	withheld  map[string]bool                           // servers that were asked for their keys and did not give them
	users     map[string]string                         // of the candidate's keys, by what clients did
	named     map[string]bool                           // user IDs of clients, and in mappings
	filters   map[string]bool                           // filters for events in the federation format, with who made them
	proved    map[[2]string]bool                        // keys with the users that they were shown as, once judged
}

// likeKeys returns what in a text may be sender keys: as many letters of base64 as a key has, and no more.
func likeKeys(text []byte) []string {
	var found []string
	from := 0
	for at := 0; at <= len(text); at++ {
		if at < len(text) && inBase64[text[at]] {
			continue
		}
		if at-from == 43 {
			found = append(found, string(text[from:at]))
		}
		from = at + 1
	}
	return found
}

// inBase64 has the letters of base64.
var inBase64 = func() (is [256]bool) {
	for _, letter := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		is[letter] = true
	}
	return is
}()

func newScene(j *judging, check verdict.CheckResult, exchanges []transcript.Exchange) *scene {
	s := &scene{
		judging: j, check: check, exchanges: exchanges, events: eventsOf(exchanges, peersIn(exchanges)), byID: map[string][]*event{}, rooms: map[string]bool{},
		ownKeys: map[string]bool{}, peerKeys: map[string]bool{}, written: map[string]bool{}, nobody: map[string]bool{}, servers: map[string]bool{}, peers: peersIn(exchanges),
		published: map[string]map[string][]ed25519.PublicKey{}, withheld: map[string]bool{}, users: map[string]string{}, named: map[string]bool{}, filters: map[string]bool{}, proved: map[[2]string]bool{},
	}
	for _, one := range s.events {
		for _, id := range s.judgedOnce(one.raw).ids {
			s.byID[id] = append(s.byID[id], one)
		}
		if raw, ok := one.mapping(); ok {
			s.named[gjson.GetBytes(raw, "user_id").String()] = true
		}
		if one.own && one.key != "" {
			s.ownKeys[one.key], s.rooms[one.room()] = true, true
		}
	}
	s.readKeys()
	s.readPublished()
	s.readUsers()
	return s
}

// readKeys notes who said each key first, and the servers.
func (s *scene) readKeys() {
	said := map[string]bool{}
	note := func(keys []string, into map[string]bool) {
		for _, key := range keys {
			if !said[key] && into != nil {
				into[key] = true
			}
			said[key] = true
		}
	}
	for _, e := range s.exchanges {
		switch e.Direction {
		case transcript.PeerRequest:
			note(keysInURL(e.URL), s.peerKeys)
			note(likeKeys(e.RequestBody), s.peerKeys)
			if s.peers[e.Server] {
				note(likeKeys(e.ResponseBody), s.peerKeys)
			} else {
				note(likeKeys(e.ResponseBody), nil)
			}
		case transcript.ServerRequest:
			note(likeKeys(e.RequestBody), nil)
			note(likeKeys(e.ResponseBody), s.peerKeys)
		case transcript.ClientRequest:
			s.named[e.Actor] = true
			for _, key := range append(keysInURL(e.URL), likeKeys(e.RequestBody)...) {
				s.written[key] = true
			}
			if stateKey, is := memberWritten(e); is && pseudoid.ValidUserID(stateKey) != nil {
				s.nobody[stateKey] = true
			}
			note(likeKeys(e.ResponseBody), nil)
			s.noteFilter(e)
		}
		if e.Direction != transcript.ServerRequest && e.Server != "" && !s.peers[e.Server] {
			s.servers[e.Server] = true
		}
	}
	for key := range s.ownKeys {
		delete(s.peerKeys, key)
	}
}

// memberWritten returns the state key of the member event that a client's request writes, if it is such a request.
func memberWritten(e transcript.Exchange) (stateKey string, is bool) {
	address, err := url.Parse(e.URL)
	if err != nil || e.Method != http.MethodPut {
		return "", false
	}
	_, stateKey, is = strings.Cut(address.Path, "/state/m.room.member/")
	return stateKey, is
}

// keysInURL is likeKeys for an address, whose slashes are not part of a key unless they are escaped.
func keysInURL(address string) []string {
	var found []string
	for _, part := range strings.FieldsFunc(address, func(r rune) bool { return strings.ContainsRune("/?&=", r) }) {
		found = append(found, likeKeys([]byte(unescaped(part)))...)
	}
	return found
}

func unescaped(text string) string {
	if plain, err := url.PathUnescape(text); err == nil {
		return plain
	}
	return text
}

// readPublished collects the keys that servers publish, as they say it and as notaries do.
func (s *scene) readPublished() {
	for _, e := range s.exchanges {
		if e.Direction == transcript.ServerRequest && strings.Contains(e.URL, "/_matrix/key/v2/server") && e.Status != 200 {
			s.withheld[e.Actor] = true
		}
		if e.Direction == transcript.ClientRequest || !strings.Contains(e.URL, "/_matrix/key/v2/") || e.Status != 200 || !json.Valid(e.ResponseBody) {
			continue
		}
		answers := append(gjson.GetBytes(e.ResponseBody, "server_keys").Array(), gjson.ParseBytes(e.ResponseBody))
		for _, answer := range answers {
			server := answer.Get("server_name").String()
			for _, field := range []string{"verify_keys", "old_verify_keys"} {
				answer.Get(field).ForEach(func(id, key gjson.Result) bool {
					decoded, err := pseudoid.DecodeBase64(key.Get("key").String())
					if server == "" || err != nil || len(decoded) != ed25519.PublicKeySize {
						return true
					}
					if s.published[server] == nil {
						s.published[server] = map[string][]ed25519.PublicKey{}
					}
					known := s.published[server][id.String()]
					if !slices.ContainsFunc(known, func(k ed25519.PublicKey) bool { return bytes.Equal(k, decoded) }) {
						s.published[server][id.String()] = append(known, decoded)
					}
					return true
				})
			}
		}
	}
}

// errUnknown is the error for keys that no transcript has.
var errUnknown = errors.New("the transcript does not have the server's keys")

// verified returns nil if a mapping is signed by a key that its user's server publishes at any time of the transcript, and errUnknown
// if the transcript does not have that server's keys.
func (s *scene) verified(mapping pseudoid.Mapping) error {
	most := 1
	lookUp := func(turn int) func(server, keyID string) (ed25519.PublicKey, error) {
		return func(server, keyID string) (ed25519.PublicKey, error) {
			keys := s.published[server]
			switch {
			case keys == nil && s.withheld[server]:
				return nil, fmt.Errorf("the candidate asked %s for its keys, and did not get them", server)
			case keys == nil:
				return nil, errUnknown
			}
			most = max(most, len(keys[keyID]))
			if len(keys[keyID]) == 0 {
				return nil, fmt.Errorf("%s does not publish the key %s", server, keyID)
			}
			return keys[keyID][turn%len(keys[keyID])], nil
		}
	}
	var err error
	for turn := 0; turn < most; turn++ {
		if err = pseudoid.VerifyMapping(mapping, lookUp(turn)); err == nil {
			return nil
		}
	}
	return err
}

// pathOf returns the path of an exchange below /_matrix/client and the version, by its segments; nil if there is none.
func pathOf(e transcript.Exchange) []string {
	address, _, _ := strings.Cut(e.URL, "?")
	_, rest, found := strings.Cut(address, "/_matrix/client/")
	if !found {
		return nil
	}
	segments := strings.Split(rest, "/")[1:]
	if len(segments) == 0 {
		return nil
	}
	for i, segment := range segments {
		if text, err := url.PathUnescape(segment); err == nil {
			segments[i] = text
		}
	}
	return segments
}

// readUsers finds out whose key is whose by what clients did: who sent an event, who made a room, and who entered one.
func (s *scene) readUsers() {
	creators := map[string]string{} // by room
	for _, e := range s.exchanges {
		path := pathOf(e)
		if path == nil || e.Direction != transcript.ClientRequest || e.Status != 200 || pseudoid.ValidUserID(e.Actor) != nil || strings.Contains(e.URL, "user_id=") {
			continue
		}
		switch {
		case path[0] == "createRoom":
			creators[gjson.GetBytes(e.ResponseBody, "room_id").String()] = e.Actor
		case path[0] == "rooms" && len(path) > 2 && (path[2] == "send" || path[2] == "state" || path[2] == "redact") && e.Method == "PUT":
			for _, made := range s.byID[gjson.GetBytes(e.ResponseBody, "event_id").String()] {
				if made.own {
					s.users[made.key] = e.Actor
				}
			}
		}
	}
	for _, one := range s.events {
		creator := creators[one.room()]
		if one.own && one.kind() == "m.room.create" && one.room() != "" && creator != "" {
			s.users[one.key] = creator
		}
	}
	for _, e := range s.exchanges {
		if e.Direction == transcript.ServerRequest && e.Method == "PUT" && strings.Contains(e.URL, "/send_join/") && e.Status == 200 {
			if actor := s.entering(e); actor != "" {
				s.users[keyOf(e.RequestBody)] = actor
			}
		}
	}
	delete(s.users, "")
}

// entering returns the user whose request to join made the candidate send a join, if there was one such request at the time.
func (s *scene) entering(sendJoin transcript.Exchange) string {
	actors := map[string]bool{}
	for _, e := range s.exchanges {
		path := pathOf(e)
		joins := path != nil && e.Direction == transcript.ClientRequest && e.Method == "POST" &&
			(path[0] == "join" || path[0] == "rooms" && len(path) > 2 && path[2] == "join")
		if joins && !e.Started.After(sendJoin.Started) && !e.Started.Add(e.Duration+time.Millisecond).Before(sendJoin.Started) {
			actors[e.Actor] = true
		}
	}
	if len(actors) != 1 {
		return ""
	}
	actor := sortedNames(actors)[0]
	if pseudoid.ValidUserID(actor) != nil {
		return ""
	}
	return actor
}
