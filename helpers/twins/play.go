package twins

// Playing a session.

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"msc4014/helpers/transcript"
)

// Played is what came of a play.
type Played struct {
	Differences []Difference
	// Noise is what differed between the two ordinary rooms.
	Noise []Difference
	// Counts says how often each request, view and error occurred, in the ordinary room.
	Counts map[string]int
	// Aside says how many steps were left out by a rule, by the open requirement that the rule names.
	Aside map[string]int
	// Exchanges are those of each step, by its ID.
	Exchanges map[int][]transcript.Exchange
}

// lookStep is in place of the kind of a step in differences between views.
const lookStep = "look"

// player plays one session.
type player struct {
	*world
	Played
	session Session
	known   map[string]bool // places that are not reported any more: each difference is told once
	keyed   map[int]bool    // users who have been in the room, or invited, or knocked
	been    map[int]bool    // servers that have been in the room, by place
	missed  map[[2]int]bool // by place and user: the user joined, or did something about a user of the server, after the server had left
	joined  map[int]bool    // users in the room
	before  map[int]bool    // users in the room before the last step
	inviter map[int]int     // by user, who invited it
	lazily  map[int]int     // by user, the step in which it first asked for lazily loaded members
	over    bool            // the rooms took different ways
}

// the rooms in their order
const (
	ordinaryRoom = 0
	controlRoom  = 1
	pseudoRoom   = 2
)

// newPlayer returns who plays a session. Its first user will be in the room.
func newPlayer(company Company, session Session) *player {
	p := &player{world: &world{Company: company, nonce: random(), since: make([]string, len(company.Users))}, session: session}
	p.known, p.keyed, p.been = map[string]bool{}, map[int]bool{0: true}, map[int]bool{session.Cast.place(0): true}
	p.joined, p.inviter, p.missed = map[int]bool{0: true}, map[int]int{}, map[[2]int]bool{}
	p.lazily = map[int]int{}
	p.Counts, p.Aside, p.Exchanges = map[string]int{}, map[string]int{}, map[int][]transcript.Exchange{}
	return p
}

// Play plays a session, in two ordinary rooms and a pseudo-ID room.
func Play(company Company, session Session) (Played, error) {
	p := newPlayer(company, session)
	p.listen()
	if err := p.meet(); err != nil {
		return p.Played, err
	}
	for _, version := range []string{company.Ordinary, company.Ordinary, company.Pseudo} {
		made := &room{world: p.world, version: version, tag: random(), made: map[int]string{}}
		for range company.Users {
			made.feeds = append(made.feeds, newFeed())
		}
		p.rooms = append(p.rooms, made)
	}
	for _, step := range session.Steps {
		err := p.step(step)
		p.Exchanges[step.ID] = p.heard()
		var lost *lostSyncError
		if errors.As(err, &lost) {
			p.differs(Difference{
				Step: step.Kind, Endpoint: "/sync", Field: "status", Ordinary: "200", Pseudo: lost.Error(), StepID: step.ID, User: step.By, Parts: true,
			}, nil)
			return p.Played, nil
		}
		if err != nil {
			return p.Played, fmt.Errorf("step %d, %s: %w", step.ID, step, err)
		}
		if p.over {
			break
		}
	}
	return p.Played, nil
}

// noRoomError says that no room of any version can be created as a session wants it.
type noRoomError struct{ outcome string }

func (e *noRoomError) Error() string { return "a room of any version is refused: " + e.outcome }

func random() string {
	bytes := make([]byte, 5)
	_, _ = rand.Read(bytes) // never fails
	return hex.EncodeToString(bytes)
}

// meet makes the room in which barriers are sent, and begins to sync.
func (p *player) meet() error {
	ctx, cancel := p.Within(patience)
	defer cancel()
	var err error
	p.meeting, err = p.Users[0].CreateRoom(ctx, fields{"room_version": p.Ordinary, "preset": "public_chat"})
	if err != nil {
		return err
	}
	for i, user := range p.Users {
		if i > 0 {
			if _, err := user.JoinRoom(ctx, p.meeting, p.Users[0].Server.Name); err != nil {
				return err
			}
		}
	}
	for i := range p.Users {
		if _, err := p.sync(ctx, i, 0); err != nil {
			return err
		}
	}
	p.began = slices.Clone(p.since)
	return p.settle()
}

