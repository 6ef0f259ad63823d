package rooms

// This file lets own users join rooms: by an event of their own where the server is in the room, else through a server
// that is (server-server API, "Joining rooms").

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"

	"msc4014/helpers/pseudoid"
	"msc4014/reference/federation/outgoing"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
)

// entrances holds what is known of the rooms that are being entered.
type entrances struct {
	mu    sync.Mutex
	rooms map[string]*entrance
}

// entrance is locked while one user enters a room. since is when one did last.
type entrance struct {
	sync.Mutex
	since time.Time
}

func (e *entrances) of(roomID string) *entrance {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rooms == nil {
		e.rooms = map[string]*entrance{}
	}
	if e.rooms[roomID] == nil {
		e.rooms[roomID] = &entrance{}
	}
	return e.rooms[roomID]
}

// Join lets an own user join a room. via are servers through which it may be reached; reason may be empty.
func (rs *Rooms) Join(ctx context.Context, userID, roomID string, via []string, reason string) (err error) {
	entrance := rs.entrances.of(roomID)
	busy := !entrance.TryLock()
	if busy {
		entrance.Lock()
	}
	defer entrance.Unlock()
	defer func() {
		if err == nil {
			entrance.since = time.Now()
		}
	}()
	room := rs.Get(roomID)
	if room != nil && room.Resident() {
		err := room.joinHere(userID, reason)
		if err == nil || len(via) == 0 || !room.restricted() || room.Membership(userID) == "ban" {
			return err
		}
	}
	outside, isOutside := rs.OutsideOf(userID, roomID)
	if isOutside {
		via = append(slices.Clone(via), outside.Servers...)
	}
	if _, domain, ok := strings.Cut(roomID, ":"); ok {
		via = append(slices.Clone(via), domain)
	}
	return rs.through(via, func(server string) error { return rs.joinThrough(ctx, server, roomID, userID, reason) },
		NotFound("no server is known through which room %s can be joined", roomID))
}

// through tries servers in turn, each once and never this one, until one does not fail. A refusal that a client should
// know of is the error in the end.
func (rs *Rooms) through(servers []string, try func(server string) error, otherwise error) error {
	tried := map[string]bool{rs.Server.Name: true, "": true}
	err := otherwise
	for _, server := range servers {
		if tried[server] {
			continue
		}
		tried[server] = true
		failure := try(server)
		if failure == nil {
			return nil
		}
		rs.Log.Info("a way into a room is closed", "server", server, "error", failure)
		err = refusalOf(failure)
	}
	return err
}

// refusalOf tells a client why another server said no.
func refusalOf(err error) error {
	var refusal *outgoing.Refusal
	if errors.As(err, &refusal) && refusal.Code != "" {
		return &Error{Status: refusal.Status, Code: refusal.Code, Text: refusal.Error(),
			RoomVersion: gjson.GetBytes(refusal.Body, "room_version").String()}
	}
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	return &Error{Status: 502, Code: "M_UNKNOWN", Text: err.Error()}
}

// restricted tells whether the join rule is one by which members vouch for who joins.
func (r *Room) restricted() bool {
	rule := r.State().JoinRule()
	return rule == "restricted" || rule == "knock_restricted"
}

// joinHere writes the join of an own user, who may be joined already.
func (r *Room) joinHere(userID, reason string) error {
	if r.Membership(userID) == "join" {
		return nil
	}
	if err := r.writeJoin(userID, reason); err != nil {
		return err
	}
	r.applyDeferred(userID)
	return r.rooms.dropOutside(userID, r.id)
}

// writeJoin writes a join of an own user: the first, or a later one that tells of a new profile.
func (r *Room) writeJoin(userID, reason string) error {
	key, sender, err := r.newSender(userID)
	if err != nil {
		return err
	}
	d, err := r.memberDraft("join", userID, sender, r.rooms.Profile(userID), reason, true)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	state := r.current.state
	if r.format.Pseudonymous && !r.directory.Admits(userID, key.Public) {
		return Forbidden("%s is banned from room %s", userID, r.id)
	}
	voucher := pseudoid.KeyPair{}
	if r.needsVoucher(state, sender) {
		if d.Content, voucher, err = r.vouched(d.Content, userID, state); err != nil {
			return err
		}
	}
	r.place(&d, sender, state)
	event, err := r.build(d, key, sender)
	if err != nil {
		return err
	}
	if voucher.Public != "" {
		signed, err := r.rooms.Pseudonym.SignAsAuthoriser(event.JSON(), voucher)
		if err != nil {
			return err
		}
		if event, err = r.read(signed); err != nil {
			return err
		}
	}
	_, err = r.takeOwn(event, state, taking{})
	return err
}

