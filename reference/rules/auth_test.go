package rules

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/pdu"
	"msc4014/reference/pseudonym"
)

// authCase is one event in one state, and the rule that rejects it; "" where it is allowed.
type authCase struct {
	name    string
	formats []string // nil means all
	prepare func(r *room)
	event   func(r *room) *pdu.Event
	rule    string
	reading Rules

	// library says why gomatrixserverlib comes to something else; "" means that it comes to the same.
	library string
}

func message(sender string) func(*room) *pdu.Event {
	return func(r *room) *pdu.Event { return r.event(sender, "m.room.message", nil, object{"body": "hello"}) }
}

func membership(sender, target, membership string) func(*room) *pdu.Event {
	return func(r *room) *pdu.Event { return r.member(sender, target, membership) }
}

func powerLevelsBy(sender string, extra func(r *room) object) func(*room) *pdu.Event {
	return func(r *room) *pdu.Event {
		return r.event(sender, powerLevelsType, new(""), r.levels(extra(r)))
	}
}

func joinRule(rule string) func(*room) { return func(r *room) { r.joinRule(rule) } }

func having(steps ...func(*room) *pdu.Event) func(*room) {
	return func(r *room) {
		for _, step := range steps {
			r.add(step(r))
		}
	}
}

func ban(target string) func(*room) { return having(membership("alice", target, "ban")) }

// authorised builds dave's join that authoriser lets in, signed by signers.
func authorised(authoriser string, signers ...string) func(*room) *pdu.Event {
	return func(r *room) *pdu.Event {
		return r.read(r.sign(r.draft("dave", memberType, new(r.id("dave")),
			object{"membership": "join", authoriserField: r.id(authoriser)}), signers...))
	}
}

// reading returns the rules of pseudonymous rooms with one reading of a requirement.
func reading(requirement string, chosen pseudonym.Reading) pseudonym.Rules {
	r := pseudonym.Rules{}
	if err := r.Readings.Set(requirement, chosen); err != nil {
		panic(err)
	}
	return r
}

func bySigil(chosen pseudonym.Reading) Rules {
	return Rules{Pseudonym: reading("auth/rules-by-sigil", chosen)}
}