// create is the request of the first step.
func (r *room) create(cast Cast, step Step) request {
	words := strings.Fields(step.Arg)
	body := fields{
		"room_version": r.version, "preset": words[0], "name": "Room " + r.world.nonce, "room_alias_name": "first-" + r.tag,
	}
	// so that power levels are not only what the server makes them
	levels := fields{"events": fields{"org.example.state": 0}}
	body["power_level_content_override"] = levels
	var initial []any
	state := func(eventType string, content fields) {
		initial = append(initial, fields{"type": eventType, "state_key": "", "content": content})
	}
	for _, word := range words[1:] {
		visibility, isHistory := strings.CutPrefix(word, history)
		switch {
		case word == knocking, word == membersJoin:
			state("m.room.join_rules", r.joinRule(word))
		case word == guarded:
			levels["invite"] = 50
		case word == published:
			body["visibility"] = "public"
		case word == direct:
			body["is_direct"], body["invite"] = true, []string{r.world.userID(cast.neighbour())}
		case isHistory:
			state("m.room.history_visibility", fields{"history_visibility": visibility})
		}
	}
	if initial != nil {
		body["initial_state"] = initial
	}
	return request{method: http.MethodPost, path: v3("createRoom"), body: body}
}

// step plays one step in all rooms, and compares.
func (p *player) step(step Step) error {
	kind := kindsByName[step.Kind]
	if why, err := p.leftOut(step); err != nil || why != "" {
		p.Aside[why]++
		return err
	}
	answers := make([]answer, len(p.rooms))
	for i, each := range p.rooms {
		if kind.account && i > 0 {
			answers[i] = answers[0]
			continue
		}
		var got answer
		var asked request
		var err error
		switch {
		case p.session.Cast.guest(step.By):
			got, err = p.enact(each, step)
		case step.Kind == createKind:
			got, err = p.ask(0, each.create(p.session.Cast, step))
		default:
			asked = kind.request(each, step)
			got, err = p.ask(step.By, asked)
		}
		if err != nil {
			return err
		}
		if step.Kind == createKind {
			each.id, _ = in(got.body, "room_id").(string)
			each.named = newNamer(each.id, each.tag)
		}
		if id, made := in(got.body, "event_id").(string); made && kind.event {
			each.made[step.ID] = id
			each.named.ids[id] = fmt.Sprintf("$step %d", step.ID)
		}
		if asked.view != nil {
			got.body = asked.view(each, got.body)
		}
		if kind.anyRefusal && got.status/100 == 4 {
			got.status, got.errCode = http.StatusBadRequest, ""
		}
		answers[i] = got
	}
	p.count(step.Kind, answers[0])
	if step.Kind == createKind && !answers[0].good() && answers[0].outcome() == answers[controlRoom].outcome() && answers[0].outcome() == answers[pseudoRoom].outcome() {
		return &noRoomError{answers[0].outcome()}
	}
	p.learn(step, answers[0])
	p.compareAnswers(step, "answer", step.By, answers)
	if !kind.read && !p.over {
		if err := p.arrive(step, kind, answers[ordinaryRoom].good()); err != nil {
			return err
		}
	}
	if step.Look && !p.over {
		return p.look(step)
	}
	return nil
}

func (p *player) count(what string, got answer) {
	p.Counts[what]++
	if !got.good() {
		p.Counts[what+" "+got.outcome()]++
	}
}

// learn notes who has a key, who is in the room, and by whose invite.
func (p *player) learn(step Step, got answer) {
	defer p.miss(step, got)
	p.before = maps.Clone(p.joined)
	if !got.good() {
		return
	}
	if _, before := p.lazily[step.By]; kindsByName[step.Kind].lazy && !before {
		p.lazily[step.By] = step.ID
	}
	switch step.Kind {
	case createKind:
		if slices.Contains(strings.Fields(step.Arg), direct) {
			p.keyed[p.session.Cast.neighbour()], p.inviter[p.session.Cast.neighbour()] = true, 0
		}
	case "join", "join by alias":
		p.keyed[step.By], p.joined[step.By], p.been[p.session.Cast.place(step.By)] = true, true, true
	case "knock":
		p.keyed[step.By] = true
	case "invite":
		p.keyed[step.Whom], p.inviter[step.Whom] = true, step.By
	case "leave":
		delete(p.joined, step.By)
	case "kick", "ban":
		delete(p.joined, step.Whom)
	case "member event of another":
		switch step.Arg {
		case "invite":
			p.inviter[step.Whom] = step.By
		case "leave", "ban":
			delete(p.joined, step.Whom)
		}
	}
}