// newSender returns key and name on the wire of an own user, who gets a key if it has none in the room.
func (r *Room) newSender(userID string) (key pseudoid.KeyPair, sender string, err error) {
	if !r.format.Pseudonymous {
		return key, userID, nil
	}
	key, err = pseudonym.SenderKey(r.rooms.keys, r.id, userID)
	return key, string(key.Public), err
}

// memberDraft is a member event about target, who is named on the wire, with a profile if there is one.
func (r *Room) memberDraft(membership, userID, target string, profile Profile, reason string, byMember bool) (pseudonym.Draft, error) {
	content := map[string]any{"membership": membership}
	if profile.DisplayName != "" {
		content["displayname"] = profile.DisplayName
	}
	if profile.AvatarURL != "" {
		content["avatar_url"] = profile.AvatarURL
	}
	if reason != "" {
		content["reason"] = reason
	}
	d := pseudonym.Draft{Type: memberType, RoomID: r.id, StateKey: &target, Content: raw(content)}
	if !r.format.Pseudonymous {
		return d, nil
	}
	mapping, err := r.mappingFor(userID, pseudoid.SenderKey(target))
	if err != nil {
		return d, err
	}
	d.Content, err = r.rooms.Pseudonym.MemberContent(d.Content, mapping, byMember)
	return d, err
}

// mappingFor returns the mapping of a key: a new one for an own user, the one that is known for another's.
func (r *Room) mappingFor(userID string, key pseudoid.SenderKey) ([]byte, error) {
	if r.rooms.own(userID) {
		return r.rooms.Pseudonym.NewMapping(key, userID, r.rooms.Server)
	}
	for _, entry := range r.directory.Entries() {
		if entry.Key == key && entry.Verified != nil {
			return entry.Verified.Mapping, nil
		}
	}
	return nil, nil
}

// needsVoucher tells whether somebody must vouch for who joins: the rule is restricted, and there is no invite.
func (r *Room) needsVoucher(state rules.State, sender string) bool {
	rule := state.JoinRule()
	membership := state.Membership(sender)
	return (rule == "restricted" || rule == "knock_restricted") && membership != "invite" && membership != "join"
}

// vouched names in the content of a join an own member who vouches for it, if the user is in one of the rooms that the
// join rule allows. The key of who vouches is empty in ordinary rooms, where the server signs. The lock is held.
func (r *Room) vouched(content []byte, userID string, state rules.State) ([]byte, pseudoid.KeyPair, error) {
	none := pseudoid.KeyPair{}
	if !r.inAllowedRoom(userID, state) {
		return nil, none, Forbidden("%s is in none of the rooms whose members may join room %s", userID, r.id)
	}
	unable := &Error{Status: 400, Code: "M_UNABLE_TO_GRANT_JOIN", Text: "no user of this server may let others into room " + r.id}
	if !r.format.Pseudonymous {
		for key, event := range state {
			if key.Type == memberType && event.Membership() == "join" && r.rooms.own(key.Key) && state.PowerLevel(key.Key) >= inviteLevel(state) {
				content, err := sjson.SetBytes(content, "join_authorised_via_users_server", key.Key)
				return content, none, err
			}
		}
		return nil, none, unable
	}
	var levels []byte
	if event := state[rules.StateKey{Type: powerLevelsType}]; event != nil {
		levels = contentOf(event)
	}
	by, ok := pseudonym.Authoriser(r.directory, r.rooms.own, levels, pseudoid.SenderKey(state.Create().Sender()))
	if !ok {
		return nil, none, unable
	}
	userOfKey, _ := r.directory.Proven(by)
	vouchedFor, err := pseudonym.AuthoriseJoin(content, by)
	if err != nil {
		return nil, none, err
	}
	key, _, err := r.rooms.keys.Load(r.id, userOfKey)
	return vouchedFor, key, err
}

