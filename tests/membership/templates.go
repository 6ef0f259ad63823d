package membership

// Who stands in the templates of member events that servers give each other.

import (
	"context"
	"fmt"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

// A template is made by the resident server, which does not know the key of a user that is new to the room (server-server API,
// make_join, make_knock, make_leave). Neither text says what it names, or by what the asking server names its user.
var _ = check.Register(check.Check{
	Name:     "who stands in templates of member events",
	Requires: []string{"membership/make-template"},
	Path:     "make_join, make_knock, make_leave",
	Body: func(c *check.C) {
		m := openMeeting(c)
		asked := m.namesWhoJoins()
		member, guest := m.peer.User("member"), m.peer.User("guest")
		m.peer.Joins(m.room.ID(), member)
		makeJoin := func(ctx context.Context, server, roomID, userID string) (federation.Answer, error) {
			return m.peer.MakeJoin(ctx, server, roomID, userID)
		}
		templates := []template{m.template("make_join", makeJoin, guest), m.template("make_leave", m.peer.MakeLeave, member)}
		m.joinRule("knock")
		templates = append(templates, m.template("make_knock", m.peer.MakeKnock, guest))

		detail, names := "the server asked for a template by "+asked, map[string]bool{}
		for _, each := range templates {
			detail += fmt.Sprintf("; %s: %s", each.endpoint, each.seen)
			if each.names != "" {
				names[each.names] = true
			}
		}
		reading := "other"
		for name := range names {
			reading = name
		}
		switch {
		case len(names) > 1:
			reading = "differs-by-endpoint"
		case asked == byKey && reading == "key":
			reading = "asked-by-key"
		case asked == byUserID && (reading == "named" || reading == "key" || reading == "blank"):
			reading = "asked-by-user-id-" + reading
		default:
			reading = "other"
		}
		c.Observe(reading, "%s", detail)
	},
})

const (
	byUserID = "user ID"
	byKey    = "key"
)

// namesWhoJoins lets a user of the server join a room of a peer, and returns by what its server names it.
func (m meeting) namesWhoJoins() string {
	host, joiner := m.Peer(), m.User("joiner")
	room := host.Makes(federation.RoomOptions{Creator: host.User("host")})
	joiner.Joins(room.ID(), host.Name())
	named := ""
	for _, request := range host.Requests() {
		if request.Endpoint == federation.MakeJoin && len(request.Parameters) == 2 {
			named = request.Parameters[1]
		}
	}
	return nameOf(named, joiner.UserID)
}

// nameOf says what a user is named by.
func nameOf(name, userID string) string {
	if name == userID {
		return byUserID
	}
	if _, err := pseudoid.ParseSenderKey(name); err == nil {
		return byKey
	}
	return fmt.Sprintf("%q", name)
}

// template is the answer to a request for a template of a user's member event.
type template struct {
	endpoint, names string // "named", "key", "blank", "else"; "" if there was none
	seen            string
}

func (m meeting) template(endpoint string, ask func(ctx context.Context, server, roomID, userID string) (federation.Answer, error), user *federation.User) template {
	ctx, cancel := m.peer.Within()
	defer cancel()
	answer, err := ask(ctx, m.ServerName(1), m.room.ID(), user.ID())
	m.C.Need("resilience/stays-up", err)
	event := answer.Get("event")
	if !answer.OK() || !event.IsObject() {
		return template{endpoint: endpoint, seen: "answered with " + answer.String()}
	}
	names := map[string]bool{}
	var seen []string
	for _, field := range []string{"sender", "sender_key", "state_key"} {
		value := event.Get(gjson.Escape(field))
		if value.String() == "" {
			continue
		}
		name := nameOf(value.String(), user.ID())
		seen = append(seen, field+" is the "+name)
		names[map[string]string{byUserID: "named", byKey: "key"}[name]] = true
	}
	switch {
	case len(names) == 0:
		return template{endpoint, "blank", "names nobody"}
	case len(names) > 1 || names[""]:
		return template{endpoint, "else", strings.Join(seen, ", ")}
	}
	for name := range names {
		return template{endpoint, name, strings.Join(seen, ", ")}
	}
	return template{}
}