// miss notes whom a server that was in the room, and left it, may not know: who joined since, or did something about one of its users, of
// which it keeps no more than it is sent then.
func (p *player) miss(step Step, got answer) {
	there := map[int]bool{}
	for user := range p.session.Cast.size() {
		if p.before[user] || p.joined[user] {
			there[p.session.Cast.place(user)] = true
		}
	}
	for place := range p.been {
		for user := range p.joined {
			about := got.good() && user == step.By && step.Whom != nobody && p.session.Cast.place(step.Whom) == place
			switch {
			case there[place]:
				delete(p.missed, [2]int{place, user})
			case !p.before[user], about:
				p.missed[[2]int{place, user}] = true
			}
		}
	}
}

// outside reports whether the server of a user cannot know who is in the room: none of its users was in it before the step or is after it.
// What a look compares was written earlier, too: for that, none of them ever was.
func (p *player) outside(user int, step string) bool {
	place := p.session.Cast.place(user)
	if step == lookStep {
		return !p.been[place]
	}
	for other := range p.session.Cast.size() {
		if p.session.Cast.place(other) == place && (p.before[other] || p.joined[other]) {
			return false
		}
	}
	return true
}

// strange reports whether a value names a user whom the server of the user that sees it need not know (miss).
func (p *player) strange(one Difference) bool {
	for other := range p.session.Cast.size() {
		if one.Ordinary == asJSON(p.userID(other)) {
			return p.missed[[2]int{p.session.Cast.place(one.User), other}]
		}
	}
	return false
}

// compareAnswers compares the answers to one request in all rooms.
func (p *player) compareAnswers(step Step, endpoint string, user int, answers []answer) {
	found := Difference{Step: step.Kind, Endpoint: endpoint, StepID: step.ID, User: user}
	if endpoint != "answer" {
		found.Step = lookStep
	}
	values := make([]any, len(answers))
	parts := false
	for i, each := range answers {
		if each.outcome() != answers[0].outcome() {
			parts = true
		}
		values[i] = each.outcome()
	}
	if parts {
		found.Field, found.Parts = "status", endpoint == "answer"
		p.compare(found, values)
		p.over = p.over || found.Parts
		return
	}
	if !answers[0].good() {
		return
	}
	path := cmp.Or(kindsByName[step.Kind].path, endpoint)
	if endpoint != "answer" {
		path = lastOf(endpoint)
	}
	for i, each := range answers {
		values[i] = p.rooms[i].named.normal(each.body, path)
	}
	p.compare(found, values)
}

// compare compares what the rooms have, one value each.
func (p *player) compare(found Difference, values []any) {
	noise := map[string]bool{}
	add := func(to func(Difference), fields []field) {
		for _, each := range fields {
			one := found
			one.Ordinary, one.Pseudo = each.a, each.b
			if each.path != "" && one.Field != "" {
				one.Field += "."
			}
			one.Field += each.path
			to(one)
		}
	}
	add(func(one Difference) {
		noise[one.where()] = true
		p.Noise = append(p.Noise, one)
	}, compare(values[ordinaryRoom], values[controlRoom]))
	differing := compare(values[ordinaryRoom], values[pseudoRoom])
	add(func(one Difference) {
		one.Parts = one.Parts || p.crosses(found) && found.Step != createKind && one.losesEvent() && isLost(differing, one.Field)
		p.differs(one, noise)
	}, differing)
}

// crosses reports whether what a user sees of a step comes from another server.
func (p *player) crosses(seen Difference) bool {
	by := p.session.by(seen.StepID)
	return by != nobody && p.session.Cast.place(by) != p.session.Cast.place(seen.User)
}

// inContext fills in what the user could know of the room.
func (p *player) inContext(one Difference) Difference {
	one.Outside = p.outside(one.User, one.Step) || p.strange(one)
	first, asked := p.lazily[one.User]
	one.Lazy = asked && first < one.StepID && kindsByName[one.Step].lazy
	if inviter, invited := p.inviter[one.User]; invited {
		one.Inviter = one.Ordinary == asJSON(p.userID(inviter))
	}
	return one
}