// inviteLevel returns the power that it takes to invite.
func inviteLevel(state rules.State) int64 {
	if event := state[rules.StateKey{Type: powerLevelsType}]; event != nil {
		return event.Content("invite").Int()
	}
	return 0
}

// inAllowedRoom tells whether a user is joined to one of the rooms whose members a restricted join rule lets in.
func (r *Room) inAllowedRoom(userID string, state rules.State) bool {
	rule := state[rules.StateKey{Type: joinRulesType}]
	if rule == nil {
		return false
	}
	for _, allowed := range rule.Content("allow").Array() {
		other := r.rooms.Get(allowed.Get("room_id").String())
		if allowed.Get("type").String() == "m.room_membership" && other != nil && other != r && other.Membership(userID) == "join" {
			return true
		}
	}
	return false
}

// joinThrough joins a room through a server: make_join, send_join, and what comes back taken over.
func (rs *Rooms) joinThrough(ctx context.Context, server, roomID, userID, reason string) error {
	template, err := rs.Remote.MakeJoin(ctx, server, roomID, userID, Versions())
	if err != nil {
		return err
	}
	room, event, err := rs.fromTemplate(template, roomID, userID, "join", reason)
	if err != nil {
		return err
	}
	answer, err := rs.Remote.SendJoin(ctx, server, roomID, event.ID(), event.JSON())
	if err != nil {
		return err
	}
	if err := room.enter(ctx, server, event, answer); err != nil {
		return fmt.Errorf("the answer of %s to the join of %s in %s: %w", server, userID, roomID, err)
	}
	room.applyDeferred(userID)
	return rs.dropOutside(userID, roomID)
}

// fromTemplate makes the member event of an own user from the answer to make_join, make_leave or make_knock: its place in
// the room, and for a join who vouches, are the answer's, all else is this server's own. The room is a new one if the
// server does not know it.
func (rs *Rooms) fromTemplate(t outgoing.Template, roomID, userID, membership, reason string) (*Room, *rules.Event, error) {
	version := t.RoomVersion
	format, known := rs.format(version)
	if !known {
		return nil, nil, &Error{Status: 400, Code: "M_UNSUPPORTED_ROOM_VERSION", Text: fmt.Sprintf("this server does not have room version %q", version)}
	}
	room := rs.Get(roomID)
	if room == nil {
		room = newRoom(rs, roomID, format)
	}
	key, sender, err := room.newSender(userID)
	if err != nil {
		return nil, nil, err
	}
	profile := Profile{}
	if membership != "leave" {
		profile = rs.Profile(userID)
	}
	d, err := room.memberDraft(membership, userID, sender, profile, reason, true)
	if err != nil {
		return nil, nil, err
	}
	event := gjson.ParseBytes(t.Event)
	if voucher := event.Get("content.join_authorised_via_users_server"); membership == "join" && voucher.Type == gjson.String {
		if d.Content, err = sjson.SetBytes(d.Content, "join_authorised_via_users_server", voucher.String()); err != nil {
			return nil, nil, err
		}
	}
	d.PrevEvents, d.AuthEvents = texts(event.Get("prev_events")), texts(event.Get("auth_events"))
	d.Depth, d.OriginServerTS = event.Get("depth").Int(), now()
	built, err := room.build(d, key, sender)
	return room, built, err
}

func texts(list gjson.Result) []string {
	texts := []string{}
	for _, one := range list.Array() {
		texts = append(texts, one.String())
	}
	return texts
}

// enter takes over a room from the answer to send_join.
func (r *Room) enter(ctx context.Context, server string, join *rules.Event, answer outgoing.SendJoinAnswer) error {
	r.intake.Lock()
	defer r.intake.Unlock()
	if given, err := r.readForeign(ctx, answer.Event); err == nil && given.ID() == join.ID() {
		join = given // with the signatures of others
	}
	state, outliers, err := r.stateOf(ctx, answer.State, answer.AuthChain)
	if err != nil {
		return err
	}
	if outliers, err = r.withAuthEvents(ctx, server, join, outliers); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.keepOutliers(outliers); err != nil {
		return err
	}
	if err := r.authorised(join, state); err != nil {
		return err
	}
	r.rooms.add(r) // who sees the join's position finds its room
	_, err = r.take(join, state, taking{judgement: r.judgeOwn(join), joined: true})
	return err
}
