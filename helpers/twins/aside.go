package twins

// What the proposal, or another specification, makes or lets be different, set aside by rules; each names the requirement that has it.

import (
	"net/http"
	"strings"
)

// rule says which differences a requirement, or another specification, explains.
type rule struct {
	requirement string
	explains    func(Difference) bool
}

var rules = []rule{
	// A create event names its creator by key or not at all; clients are shown a user ID where it does.
	{"event-format/create-names-no-mxid", func(one Difference) bool {
		return one.Pseudo == nothingThere &&
			(strings.HasSuffix(one.Field, "[m.room.create].content.creator") || one.Endpoint == "/state/m.room.create" && one.Field == "creator")
	}},
	// With an invite to another server comes the inviter's mapping; who else wrote the state that comes with it, or takes the invite back,
	// cannot be known there. Nor need a server that has left the room know who joined since, or who does something about one of its users then.
	{"invite/inviter-join-included", func(one Difference) bool {
		named := strings.HasSuffix(one.Field, ".sender") || strings.HasSuffix(one.Field, "[m.room.create].content.creator")
		return one.Outside && !one.Inviter && named && strings.HasPrefix(one.Pseudo, `"@_unverified`)
	}},
	// A server may leave out lazily loaded members whom it remembers to have sent to the device, and may forget that at any time.
	{"client-server API, lazy-loading room members", func(one Difference) bool {
		member := one.Field == "join.state.events.["+memberType+"]" || one.Field == "state.["+memberType+"]"
		return one.Lazy && member && (one.Ordinary == nothingThere || one.Pseudo == nothingThere)
	}},
}

// explained returns the requirement that explains a difference, or "".
func explained(one Difference) string {
	for _, each := range rules {
		if each.explains(one) {
			return each.requirement
		}
	}
	return ""
}

// leftOut returns the open requirement because of which a step is left out, or "". It is decided by what the ordinary room is like when the
// step comes, so that a shortened session keeps to it.
func (p *player) leftOut(step Step) (string, error) {
	kind := kindsByName[step.Kind]
	if step.Whom != nobody && kind.names != "" {
		if known, err := p.knows(step.By, step.Whom); err != nil || !known {
			return kind.names, err
		}
	}
	switch step.Kind {
	case redaction:
		// Who has no power redacts events of others on the same server, by domain, or only their own, by key.
		powerful, err := p.hasPower(step.By, "redact")
		if !powerful && p.session.by(step.Of) != step.By {
			return "redaction/other-key-same-server", err
		}
		return "", err
	case otherState:
		// A state key that begins with @ belongs to that user alone, whatever power others have; a key does not begin so.
		powerful, err := p.hasPower(step.By, "state_default")
		if powerful {
			return "auth/rules-by-sigil", err
		}
		return "", err
	}
	return "", nil
}

// knows reports whether a user has a key in the room, as far as the server of who asks can tell: the invite of another server may have come
// to nothing.
func (p *player) knows(asker, user int) (bool, error) {
	if !p.keyed[user] || p.session.Cast.guest(asker) {
		return p.keyed[user], nil
	}
	got, err := p.ask(asker, get(v3("rooms", p.rooms[ordinaryRoom].id, "state", memberType, p.userID(user))))
	return got.status != http.StatusNotFound, err
}

// hasPower reports whether a user has the power of a level, 50 by default, in the ordinary room.
func (p *player) hasPower(user int, level string) (bool, error) {
	got, err := p.ask(0, get(v3("rooms", p.rooms[ordinaryRoom].id, "state", levelsType, "")))
	number := func(otherwise float64, keys ...string) float64 {
		if level, is := in(got.body, keys...).(float64); is {
			return level
		}
		return otherwise
	}
	return number(number(0, "users_default"), "users", p.userID(user)) >= number(50, level), err
}
