package federation

// A peer as resident server: creating rooms, and accepting joins and leaves of other servers' users.

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/tidwall/gjson"

	"msc4014/helpers/pseudoid"
)

// RoomOptions configures a new room. Empty fields have the values of the preset public_chat.
type RoomOptions struct {
	Creator           *User
	JoinRule          string // "public"
	JoinRuleAllow     []any  // the "allow" list of restricted rooms
	HistoryVisibility string // "shared"
	// PowerLevels is merged over the default content; its "users" are merged over the creator's 100.
	PowerLevels map[string]any
	Name        string
	Topic       string
	AliasName   string // the localpart of a canonical alias, registered with this peer
	RoomID      string // default: a new one of the peer
}

// CreateRoom creates a room on the peer: m.room.create, the creator's join, power levels, join rules, history visibility, and name,
// topic and canonical alias if requested.
func (p *Peer) CreateRoom(format pseudoid.Format, options RoomOptions) (*Room, error) {
	creator := options.Creator
	if creator == nil || creator.peer != p {
		return nil, fmt.Errorf("%s cannot create a room: the creator must be one of its own users", p.name)
	}
	room := newRoom(p, orElse(options.RoomID, fmt.Sprintf("!room%d:%s", p.next(), p.name)), format)
	create := map[string]any{"room_version": format.RoomVersion}
	if format.Base != pseudoid.FormatV11.Base {
		create["creator"] = creator.SenderIn(room)
	}
	rule := map[string]any{"join_rule": orElse(options.JoinRule, "public")}
	if options.JoinRuleAllow != nil {
		rule["allow"] = options.JoinRuleAllow
	}
	state := []Proto{
		{Type: "m.room.power_levels", Content: powerLevels(options.PowerLevels, creator.SenderIn(room))},
		{Type: "m.room.join_rules", Content: rule},
		{Type: "m.room.history_visibility", Content: map[string]any{"history_visibility": orElse(options.HistoryVisibility, "shared")}},
	}
	if options.Name != "" {
		state = append(state, Proto{Type: "m.room.name", Content: map[string]any{"name": options.Name}})
	}
	if options.Topic != "" {
		state = append(state, Proto{Type: "m.room.topic", Content: map[string]any{"topic": options.Topic}})
	}
	alias := ""
	if options.AliasName != "" {
		alias = "#" + options.AliasName + ":" + p.name
		state = append(state, Proto{Type: "m.room.canonical_alias", Content: map[string]any{"alias": alias}})
	}
	if err := room.begin(creator, create, state); err != nil {
		return nil, err
	}
	p.addRoom(room)
	if alias != "" {
		p.setAlias(alias, room)
	}
	return room, nil
}

// begin builds and applies the first events of a room.
func (r *Room) begin(creator *User, create map[string]any, state []Proto) error {
	add := func(event Event, err error) error {
		if err == nil {
			r.Apply(event)
		}
		return err
	}
	empty := ""
	if err := add(r.Build(Proto{Type: "m.room.create", StateKey: &empty, Content: create, Sender: creator})); err != nil {
		return err
	}
	if err := add(r.MemberTemplate(creator, "join").Build()); err != nil {
		return err
	}
	for _, proto := range state {
		proto.StateKey, proto.Sender = &empty, creator
		if err := add(r.Build(proto)); err != nil {
			return err
		}
	}
	return nil
}

// powerLevels returns the default content of m.room.power_levels, with fields replaced by wanted.
func powerLevels(wanted map[string]any, creator string) map[string]any {
	levels := map[string]any{
		"users": map[string]any{creator: 100}, "users_default": 0, "events": map[string]any{}, "events_default": 0,
		"state_default": 50, "ban": 50, "kick": 50, "redact": 50, "invite": 0,
	}
	users := map[string]any{creator: 100}
	for name, value := range wanted {
		levels[name] = value
	}
	switch given := wanted["users"].(type) {
	case map[string]any:
		maps.Copy(users, given)
		levels["users"] = users
	case map[string]int:
		for key, level := range given {
			users[key] = level
		}
		levels["users"] = users
	}
	return levels
}