var authCases = []authCase{
	// Ordinary things, in every format.
	{name: "a member may send a message", event: message("carol")},
	{name: "a stranger may not", event: message("dave"), rule: "5"},
	{name: "a stranger may join a public room", event: membership("dave", "dave", "join")},
	{name: "nor a room of invited ones", prepare: joinRule("invite"), event: membership("dave", "dave", "join"), rule: "4.3.4"},
	{name: "the invited may", prepare: func(r *room) { joinRule("invite")(r); having(membership("carol", "dave", "invite"))(r) },
		event: membership("dave", "dave", "join")},
	{name: "a joined one is not invited", event: membership("alice", "carol", "invite"), rule: "4.4.3"},
	{name: "a stranger may knock where one knocks", prepare: joinRule("knock"), event: membership("dave", "dave", "knock")},
	{name: "not where one does not", event: membership("dave", "dave", "knock"), rule: "4.7.1"},
	{name: "a member does not knock", prepare: joinRule("knock"), event: membership("carol", "carol", "knock"), rule: "4.7.4"},
	{name: "a member may leave", event: membership("carol", "carol", "leave")},
	{name: "who is away may not leave", event: membership("dave", "dave", "leave"), rule: "4.5.1",
		library: "it lets leave follow leave, as Synapse once did"},
	{name: "unban takes power", prepare: ban("carol"), event: membership("bob", "carol", "leave")},
	{name: "more than none", prepare: ban("carol"), event: membership("dave", "carol", "leave"), rule: "4.5.2"},
	{name: "an unknown membership", event: membership("carol", "carol", "lurk"), rule: "4.8"},
	{name: "state takes power", event: func(r *room) *pdu.Event { return r.event("carol", "m.room.name", new(""), object{"name": "x"}) }, rule: "7"},
	{name: "a redaction is an event like others", event: func(r *room) *pdu.Event {
		return r.event("carol", "m.room.redaction", nil, object{"redacts": r.state.Create().ID()})
	}},
	{name: "a second create event", event: func(r *room) *pdu.Event { return r.event("alice", createType, new(""), object{"creator": "x"}) }, rule: "1.1"},

	// auth/member-key-must-match
	{name: "auth/member-key-must-match: a join whose state key is another key", event: membership("carol", "dave", "join"), rule: "4.3.2"},
	{name: "auth/member-key-must-match: also of one who is invited", prepare: having(membership("carol", "dave", "invite")),
		event: membership("carol", "dave", "join"), rule: "4.3.2"},
	{name: "auth/member-key-must-match: a user ID where the key belongs", formats: pseudonymous, event: func(r *room) *pdu.Event {
		return r.event("carol", memberType, new("@carol:other.test"), object{"membership": "join"})
	}, rule: "4.1"},
	{name: "auth/member-key-must-match: a knock for another", prepare: joinRule("knock"), event: membership("carol", "dave", "knock"), rule: "4.7.2"},

	// auth/power-by-key
	{name: "auth/power-by-key: power kicks", event: membership("bob", "carol", "leave")},
	{name: "auth/power-by-key: not who has as much", event: membership("bob", "alice", "leave"), rule: "4.5.5"},
	{name: "auth/power-by-key: no power, no ban", event: membership("carol", "bob", "ban"), rule: "4.6.3"},
	{name: "auth/power-by-key: power bans", event: membership("bob", "carol", "ban")},
	{name: "auth/power-by-key: not who has more", event: membership("bob", "alice", "ban"), rule: "4.6.3"},
	{name: "auth/power-by-key: to unban takes the power to ban", prepare: func(r *room) {
		ban("carol")(r)
		having(powerLevelsBy("alice", func(*room) object { return object{"ban": 60} }))(r)
	}, event: membership("bob", "carol", "leave"), rule: "4.5.3"},
	{name: "auth/power-by-key: to invite takes the power to", prepare: having(powerLevelsBy("alice", func(*room) object { return object{"invite": 50} })),
		event: membership("carol", "dave", "invite"), rule: "4.4.5"},
	{name: "auth/power-by-key: claiming a powerful user ID gives none", formats: pseudonymous,
		prepare: func(r *room) {
			r.add(r.event("carol", memberType, new(r.id("carol")), object{"membership": "join",
				"mxid_mapping": object{"sender_key": r.id("carol"), "user_room_key": r.id("carol"), "user_id": "@alice:origin.test"}}))
		}, event: membership("carol", "bob", "leave"), rule: "4.5.5"},
	{name: "auth/power-by-key: a malformed mapping takes none", formats: pseudonymous, event: func(r *room) *pdu.Event {
		return r.event("bob", memberType, new(r.id("bob")), object{"membership": "join", "mxid_mapping": 5})
	}, library: "it refuses what it cannot parse, though redaction takes the mapping away"},

	// auth/ban-by-key
	{name: "auth/ban-by-key: a banned key does not join", prepare: ban("carol"), event: membership("carol", "carol", "join"), rule: "4.3.3"},
	{name: "auth/ban-by-key: nor send", prepare: ban("carol"), event: message("carol"), rule: "5"},
	{name: "auth/ban-by-key: nor unban itself", prepare: ban("carol"), event: membership("carol", "carol", "leave"), rule: "4.5.1"},
	{name: "auth/ban-by-key: nor is it invited", prepare: ban("carol"), event: membership("alice", "carol", "invite"), rule: "4.4.3"},
	{name: "auth/ban-by-key: nor invited in another spelling", formats: pseudonymous, prepare: ban("carol"), event: func(r *room) *pdu.Event {
		return r.event("alice", memberType, new(r.id("carol")+"="), object{"membership": "invite"})
	}, rule: "4.1", library: "it does not look at how keys are spelled"},

	// auth/restricted-authoriser-is-key, auth/restricted-signed-by-authoriser
	{name: "auth/restricted-signed-by-authoriser: the authoriser signed", prepare: joinRule("restricted"), event: authorised("bob", "dave", "bob")},
	{name: "auth/restricted-signed-by-authoriser: he did not", formats: pseudonymous, prepare: joinRule("restricted"),
		event: authorised("bob", "dave"), rule: "4.2.1", library: "it leaves signatures to others"},
	{name: "auth/restricted-signed-by-authoriser: another member did", formats: pseudonymous, prepare: joinRule("restricted"),
		event: authorised("bob", "dave", "alice"), rule: "4.2.1", library: "it leaves signatures to others"},
	{name: "auth/restricted-signed-by-authoriser: also where nobody need authorise", formats: pseudonymous,
		event: authorised("bob", "dave"), rule: "4.2.1", library: "it leaves signatures to others"},
	{name: "auth/restricted-authoriser-is-key: a user ID", formats: pseudonymous, prepare: joinRule("restricted"), event: func(r *room) *pdu.Event {
		return r.event("dave", memberType, new(r.id("dave")), object{"membership": "join", authoriserField: "@bob:other.test"}, "bob")
	}, rule: "4.2.1"},
	{name: "auth/restricted-authoriser-is-key: a stranger's", prepare: joinRule("restricted"), event: authorised("erin", "dave", "erin"), rule: "4.3.5.2"},
	{name: "auth/restricted-authoriser-is-key: nobody's", prepare: joinRule("knock_restricted"), event: membership("dave", "dave", "join"), rule: "4.3.5.2"},
	{name: "auth/restricted-authoriser-is-key: of one without the power to invite", prepare: func(r *room) {
		joinRule("restricted")(r)
		having(powerLevelsBy("alice", func(*room) object { return object{"invite": 50} }))(r)
	}, event: authorised("carol", "dave", "carol"), rule: "4.3.5.2"},
	{name: "a restricted room, to the invited", prepare: func(r *room) { joinRule("restricted")(r); having(membership("carol", "dave", "invite"))(r) },
		event: membership("dave", "dave", "join")},

	// Power levels (rule 9).
	{name: "a moderator gives what he has", event: powerLevelsBy("bob", func(r *room) object {
		return object{"users": object{r.id("alice"): 100, r.id("bob"): 50, r.id("carol"): 50}}
	})},
	{name: "not more", event: powerLevelsBy("bob", func(r *room) object {
		return object{"users": object{r.id("alice"): 100, r.id("bob"): 50, r.id("carol"): 51}}
	}), rule: "9.9.1"},
	{name: "and does not take from those above", event: powerLevelsBy("bob", func(r *room) object {
		return object{"users": object{r.id("alice"): 10, r.id("bob"): 50}}
	}), rule: "9.8.1"},
	{name: "but from himself", event: powerLevelsBy("bob", func(r *room) object {
		return object{"users": object{r.id("alice"): 100, r.id("bob"): 10}}
	})},
	{name: "named levels", event: powerLevelsBy("bob", func(*room) object { return object{"ban": 51} }), rule: "9.5"},
	{name: "also those that were above", prepare: having(powerLevelsBy("alice", func(*room) object { return object{"ban": 90} })),
		event: powerLevelsBy("bob", func(*room) object { return object{"ban": 40} }), rule: "9.5"},
	{name: "a level by event type that was above", prepare: having(powerLevelsBy("alice", func(*room) object { return object{"events": object{"x": 90}} })),
		event: powerLevelsBy("bob", func(*room) object { return nil }), rule: "9.6.1"},
	{name: "a level by event type", event: powerLevelsBy("bob", func(*room) object { return object{"events": object{"x": 51}} }), rule: "9.7.1"},
	{name: "power levels are integers", event: powerLevelsBy("alice", func(*room) object { return object{"ban": "50"} }), rule: "9.1"},
	{name: "by event type too", event: powerLevelsBy("alice", func(*room) object { return object{"events": object{"x": true}} }), rule: "9.2"},
	{name: "a notification level that one has oneself", prepare: having(powerLevelsBy("alice", func(*room) object {
		return object{"notifications": object{"room": 50}}
	})), event: powerLevelsBy("bob", func(*room) object { return object{"notifications": object{"room": 20}} }),
		library: "it refuses equal levels, the rule greater ones"},
	{name: "names are exact", event: func(r *room) *pdu.Event {
		return r.event("carol", memberType, new(r.id("carol")), object{"Membership": "join"})
	}, rule: "4.1", library: "it takes names of fields in either case"},

	// auth/rules-by-sigil
	{name: "auth/rules-by-sigil: own state", prepare: anyoneSendsState, event: stateKeyed("carol", "carol")},
	{name: "auth/rules-by-sigil: state of another member", formats: pseudonymous, prepare: anyoneSendsState, event: stateKeyed("alice", "carol"), rule: "8",
		library: "it looks for '@'"},
	{name: "auth/rules-by-sigil: state of another user", formats: []string{"v10", "v11"}, prepare: anyoneSendsState, event: stateKeyed("alice", "carol"), rule: "8"},
	{name: "auth/rules-by-sigil: read by sigil", formats: pseudonymous, reading: bySigil("by-sigil"), prepare: anyoneSendsState, event: stateKeyed("alice", "carol")},
	{name: "auth/rules-by-sigil: a user ID as state key", prepare: anyoneSendsState, event: stateKeyedBy("alice", "@erin:other.test"), rule: "8"},
	{name: "auth/rules-by-sigil: not applied", formats: pseudonymous, reading: bySigil("not-applied"), prepare: anyoneSendsState,
		event: stateKeyedBy("alice", "@erin:other.test"), library: "it looks for '@'"},
	{name: "auth/rules-by-sigil: power for a user ID", formats: pseudonymous, event: powerLevelsBy("alice", powerForUserID), rule: "9.3",
		library: "it asks who that user is"},
	{name: "auth/rules-by-sigil: power for a user ID, read by sigil", formats: pseudonymous, reading: bySigil("by-sigil"), event: powerLevelsBy("alice", powerForUserID)},
	{name: "auth/rules-by-sigil: power for no user ID", formats: []string{"v10", "v11"}, event: powerLevelsBy("alice", func(*room) object {
		return object{"users": object{"erin": 5}}
	}), rule: "9.3"},
}

