package rooms

// This file joins local users to rooms: directly if the server is in the room, otherwise through a resident server
// (server-server API, "Joining rooms").

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tidwall/gjson"

	"msc4014/reference/federation/outgoing"
	"msc4014/reference/identity"
	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
	"msc4014/reference/rules"
)

// entrances has a lock for each room that is being joined: users join it one after the other.
type entrances struct {
	mu    sync.Mutex
	rooms map[string]*sync.Mutex
}

func (e *entrances) of(roomID string) *sync.Mutex {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.rooms == nil {
		e.rooms = map[string]*sync.Mutex{}
	}
	if e.rooms[roomID] == nil {
		e.rooms[roomID] = &sync.Mutex{}
	}
	return e.rooms[roomID]
}

// Join joins a local user to a room. via are servers through which it can be joined; reason may be empty.
func (rs *Rooms) Join(ctx context.Context, userID, roomID string, via []string, reason string) error {
	entrance := rs.entrances.of(roomID)
	entrance.Lock()
	defer entrance.Unlock()
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

// through tries each server once, except this one, until one succeeds. If all fail, it returns the last failure as an
// error for the client, or otherwise if none was tried.
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
		rs.Log.Info("a request through a resident server failed", "server", server, "error", failure)
		err = refusalOf(failure)
	}
	return err
}

// refusalOf returns the error of another server as one for a client.
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

// restricted reports whether the join rule is one under which members may authorise joins.
func (r *Room) restricted() bool { return r.State().Restricted() }

// joinHere joins a local user, which may be joined already, to a room that this server is in.
func (r *Room) joinHere(userID, reason string) error {
	if r.Membership(userID) == "join" {
		return nil
	}
	if err := r.writeJoin(userID, reason); err != nil {
		return err
	}
	r.applyAllDeferred()
	return r.rooms.dropOutside(userID, r.id)
}

// writeJoin sends a join of a local user.
func (r *Room) writeJoin(userID, reason string) error {
	key, sender, err := r.newSender(userID)
	if err != nil {
		return err
	}
	admitted := r.admission(userID)
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
	authoriser := identity.KeyPair{}
	if needsAuthoriser(state, sender) {
		if d.Content, authoriser, err = r.authoriseJoin(d.Content, admitted, state); err != nil {
			return err
		}
	}
	r.place(&d, sender, state)
	event, err := r.build(d, key, sender)
	if err != nil {
		return err
	}
	if authoriser.Public != "" {
		if event, err = r.rooms.Pseudonym.SignAsAuthoriser(event, authoriser); err != nil {
			return err
		}
	}
	_, err = r.takeOwn(event, state, taking{})
	return err
}

// newSender returns the key and the wire name of a local user. It makes a key if the user has none in the room.
func (r *Room) newSender(userID string) (key identity.KeyPair, sender string, err error) {
	if !r.format.Pseudonymous {
		return key, userID, nil
	}
	key, err = pseudonym.SenderKey(r.rooms.keys, r.id, userID)
	return key, string(key.Public), err
}

// memberDraft returns a draft of a member event for a user; target is the user's name on the wire.
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
	mapping, err := r.mappingFor(userID, identity.SenderKey(target))
	if err != nil {
		return d, err
	}
	d.Content, err = r.rooms.Pseudonym.MemberContent(d.Content, mapping, byMember)
	return d, err
}

// mappingFor returns the mapping of a key: a new one for a local user, the known one for a remote user. A placeholder is
// of this server, too, but has no key of it.
func (r *Room) mappingFor(userID string, key identity.SenderKey) ([]byte, error) {
	own, known, err := r.rooms.keys.Load(r.id, userID)
	if err != nil {
		return nil, err
	}
	if known && own.Public == key {
		return r.rooms.Pseudonym.NewMapping(key, userID, r.rooms.Server)
	}
	for _, entry := range r.directory.Entries() {
		if entry.Key == key && entry.Verified != nil {
			return entry.Verified.Mapping, nil
		}
	}
	return nil, nil
}

// needsAuthoriser reports whether a join needs an authorising member: the join rule is restricted, and the user is not
// invited.
func needsAuthoriser(state rules.State, sender string) bool {
	membership := state.Membership(sender)
	return state.Restricted() && membership != "invite" && membership != "join"
}

// admission says whether members may authorise the join of a user.
type admission struct {
	rule    *pdu.Event // the join rules that say so; nil if there are none
	refusal error      // why not, or nil
}

// admission looks for a user in the rooms that a restricted join rule allows. It locks them, so no lock of a room may be
// held but intake.
func (r *Room) admission(userID string) admission {
	state := r.State()
	return admission{state.Get(joinRulesType, ""), r.checkAllowed(userID, state)}
}