func orElse(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

// makeJoin answers with a join template.
func (p *Peer) makeJoin(request *Request) Answer {
	room := request.Room()
	if room == nil {
		return unexpected(http.StatusNotFound, "M_NOT_FOUND", "this peer is not in the room "+request.parameter(0))
	}
	if !slices.Contains(request.Query["ver"], room.Version()) {
		answer := JSON(http.StatusBadRequest, map[string]string{
			"errcode": "M_INCOMPATIBLE_ROOM_VERSION", "error": "the room has another version", "room_version": room.Version(),
		})
		return answer
	}
	return room.makeMember(request, "join")
}

// makeLeave answers with a leave template.
func (p *Peer) makeLeave(request *Request) Answer {
	room := request.Room()
	if room == nil {
		return unexpected(http.StatusNotFound, "M_NOT_FOUND", "this peer is not in the room "+request.parameter(0))
	}
	return room.makeMember(request, "leave")
}

// makeMember answers with the template of a member event for the user that the request names, by its user ID or by a key
// (membership/make-template). After a user ID, the user's key is usually unknown until the event is sent, so the user ID takes its place,
// as in the deployed protocol.
func (r *Room) makeMember(request *Request, membership string) Answer {
	name := request.parameter(1)
	sender, userID := name, name
	if _, err := pseudoid.ParseSenderKey(name); err == nil {
		if !r.format.Pseudonymous { // whoever asks learns that from the answer
			return JSON(http.StatusForbidden, map[string]string{"errcode": "M_FORBIDDEN", "error": "the room is one of user IDs"})
		}
		userID = r.UserIDOf(name)
	} else if known := r.SenderOf(name); known != "" {
		sender = known
	}
	domain, err := pseudoid.UserIDDomain(userID)
	if newKey := userID == "" && name != ""; !newKey && (err != nil || domain != request.Origin) {
		return unexpected(http.StatusForbidden, "M_FORBIDDEN", fmt.Sprintf("%s asked for a template for %q, which is not one of its users", request.Origin, name))
	}
	content := map[string]any{"membership": membership}
	if rule := r.joinRule(); membership == "join" && (rule == "restricted" || rule == "knock_restricted") && r.Membership(sender) != "invite" {
		if authoriser := r.authoriser(); authoriser != "" {
			content["join_authorised_via_users_server"] = authoriser
		}
	}
	raw, err := marshal(content)
	if err != nil {
		return unexpected(http.StatusInternalServerError, "M_UNKNOWN", err.Error())
	}
	where := r.place("m.room.member", sender, &sender, raw)
	event := object(
		text("type", "m.room.member"), text("room_id", r.id), text(r.format.SenderField(), sender), text("state_key", sender),
		field{"content", raw}, field{"prev_events", list(where.prev)}, field{"auth_events", list(where.auth)},
		text("depth", where.depth), text("origin_server_ts", time.Now().UnixMilli()),
	)
	return Answer{Status: http.StatusOK, Body: object(text("room_version", r.Version()), field{"event", event})}
}

func (r *Room) joinRule() string {
	rules, _ := r.StateEvent("m.room.join_rules", "")
	return rules.Get("content.join_rule").String()
}

// authoriser returns the sender of a joined user of the peer, to authorise restricted joins, or "".
func (r *Room) authoriser() string {
	for _, member := range r.Members() {
		if member.Membership == "join" && r.peer.userBySender(r.id, member.Sender) != nil {
			return member.Sender
		}
	}
	return ""
}

// sendJoin accepts a join, versions 1 and 2.
func (p *Peer) sendJoin(request *Request) Answer {
	event, room, refusal := p.receiveMember(request, SendJoin, "join")
	if refusal != nil {
		return *refusal
	}
	state := room.State()
	ids := make([]string, len(state))
	for i, known := range state {
		ids[i] = known.ID()
	}
	chain := room.AuthChain(append(ids, event.AuthEvents()...)...)
	for _, id := range event.AuthEvents() { // also those that are no longer current state
		if known, ok := room.Event(id); ok && !slices.ContainsFunc(chain, func(e Event) bool { return e.id == id }) {
			chain = append(chain, known)
		}
	}
	signed, err := p.countersign(room, event)
	if err != nil {
		return unexpected(http.StatusInternalServerError, "M_UNKNOWN", "the peer could not sign the join: "+err.Error())
	}
	room.Apply(signed)
	p.forward(room, signed, request.Origin)
	body := object(
		text("origin", p.name), text("members_omitted", false), field{"event", signed.json},
		events("state", state), events("auth_chain", chain),
	)
	if request.Version == "v1" {
		body = slices.Concat([]byte("[200,"), body, []byte("]"))
	}
	return Answer{Status: http.StatusOK, Body: body}
}

// countersign adds the resident server's signature: by its server key in ordinary rooms (send_join, version 2), and by the
// authorising sender key in restricted pseudonymous ones (MSC4014, additional notes).
func (p *Peer) countersign(room *Room, event Event) (Event, error) {
	signer := p.Signer()
	if room.format.Pseudonymous {
		user := p.userBySender(room.id, event.Get("content.join_authorised_via_users_server").String())
		if user == nil {
			return event, nil
		}
		signer = room.SignerOf(user.KeyIn(room.id))
	}
	raw, err := signer.Sign(event.json, room.format)
	if err != nil {
		return Event{}, err
	}
	return NewEvent(raw, room.format), nil
}

// sendLeave accepts a leave, versions 1 and 2.
func (p *Peer) sendLeave(request *Request) Answer {
	event, room, refusal := p.receiveMember(request, SendLeave, "leave")
	if refusal != nil {
		return *refusal
	}
	room.Apply(event)
	p.forward(room, event, request.Origin)
	if request.Version == "v1" {
		return Answer{Status: http.StatusOK, Body: []byte("[200,{}]")}
	}
	return Answer{Status: http.StatusOK, Body: []byte("{}")}
}

// receiveMember parses, examines and records a member event from another server. It refuses only events that it cannot use; other
// problems are in the record.
func (p *Peer) receiveMember(request *Request, via Endpoint, membership string) (Event, *Room, *Answer) {
	refuse := func(status int, errcode, text string) (Event, *Room, *Answer) {
		answer := unexpected(status, errcode, text)
		return Event{}, nil, &answer
	}
	room := request.Room()
	if room == nil {
		return refuse(http.StatusNotFound, "M_NOT_FOUND", "this peer is not in the room "+request.parameter(0))
	}
	if !gjson.ValidBytes(request.Body) {
		return refuse(http.StatusBadRequest, "M_NOT_JSON", "the event is not JSON")
	}
	event := NewEvent(request.Body, room.format)
	problems := p.examine(request, event)
	if event.ID() != request.parameter(1) {
		problems = append(problems, fmt.Sprintf("event ID: the path names %s, the event has %s", request.parameter(1), event.ID()))
	}
	stateKey, isState := event.StateKey()
	if !isState || stateKey != event.Sender() {
		problems = append(problems, fmt.Sprintf("state key: %q, the sender is %q", stateKey, event.Sender()))
	}
	p.receive(Received{Event: event, Origin: request.Origin, Via: via, Room: room, Problems: problems})
	if event.Type() != "m.room.member" || event.RoomID() != room.id || event.Membership() != membership || !isState {
		return refuse(http.StatusBadRequest, "M_BAD_JSON", "not a "+membership+" of this room: "+event.String())
	}
	return event, room, nil
}

// forward sends an event from another server to all other servers in the room, as resident servers do.
func (p *Peer) forward(room *Room, event Event, origin string) {
	var servers []string
	for _, server := range room.joinedServers() {
		if server != p.name && server != origin {
			servers = append(servers, server)
		}
	}
	if len(servers) == 0 {
		return
	}
	p.sw.inBackground(func(ctx context.Context) {
		_ = room.sendTo(ctx, servers, event) // a failure is in the transcript
	})
}