func anyoneSendsState(r *room) {
	having(powerLevelsBy("alice", func(*room) object { return object{"state_default": 0} }))(r)
}

func stateKeyed(sender, owner string) func(*room) *pdu.Event {
	return func(r *room) *pdu.Event { return stateKeyedBy(sender, r.id(owner))(r) }
}

func stateKeyedBy(sender, key string) func(*room) *pdu.Event {
	return func(r *room) *pdu.Event { return r.event(sender, "org.example.own", new(key), object{}) }
}

func powerForUserID(r *room) object {
	return object{"users": object{r.id("alice"): 100, r.id("bob"): 50, "@erin:other.test": 5}}
}

func TestAllowed(t *testing.T) {
	for _, c := range authCases {
		t.Run(c.name, func(t *testing.T) {
			inFormats(t, c.formats, func(t *testing.T, f pdu.Format) {
				r := populated(t, f)
				if c.prepare != nil {
					c.prepare(r)
				}
				event := c.event(r)
				assertRule(t, c.rule, c.reading.Allowed(event, r.state))
				assertLibrary(t, c, event, r.state)
				if c.rule == "" || c.rule[0] != '1' {
					var authEvents []*pdu.Event
					for _, id := range event.AuthEvents() {
						authEvents = append(authEvents, r.events[id])
					}
					assertRule(t, c.rule, c.reading.CheckAuthEvents(event, authEvents, nil), "by its auth events")
				}
			})
		})
	}
}