// authoriseJoin adds an authorising local member to the content of a join, if the user is admitted. The returned key is the
// authorising member's; it is empty in ordinary rooms, where the server signs. The lock must be held.
func (r *Room) authoriseJoin(content []byte, admitted admission, state rules.State) ([]byte, identity.KeyPair, error) {
	none := identity.KeyPair{}
	if state.Get(joinRulesType, "") != admitted.rule {
		return nil, none, Forbidden("the join rules of room %s have just changed", r.id)
	}
	if admitted.refusal != nil {
		return nil, none, admitted.refusal
	}
	by, owner, ok := r.authoriser(state)
	if !ok {
		return nil, none, &Error{Status: 400, Code: "M_UNABLE_TO_GRANT_JOIN", Text: "no user of this server may let others into room " + r.id}
	}
	authorised, err := pseudonym.AuthoriseJoin(content, identity.SenderKey(by))
	if err != nil || !r.format.Pseudonymous {
		return authorised, none, err
	}
	key, _, err := r.rooms.keys.Load(r.id, owner)
	return authorised, key, err
}

// authoriser chooses a local user to authorise a join: a joined member that may invite (room version 8, "Restricted
// rooms"). by is its wire name.
func (r *Room) authoriser(state rules.State) (by, userID string, ok bool) {
	levels := state.PowerLevels()
	for _, event := range r.storedLocked(state) {
		member, isMember := event.Member()
		if !isMember || event.Membership() != "join" || levels.Of(member) < levels.For("invite") {
			continue
		}
		if userID, verified := r.Names().Verified(identity.SenderKey(member)); verified && r.rooms.own(userID) {
			return member, userID, true
		}
	}
	return "", "", false
}

// checkAllowed returns an error if a user is in none of the rooms that a restricted join rule allows, or, if this server
// is not in all of them and so cannot know, the one that says so (server-server API, make_join). It locks these rooms, so
// no lock of a room may be held but intake.
func (r *Room) checkAllowed(userID string, state rules.State) error {
	in, known := r.inAllowedRoom(userID, state)
	switch {
	case in:
		return nil
	case !known:
		return &Error{Status: 400, Code: "M_UNABLE_TO_AUTHORISE_JOIN", Text: "this server is not in all rooms whose members may join room " + r.id}
	}
	return Forbidden("%s is in none of the rooms whose members may join room %s", userID, r.id)
}

// inAllowedRoom reports whether a user is joined to one of the rooms that a restricted join rule allows; known is false
// if this server cannot tell, since it is not in one of them. What it knows of a room that it has left may be out of date.
func (r *Room) inAllowedRoom(userID string, state rules.State) (in, known bool) {
	rule := state.Get(joinRulesType, "")
	if rule == nil {
		return false, true
	}
	known = true
	for _, allowed := range rule.Content("allow").Array() {
		other := r.rooms.Get(allowed.Get("room_id").String())
		switch {
		case allowed.Get("type").String() != "m.room_membership" || other == r:
		case other == nil || !other.Resident():
			known = false
		case other.Membership(userID) == "join":
			return true, true
		}
	}
	return false, known
}

// joinThrough joins a room through a resident server, with make_join and send_join.
func (rs *Rooms) joinThrough(ctx context.Context, server, roomID, userID, reason string) error {
	template, err := rs.template(roomID, userID, func(name string) (outgoing.Template, error) {
		return rs.Remote.MakeJoin(ctx, server, roomID, name, Versions())
	})
	if err != nil {
		return err
	}
	room, event, err := rs.fromTemplate(template, roomID, userID, "join", reason, true)
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
	room.applyAllDeferred()
	return rs.dropOutside(userID, roomID)
}

// template asks for a template of a member event of a local user. By one reading of membership/make-template it names the user by its key
// in the room. Whether the room has keys, and the other server knows them there, only the answer tells: the user ID is tried after a refusal.
func (rs *Rooms) template(roomID, userID string, ask func(name string) (outgoing.Template, error)) (outgoing.Template, error) {
	if rs.Pseudonym.TemplatesByKey() {
		key, err := pseudonym.SenderKey(rs.keys, roomID, userID)
		if err != nil {
			return outgoing.Template{}, err
		}
		template, err := ask(string(key.Public))
		if refusal := (*outgoing.Refusal)(nil); !errors.As(err, &refusal) || refusal.Status >= 500 {
			return template, err
		}
	}
	return ask(userID)
}

// fromTemplate builds the member event of a local user from the response to make_join, make_leave or make_knock. Only
// the prev events, auth events and depth are the response's, and for a join the authorising member. Unless it is mapped, the
// event has no mapping. The room is a new one if the server does not know it.
func (rs *Rooms) fromTemplate(t outgoing.Template, roomID, userID, membership, reason string, mapped bool) (*Room, *pdu.Event, error) {
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
	if err == nil && !mapped {
		d.Content, err = rs.Pseudonym.MemberContent(d.Content, nil, true)
	}
	if err != nil {
		return nil, nil, err
	}
	event := gjson.ParseBytes(t.Event)
	if authoriser := event.Get("content." + pseudonym.AuthoriserField); membership == "join" && authoriser.Type == gjson.String {
		if d.Content, err = pseudonym.AuthoriseJoin(d.Content, identity.SenderKey(authoriser.String())); err != nil {
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

// enter initialises a room from the response to send_join.
func (r *Room) enter(ctx context.Context, server string, join *pdu.Event, answer outgoing.SendJoinAnswer) error {
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
	if err := r.checkAuth(join, state); err != nil {
		return err
	}
	r.rooms.add(r) // before take, so that whoever sees the join's position finds its room
	_, err = r.take(join, state, taking{judgement: r.judgeOwn(join), joined: true})
	return err
}
