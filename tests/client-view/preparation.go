package clientview

// The preparation of the room: members of each kind come, speak, get power and go.

import (
	"errors"
	"fmt"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

// The kinds of members that others are told from by name.
const (
	theCreator    = "the creator"
	localMember   = "a local member"
	remoteMember  = "a remote member"
	localLeft     = "a local user who left"
	localKicked   = "a local user who was kicked"
	localBanned   = "a local user who is banned"
	localRedacted = "a local member whose join is redacted"
	localInvited  = "a local user whom the creator invited"
	localByRemote = "a local user whom a remote member invited"
	localKnocking = "a local user who knocks"
	unverified    = "a member who cannot be verified"

	remoteLeft     = "a remote user who left"
	remoteKicked   = "a remote user who was kicked"
	remoteBanned   = "a remote user who is banned"
	remoteRedacted = "a remote member whose join is redacted"
	remoteInvited  = "a remote user who is invited"
	remoteKnocking = "a remote user who knocks"
)

// greeting is a word that nobody else says: everybody who speaks in the room says it.
const greeting = "greetings"

// collecting is how long the views are prepared that checks share.
const collecting = 20 * time.Second

// view returns the room and its views, which the first check on a deployment collects.
func view(c *check.C) viewed {
	s := stage.Open(c, blueprints.OneServer)
	return stage.Scene(s, "client-view: a member of each kind", func() viewed {
		p := newPreparing(s)
		p.prepares()
		p.collect(func(each endpoint) bool { return !each.pushed })
		p.asksFederationFormat()
		p.looksUp()
		p.filters()
		return p.viewed
	})
}

// preparing is the room while it is prepared.
type preparing struct {
	*stage.Stage
	viewed
	alice    *stage.User
	witness  *stage.Peer
	room     *stage.Room
	timeline *csapi.Timeline // Alice's
	users    map[string]*stage.User
	tokens   map[string]string // of /sync: of users from before they left, by kind, and Alice's from the beginning
	carol    *federation.User
	remotes  map[string]*federation.User
	root     string // the root of a thread
	pacer    string // a token of /sync
}

// prepares makes the room, from its beginning to its end.
func (p *preparing) prepares() {
	p.opens()
	p.localsSpeak()
	p.remotesSpeak()
	p.getPower()
	p.writeUserIDs()
	p.unverifiedJoins()
	p.localsGo()
	p.remotesGo()
	p.areInvited()
	p.knock()
	p.ends()
}

// alicesToken is Alice's token of /sync from the beginning of the room.
const alicesToken = "alice"

func newPreparing(s *stage.Stage) *preparing {
	return &preparing{
		Stage: s, alice: s.User("alice"), witness: s.Peer(), users: map[string]*stage.User{}, tokens: map[string]string{},
		remotes: map[string]*federation.User{}, viewed: viewed{without: map[string]absence{}, answers: map[string]answers{}},
	}
}

// opens makes the room, with Carol in it.
func (p *preparing) opens() {
	p.alice.SetsDisplayName("Alice")
	p.roomID = p.alice.Makes(stage.Public, stage.Option{Name: "name", Value: "The room"}, stage.Option{Name: "topic", Value: "The topic"},
		stage.InitialState("m.room.history_visibility", "", map[string]any{"history_visibility": "shared"}))
	p.users[theCreator] = p.alice
	p.carol = p.witness.User("carol")
	p.carol.SetProfile("Carol", "mxc://example.org/carol")
	p.room = p.witness.Joins(p.roomID, p.carol)
	p.timeline = p.alice.Timeline(p.roomID)
	create, _ := p.room.StateEvent("m.room.create", "")
	p.members = append(p.members, member{kind: theCreator, userID: p.alice.UserID, key: create.Sender()})
	p.adds(remoteMember, p.carol)
	p.C.Need("membership/remote-joins-us", p.shows(match.Membership(p.carol.ID(), "join")))
	// Servers may begin to send events to the server of a new member a little after they show the member to clients.
	p.reaches(p.alice.Says(p.roomID, "said to the new member"))
	p.tokens[alicesToken] = p.alice.SyncToken()
	p.since = len(p.room.Events())
}

func (p *preparing) adds(kind string, user *federation.User) {
	p.remotes[kind] = user
	p.members = append(p.members, member{kind: kind, userID: user.ID(), key: user.SenderIn(p.room.Room)})
}

// shows waits until Alice's client is shown an event.
func (p *preparing) shows(matches match.Matcher) error {
	ctx, cancel := p.C.Within(stage.Patience)
	defer cancel()
	_, err := p.timeline.Wait(ctx, matches)
	return err
}

// reaches waits until the peer receives an event.
func (p *preparing) reaches(eventID string) {
	p.room.Blaming("routing/reaches-members").AwaitsEvent(eventID)
}

// learns waits until the peer receives a member event of a key that is new, and notes whose it is. That the event says so does not
// count: other checks judge it.
func (p *preparing) learns(kind, userID, membership, breaks string) {
	event := p.room.Blaming(breaks).Awaits(func(event federation.Event) error {
		key, isState := event.StateKey()
		if _, known := p.by(key); !isState || known || event.Type() != memberType || event.Membership() != membership {
			return errors.New("another event")
		}
		return nil
	})
	key, _ := event.StateKey()
	p.members = append(p.members, member{kind: kind, userID: userID, key: key})
}

// tries takes a step that is for another chapter to judge, and notes what is not in the room if it fails.
func (p *preparing) tries(what, breaks string, step func() error) {
	if err := step(); err != nil {
		p.isWithout(what, absence{breaks, err})
	}
}

func (p *preparing) isWithout(what string, why absence) {
	p.without[what] = why
	p.C.Notef("the room is without %s: %v", what, why.err)
}

// localsSpeak lets local users join and speak, also in a thread and with an edit.
func (p *preparing) localsSpeak() {
	for _, each := range []struct{ kind, name string }{
		{localMember, "bob"}, {localLeft, "lena"}, {localKicked, "kim"}, {localBanned, "ben"}, {localRedacted, "rita"},
	} {
		user := p.User(each.name)
		user.SetsDisplayName(each.name)
		user.Joins(p.roomID)
		p.users[each.kind] = user
		p.learns(each.kind, user.UserID, "join", "routing/reaches-members")
		said := user.Says(p.roomID, greeting+" from "+each.kind)
		if each.kind == localMember {
			p.root = said
		}
	}
	p.alice.Says(p.roomID, greeting+" from "+theCreator)
	p.reaches(p.relates(p.users[localKicked], "m.thread", greeting+" in a thread"))
	p.reaches(p.relates(p.alice, "m.thread", greeting+" in a thread, too"))
	p.reaches(p.edits(p.users[localMember]))
}

// edits lets a local user say something and edit it.
func (p *preparing) edits(user *stage.User) string {
	said := user.Says(p.roomID, "to be edited")
	edited, err := user.SendEvent(p.C.Context(), p.roomID, "m.room.message", map[string]any{
		"msgtype": "m.text", "body": "edited", "m.new_content": map[string]any{"msgtype": "m.text", "body": "edited"},
		"m.relates_to": map[string]any{"rel_type": "m.replace", "event_id": said},
	})
	p.C.Need("client-view/unmodified-client", err)
	return edited
}

// relates lets a local user say something in relation to the root.
func (p *preparing) relates(user *stage.User, relation, text string) string {
	said, err := user.SendEvent(p.C.Context(), p.roomID, "m.room.message", p.related(relation, text))
	p.C.Need("client-view/unmodified-client", err)
	return said
}

func (p *preparing) related(relation, text string) map[string]any {
	return map[string]any{
		"msgtype": "m.text", "body": text, "m.relates_to": map[string]any{"rel_type": relation, "event_id": p.root},
	}
}

// remotesSpeak lets users of the peer join and speak.
func (p *preparing) remotesSpeak() {
	p.says(p.carol, greeting+" from "+remoteMember)
	for _, each := range []struct{ kind, name string }{
		{remoteLeft, "rlena"}, {remoteKicked, "rkim"}, {remoteBanned, "rben"}, {remoteRedacted, "rrita"},
	} {
		p.tries(each.kind, "membership/remote-joins-us", func() error {
			user := p.witness.User(each.name)
			user.SetProfile(each.name, "")
			if err := p.delivers(p.room.BuildsMember(user, "join")); err != nil {
				return err
			}
			p.adds(each.kind, user)
			return p.says(user, greeting+" from "+each.kind)
		})
	}
	for _, kind := range []string{remoteBanned, remoteRedacted} {
		if user := p.remotes[kind]; user != nil {
			p.tries("a reply of "+kind, "membership/remote-joins-us", func() error {
				reply := p.room.Builds(federation.Proto{Type: "m.room.message", Sender: user, Content: p.related("m.thread", greeting+" in the thread")})
				return p.delivers(reply)
			})
		}
	}
}

// says lets a user of the peer speak.
func (p *preparing) says(user *federation.User, text string) error {
	return p.delivers(p.room.Builds(federation.TextMessage(user, text)))
}

// delivers sends an event of the peer, and applies it to the peer's room if the server did not refuse it and shows it.
func (p *preparing) delivers(event federation.Event) error {
	answer, err := p.room.Pushes(event)
	p.C.Need("resilience/stays-up", err)
	if refusal := answer.PDUErrors[event.ID()]; refusal != "" || !answer.OK() {
		return fmt.Errorf("the server answered %s with %s%s", event, answer.Answer, refusal)
	}
	if err := p.shows(match.EventID(event.ID())); err != nil {
		return err
	}
	p.room.Apply(event)
	return nil
}

// getPower lets Alice write power levels by user ID, also for members who will not stay.
func (p *preparing) getPower() {
	p.tries("power", "client-view/power-levels-write", func() error {
		for _, carols := range []int{50, 60} {
			levels, err := p.alice.PowerLevels(p.C.Context(), p.roomID)
			if err != nil {
				return err
			}
			content := scenes.WithPower(levels, p.carol.ID(), carols)
			users, _ := content["users"].(map[string]any)
			for kind, power := range map[string]int{localMember: 50, localKicked: 5, localBanned: 10, remoteKicked: 15, remoteBanned: 20} {
				if user := p.remotes[kind]; user != nil {
					users[user.ID()] = power
				} else if user := p.users[kind]; user != nil {
					users[user.UserID] = power
				}
			}
			written, err := p.alice.SendState(p.C.Context(), p.roomID, powerType, "", content)
			if err != nil {
				return err
			}
			p.reaches(written)
		}
		return nil
	})
}

// writeUserIDs lets local users send state that has their user IDs where servers may replace them by keys: as a state key, and in a widget.
func (p *preparing) writeUserIDs() {
	bob := p.users[localMember]
	for _, each := range []struct {
		by                  *stage.User
		eventType, stateKey string
		content             map[string]any
	}{
		{bob, "org.example.owned", bob.UserID, map[string]any{"note": "keyed by a user ID"}},
		{p.alice, scenes.WidgetTypes[1], "widget", map[string]any{"creatorUserId": p.alice.UserID, "name": "A widget", "type": "m.custom", "url": "https://example.org/"}},
	} {
		p.tries("the "+each.eventType, "client-view/own-state-by-user-id", func() error {
			sent, err := each.by.SendState(p.C.Context(), p.roomID, each.eventType, each.stateKey, each.content)
			if err == nil {
				p.reaches(sent)
			}
			return err
		})
	}
}