func assertRule(t *testing.T, rule string, err error, about ...any) {
	t.Helper()
	if rule == "" {
		assert.NoError(t, err, about...)
		return
	}
	var rejection *Rejection
	if assert.True(t, errors.As(err, &rejection), "want rule %s, got %v", rule, err) {
		assert.Equal(t, rule, rejection.Rule, "%v %v", rejection, about)
	}
}

func TestEventsOfOthersSpellings(t *testing.T) {
	spellings := map[string]func(key string) string{
		"auth/mxid-sender-rejected: a user ID": func(string) string { return "@carol:other.test" },
		"auth/ban-by-key: padded":              func(key string) string { return key + "=" },
		"auth/ban-by-key: URL-safe": func(key string) string {
			return strings.NewReplacer("+", "-", "/", "_").Replace(key)
		},
		"of small order": func(string) string {
			return base64.RawStdEncoding.EncodeToString(append([]byte{1}, make([]byte, 31)...))
		},
		"none": func(string) string { return "" },
	}
	for name, spell := range spellings {
		t.Run(name, func(t *testing.T) {
			inFormats(t, pseudonymous, func(t *testing.T, f pdu.Format) {
				r := populated(t, f)
				draft := r.draft("nina", "m.room.message", nil, object{})
				_, err := received(t, r.sign(draft, "nina"), f)
				require.NoError(t, err, "control")
				require.Contains(t, r.id("nina"), "/", "the test needs a key that the URL-safe alphabet spells otherwise")
				draft[f.SenderField()] = spell(r.id("nina"))
				_, err = received(t, r.sign(draft, "nina"), f)
				assert.Error(t, err)
			})
		})
	}
}
