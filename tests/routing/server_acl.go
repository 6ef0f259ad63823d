package routing

// Access control lists of a room name servers, and events name keys: events and requests of a denied server are refused all the
// same, whatever mappings its users have (Matrix specification, server access control lists).

import (
	"fmt"
	"net"
	"net/http"
	"slices"

	"github.com/stretchr/testify/assert"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/delivery"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// listedRoom is a room of Alice with a member of a peer that will be denied, and one of a peer that will not be.
type listedRoom struct {
	*stage.Stage
	alice           *stage.User
	denied, allowed *stage.Peer
	carol, dan      *federation.User // of denied and of allowed
	room, dansRoom  *stage.Room      // as each knows it
	roomID, eventID string           // an event that both know
}

func openListedRoom(c *check.C) *listedRoom {
	s := stage.Open(c, blueprints.OneServer)
	opened := &listedRoom{Stage: s, alice: s.User("alice"), denied: s.Peer(), allowed: s.Peer()}
	if hostOf(opened.denied.Name()) == hostOf(opened.allowed.Name()) || hostOf(opened.denied.Name()) == hostOf(s.ServerName(1)) {
		c.NotRun("in this runtime server names differ in their ports, which access control lists do not see")
	}
	opened.carol, opened.dan = opened.denied.User("carol"), opened.allowed.User("dan")
	opened.roomID = opened.alice.Makes(stage.Public)
	opened.room = opened.denied.Joins(opened.roomID, opened.carol)
	opened.dansRoom = opened.allowed.Joins(opened.roomID, opened.dan)
	opened.alice.Blaming("membership/remote-joins-us").AwaitsMembership(opened.roomID, opened.dan.ID(), "join")
	opened.eventID = opened.alice.Says(opened.roomID, "said to both")
	opened.room.Blaming("routing/reaches-members").AwaitsEvent(opened.eventID)
	opened.dansRoom.Blaming("routing/reaches-members").AwaitsEvent(opened.eventID)
	opened.barrier()
	return opened
}

// hostOf is a server name without its port.
func hostOf(server string) string {
	if host, _, err := net.SplitHostPort(server); err == nil {
		return host
	}
	return server
}

// denies lets Alice deny the one server.
func (l *listedRoom) denies() {
	set := l.alice.Sets(l.roomID, "m.room.server_acl", "", map[string]any{
		"allow": []string{"*"}, "deny": []string{hostOf(l.denied.Name())}, "allow_ip_literals": true,
	})
	l.dansRoom.Blaming("routing/reaches-members").AwaitsEvent(set)
	l.C.UnderTest()
}

// barrier waits until Alice is shown a new message of Dan: the server has processed what was sent before.
func (l *listedRoom) barrier() {
	said := l.dansRoom.Says(l.dan, "said by a member of an allowed server")
	l.alice.Blaming("membership/remote-joins-us").AwaitsEvent(l.roomID, said.ID())
}

// Events: in transactions.
var _ = check.Register(check.Check{
	Name:     "events of a denied server are refused",
	Requires: []string{"routing/server-acl"},
	Path:     "send",
	Body: func(c *check.C) {
		l := openListedRoom(c)
		said := l.room.Says(l.carol, "said before the list")
		c.Control(l.alice.SeesEvent(l.roomID, said.ID()))
		l.denies()
		lie := l.room.Builds(federation.TextMessage(l.carol, "said in spite of the list"))
		pushes(c, l.room, lie)
		l.barrier()
		l.alice.Refused(l.roomID, lie)
		l.dansRoom.NotServed(lie)
	},
})

// A mapping to a user of an allowed server does not help: it is the server that is denied. An event of the user is refused
// from it, and accepted from the user's own server.
var _ = check.Register(check.Check{
	Name:     "events that a denied server brings of another's user are refused",
	Requires: []string{"routing/server-acl"},
	Path:     "send",
	Body: func(c *check.C) {
		l := openListedRoom(c)
		l.denies()
		said := l.dansRoom.Builds(federation.TextMessage(l.dan, "said by a member of an allowed server"))
		barrier := l.dansRoom.Builds(federation.TextMessage(l.dan, "said beside it"))
		pushes(c, l.room, said)
		pushes(c, l.dansRoom, barrier)
		l.alice.Blaming("membership/remote-joins-us").AwaitsEvent(l.roomID, barrier.ID())
		_, early := l.alice.Event(c.Context(), l.roomID, said.ID())
		pushes(c, l.dansRoom, said)
		c.Control(l.alice.SeesEvent(l.roomID, said.ID()))
		if early == nil {
			c.Errorf("an event of another server's user was accepted from a denied server")
		}
	},
})

// pushes sends an event to the server under test, and notes what it answers.
func pushes(c *check.C, room *stage.Room, event federation.Event) {
	answer, err := room.Pushes(event)
	c.Need("resilience/stays-up", err)
	c.Notef("the server answered a transaction of %s with %s", room.Peer().Name(), answer.Answer)
}

// Joins: of another user of the denied server.
var _ = check.Register(check.Check{
	Name:     "a denied server's join is refused",
	Requires: []string{"routing/server-acl"},
	Path:     "send_join",
	Body: func(c *check.C) {
		l := openListedRoom(c)
		honest := func(template federation.Template) federation.Template { return template }
		first := l.denied.User("first")
		_, answer, err := l.room.SendsJoin(first, honest)
		if err == nil {
			_, err = l.alice.SeesMembership(l.roomID, first.ID(), "join")
		}
		c.Control(delivery.WithAnswer(err, answer))

		// The template is from before the list, so that the join itself is refused by it.
		second := l.denied.User("second")
		ctx, cancel := l.denied.Within()
		defer cancel()
		template, err := l.denied.JoinTemplate(ctx, l.ServerName(1), l.roomID, second)
		c.Control(err)
		l.denies()
		if answer := l.denied.AsksToJoin(l.roomID); answer.OK() {
			c.Errorf("make_join gave a denied server a template")
		}
		join := l.room.Made(template)
		sent, err := l.denied.SendJoin(ctx, l.ServerName(1), l.roomID, join)
		c.Need("resilience/stays-up", err)
		c.Notef("the server answered send_join of a denied server with %s", delivery.Short(sent.Answer))
		l.barrier()
		l.alice.Refused(l.roomID, join)
		l.dansRoom.NotServed(join)
	},
})

// Leaves, and knocks where the server takes them: of other users of the denied server. The control is the same of another user, before
// the list. The server's signature, which some servers ask for, changes nothing for others.
var _ = check.Register(check.Check{
	Name:     "a denied server's leave and knock are refused",
	Requires: []string{"routing/server-acl"},
	Path:     "send_leave, send_knock",
	Body: func(c *check.C) {
		l := openListedRoom(c)
		var lies []memberEvent
		for _, each := range []memberEvent{{membership: "leave", endpoint: "v2/send_leave"}, {membership: "knock", endpoint: "v1/send_knock"}} {
			lie, taken := l.controls(each)
			if taken {
				lies = append(lies, lie)
			}
		}
		l.denies()
		for _, lie := range lies {
			answer := l.puts(lie)
			c.Notef("the server answered the %s of a denied server with %s", lie.membership, delivery.Short(answer))
			l.barrier()
			l.alice.Refused(l.roomID, lie.event)
			l.dansRoom.NotServed(lie.event)
		}
	},
})

// memberEvent is a member event of a user of the denied server, which it sends to an endpoint.
type memberEvent struct {
	membership, endpoint string
	event                federation.Event
}

// controls lets a user of the server that will be denied do the same, which must be accepted, and returns the event of another user. It
// reports false if the server does not know the endpoint.
func (l *listedRoom) controls(each memberEvent) (lie memberEvent, taken bool) {
	first, second := l.denied.User(each.membership+"-first"), l.denied.User(each.membership+"-second")
	if each.membership == "knock" {
		rule := l.alice.Sets(l.roomID, "m.room.join_rules", "", map[string]any{"join_rule": "knock"})
		l.room.Blaming("routing/reaches-members").AwaitsEvent(rule)
	} else {
		l.room.JoinsByEvent(first)
		l.room.JoinsByEvent(second)
		l.alice.Blaming("membership/remote-joins-us").AwaitsMembership(l.roomID, second.ID(), "join")
	}
	made := func(user *federation.User) memberEvent {
		each.event = l.room.Made(l.room.MemberTemplate(user, each.membership).AlsoSignedBy(l.denied.Signer()))
		return each
	}
	honest := made(first)
	answer := l.puts(honest)
	if each.membership == "knock" && answer.ErrCode() == "M_UNRECOGNIZED" {
		l.C.NotJudged("send_knock", "the server does not know it: %s", answer)
		return honest, false
	}
	_, err := l.alice.SeesMembership(l.roomID, first.ID(), each.membership)
	l.C.Control(delivery.WithAnswer(err, answer.String()))
	return made(second), true
}

// puts sends a member event to its endpoint.
func (l *listedRoom) puts(each memberEvent) federation.Answer {
	ctx, cancel := l.denied.Within()
	defer cancel()
	uri := "/_matrix/federation/" + each.endpoint + csapi.Path(l.roomID, each.event.ID())
	answer, err := l.denied.Do(ctx, l.ServerName(1), http.MethodPut, uri, each.event.JSON())
	l.C.Need("resilience/stays-up", err)
	return answer
}

// And invites: the server does not complete one of a denied server, for a room that it is in.
var _ = check.Register(check.Check{
	Name:     "a denied server's invite is refused",
	Requires: []string{"routing/server-acl"},
	Path:     "invite",
	Body: func(c *check.C) {
		l := openListedRoom(c)
		first, second, third := l.User("first"), l.User("second"), l.User("third")
		ctx, cancel := l.denied.Within()
		defer cancel()
		completed, answer, err := l.room.Invite(ctx, l.ServerName(1), l.carol, first.UserID)
		c.Need("resilience/stays-up", err)
		if completed.IsZero() {
			c.Control(fmt.Errorf("the server answered an invite by a member of a peer with %s", answer))
		}
		c.Control(nil)
		l.denies()
		lie, answer, err := l.room.Invite(ctx, l.ServerName(1), l.carol, second.UserID)
		c.Need("resilience/stays-up", err)
		c.Notef("the server answered the invite of a denied server with %s", answer)
		if !lie.IsZero() {
			c.Errorf("the server completed an invite of a denied server: %s", lie)
		}
		l.barrier()
		synced, err := second.Sync(c.Context(), "", 0, "")
		c.Need("client-view/unmodified-client", err)
		if invite := synced.Get(match.Path("rooms", "invite", l.roomID)); invite.Exists() {
			c.Errorf("/sync of %s shows the invite of a denied server", second.UserID)
		}
		ctx, cancel = l.allowed.Within()
		defer cancel()
		allowed, answer, err := l.dansRoom.Invite(ctx, l.ServerName(1), l.dan, third.UserID)
		c.Need("resilience/stays-up", err)
		if allowed.IsZero() {
			c.Errorf("the room's list denies one server, and the invite of another is answered %s", answer)
		}
	},
})

// Requests for events and state.
func init() {
	for _, each := range fetches {
		if !each.byRoom {
			continue
		}
		check.Register(check.Check{
			Name:     fmt.Sprintf("a denied server may not ask for /%s", each.name),
			Requires: []string{"routing/server-acl"},
			Path:     each.name,
			Body: func(c *check.C) {
				l := openListedRoom(c)
				c.Control(each.served(l.Stage, l.denied, l.room, l.eventID))
				l.denies()
				each.denied(l.Stage, l.denied, l.room, l.eventID, "a server that the room's list denies")
				if err := each.served(l.Stage, l.allowed, l.dansRoom, l.eventID); err != nil {
					c.Errorf("the room's list denies one server, and another gets nothing: %v", err)
				}
			},
		})
	}
}

// EDUs of a room, too: typing is dropped (server-server API, server access control lists, since version 1.13).
var _ = check.Register(check.Check{
	Name:     "typing of a denied server is dropped",
	Requires: []string{"routing/server-acl"},
	Path:     "m.typing",
	Body: func(c *check.C) {
		l := openListedRoom(c)
		types := func(peer *stage.Peer, user *federation.User) {
			peer.SendsEDU("m.typing", map[string]any{"room_id": l.roomID, "user_id": user.ID(), "typing": true})
		}
		second := l.denied.User("second")
		l.denied.Joins(l.roomID, second)
		l.alice.Blaming("membership/remote-joins-us").AwaitsMembership(l.roomID, second.ID(), "join")
		since := l.alice.SyncToken()
		types(l.denied, l.carol)
		_, err := typists(l.alice, l.roomID, since, l.carol.ID())
		c.Control(err)
		l.denies()
		types(l.denied, second)
		types(l.allowed, l.dan) // the barrier
		all, err := typists(l.alice, l.roomID, since, l.dan.ID())
		c.Need("client-view/receipts-typing-presence", err)
		assert.NotContains(c, all, second.ID(), "the users that a client is shown as typing")
	},
})

// typists waits until a client is shown a user as typing, and returns all who are shown then.
func typists(user *stage.User, roomID, since, awaited string) (all []string, err error) {
	err = user.SeesInSync(since, func(answer *csapi.Response) error {
		for _, event := range answer.Get(match.Path("rooms", "join", roomID, "ephemeral", "events")).Array() {
			if event.Get("type").String() != "m.typing" {
				continue
			}
			all = nil
			for _, userID := range event.Get("content.user_ids").Array() {
				all = append(all, userID.String())
			}
			if slices.Contains(all, awaited) {
				return nil
			}
		}
		return fmt.Errorf("%s is not shown as typing, but %v", awaited, all)
	})
	return all, err
}