// differs reports a difference, once a place.
func (p *player) differs(one Difference, noise map[string]bool) {
	one = p.inContext(one)
	if why := explained(one); why != "" {
		p.Aside[why]++
		return
	}
	if noise[one.where()] || p.known[one.where()] && !one.Parts {
		return
	}
	p.known[one.where()] = true
	p.over = p.over || one.Parts
	p.Differences = append(p.Differences, one)
}

// arrive waits for what comes of a step, and compares what users are told. taken says that the request was not refused.
func (p *player) arrive(step Step, kind kind, taken bool) error {
	before := p.later(kind)
	if err := p.settle(); err != nil {
		return err
	}
	if made := p.rooms[ordinaryRoom].made[step.ID]; p.session.Cast.guest(step.By) && made != "" {
		// A server may answer a transaction before it has taken its events.
		if err := p.await(grace, func() bool { return p.rooms[ordinaryRoom].last == made }); err != nil {
			return err
		}
	}
	if kind.later != "" && taken {
		atMost := grace / 4 // it may change nothing
		if kind.later == inTimeline && p.joined[step.By] {
			atMost = patience // a new profile changes the member event
		}
		if err := p.await(atMost, func() bool { return p.later(kind) != before }); err != nil {
			return err
		}
	}
	wait := grace
	if p.session.Cast.federated() {
		wait = patience
	}
	everything := p.session.Cast.federated() || kind.later == inTimeline
	if err := p.await(wait, func() bool { return !p.unequal(everything) }); err != nil {
		return err
	}
	for user := range p.Users {
		of := make([][]part, len(p.rooms))
		for i, each := range p.rooms {
			of[i] = each.feeds[user].parts(each.named)
		}
		for i := range of[0] {
			values := make([]any, len(of))
			for room := range of {
				values[room] = of[room][i].value
			}
			p.compare(Difference{Step: step.Kind, Endpoint: of[0][i].name, StepID: step.ID, User: user}, values)
		}
		for _, each := range p.rooms {
			each.feeds[user].next()
		}
	}
	return nil
}

// later is what the users were told in the ordinary room of what comes late after a request of this kind.
func (p *player) later(kind kind) (told string) {
	if kind.later == "" {
		return ""
	}
	for user := range p.Users {
		for _, each := range p.rooms[ordinaryRoom].feeds[user].parts(p.rooms[ordinaryRoom].named) {
			if each.name == "/sync "+kind.later {
				told += asJSON(each.value)
			}
		}
	}
	return told
}

// unequal reports whether something differs between the rooms that may come late, and was not told yet: what always may, or everything.
func (p *player) unequal(everything bool) bool {
	for user := range p.Users {
		first := p.rooms[ordinaryRoom].feeds[user].parts(p.rooms[ordinaryRoom].named)
		for _, other := range p.rooms[controlRoom:] {
			for i, each := range other.feeds[user].parts(other.named) {
				if !each.late && !everything {
					continue
				}
				for _, found := range compare(first[i].value, each.value) {
					if !each.late && ofAnEvent(found.path) {
						continue
					}
					one := p.inContext(Difference{Endpoint: first[i].name, Field: found.path, Ordinary: found.a, Pseudo: found.b, User: user})
					if !p.known[one.where()] && explained(one) == "" {
						return true
					}
				}
			}
		}
	}
	return false
}

// ofAnEvent reports whether a path in a list of events leads into an event, which stays as it was sent.
func ofAnEvent(path string) bool {
	_, field, labelled := strings.Cut(path, "]")
	return labelled && field != "" && path[0] == '['
}

// federated reports whether events of the cast go from one server to another.
func (c Cast) federated() bool {
	for _, place := range c.Users {
		if place != c.Users[0] {
			return true
		}
	}
	return c.Guests > 0
}

// await lets all users sync until something is true, or a time has passed, which is not an error.
func (p *player) await(atMost time.Duration, done func() bool) error {
	limit, cancel := p.Within(atMost)
	defer cancel()
	for !done() && limit.Err() == nil {
		for user := range p.Users {
			ctx, cancel := p.Within(patience)
			_, err := p.sync(ctx, user, hold/10)
			cancel()
			if err != nil {
				return err
			}
		}
	}
	return nil
}
