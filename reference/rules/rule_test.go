package rules

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/identity"
	"msc4014/reference/pdu"
)

func TestCreate(t *testing.T) {
	create := func(t *testing.T, f pdu.Format, sender string, content object) (*room, *pdu.Event) {
		r := newRoom(t, f)
		return r, r.event(sender, createType, new(""), content)
	}
	inFormats(t, nil, func(t *testing.T, f pdu.Format) {
		_, good := create(t, f, "alice", object{"room_version": f.RoomVersion, "creator": "x"})
		assertRule(t, "", Rules{}.Allowed(good, nil))
		_, other := create(t, f, "alice", object{"room_version": "org.example.other", "creator": "x"})
		assertRule(t, "1.3", Rules{}.Allowed(other, nil))
		r, foreign := create(t, f, "bob", object{"creator": "x"})
		_, bare := create(t, f, "alice", object{})
		if !f.Pseudonymous {
			assertRule(t, "1.2", Rules{}.Allowed(foreign, nil))
			assertRule(t, map[string]string{"10": "1.4", "11": ""}[f.RoomVersion], Rules{}.Allowed(bare, nil))
			return
		}
		assertRule(t, "", Rules{}.Allowed(bare, nil), "event-format/create-names-no-mxid")
		byMapping := Rules{DomainOf: func(e *pdu.Event) (string, bool) { return "other.test", e.Sender() == r.id("bob") }}
		notApplied := Rules{Pseudonym: reading("auth/rules-by-domain", "not-applied"), DomainOf: byMapping.DomainOf}
		assertRule(t, "", notApplied.Allowed(foreign, nil))
		assertRule(t, "1.2", byMapping.Allowed(foreign, nil))
		assertRule(t, "", byMapping.Allowed(good, nil), "a domain that is not known")
	})
}

func TestRoomThatDoesNotFederate(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pdu.Format) {
		r := newRoom(t, f)
		r.add(r.event("alice", createType, new(""), object{"creator": r.id("alice"), "m.federate": false}))
		r.add(r.member("alice", "alice", "join"))
		r.joinRule("public")
		join := r.member("bob", "bob", "join")
		if !f.Pseudonymous {
			assertRule(t, "3", Rules{}.Allowed(join, r.state))
			return
		}
		byMapping := Rules{DomainOf: func(e *pdu.Event) (string, bool) { return e.Sender(), true }}
		notApplied := Rules{Pseudonym: reading("auth/rules-by-domain", "not-applied"), DomainOf: byMapping.DomainOf}
		assertRule(t, "", notApplied.Allowed(join, r.state))
		assertRule(t, "3", byMapping.Allowed(join, r.state))
		assertRule(t, "", byMapping.Allowed(r.member("alice", "alice", "join"), r.state))
	})
}

func TestNobodyJoinsTheCreatorsKeyForTheCreator(t *testing.T) {
	inFormats(t, pseudonymous, func(t *testing.T, f pdu.Format) {
		r := newRoom(t, f)
		r.add(r.event("alice", createType, new(""), object{}))
		assertRule(t, "4.3.2", Rules{}.Allowed(r.member("bob", "alice", "join"), r.state))
		assertRule(t, "4.3.4", Rules{}.Allowed(r.member("bob", "bob", "join"), r.state))
		assertRule(t, "", Rules{}.Allowed(r.member("alice", "alice", "join"), r.state), "control")
	})
}

func TestThirdPartyInvite(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pdu.Format) {
		r := populated(t, f)
		identityServer := keyOf("identity server")
		r.add(r.event("bob", thirdPartyInviteType, new("token"), object{"public_keys": []object{{"public_key": string(identityServer.Public)}}}))
		invite := func(sender, mxid string, key identity.KeyPair) *pdu.Event {
			signed, err := pdu.SignJSON([]byte(`{"mxid":"`+mxid+`","token":"token"}`), "identity.test", "ed25519:0", key.Private)
			require.NoError(t, err)
			return r.event(sender, memberType, new(r.id("dave")), object{"membership": "invite",
				"third_party_invite": object{"display_name": "d", "signed": rawJSON(signed)}})
		}
		if f.Pseudonymous { // membership/third-party-invite: cannot be redeemed
			assertRule(t, "4.4.1.4", Rules{}.Allowed(invite("bob", "@dave:other.test", identityServer), r.state))
			return
		}
		good := invite("bob", r.id("dave"), identityServer)
		assertRule(t, "", Rules{}.Allowed(good, r.state))
		assert.Contains(t, AuthKeys(memberType, r.id("bob"), new(r.id("dave")), []byte(good.Field("content").Raw)), pdu.StateKey{Type: thirdPartyInviteType, Key: "token"})
		assertRule(t, "4.4.1.8", Rules{}.Allowed(invite("bob", r.id("dave"), keyOf("another")), r.state))
		banned := r.fork()
		ban("dave")(banned)
		assertRule(t, "4.4.1.1", Rules{}.Allowed(good, banned.state))
		assertRule(t, "4.4.1.6", Rules{}.Allowed(invite("carol", r.id("dave"), identityServer), r.state))
	})
}

type rawJSON []byte

func (r rawJSON) MarshalJSON() ([]byte, error) { return r, nil }

func TestCheckAuthEvents(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pdu.Format) {
		r := populated(t, f)
		draft := r.draft("carol", "m.room.message", nil, object{})
		good := draft["auth_events"].([]string)
		all := func() (events []*pdu.Event) {
			for _, e := range r.events {
				events = append(events, e)
			}
			return events
		}
		check := func(authEvents ...string) error {
			draft["auth_events"] = authEvents
			return Rules{}.CheckAuthEvents(r.read(r.sign(draft, "carol")), all(), r.Rejected)
		}
		assertRule(t, "", check(good...), "control")
		assertRule(t, "2.1", check(append([]string{r.member("carol", "carol", "join").ID()}, good...)...))
		assertRule(t, "2.2", check(append([]string{r.state.Get(joinRulesType, "").ID()}, good...)...))
		assertRule(t, "2.2", check(append([]string{message("carol")(r).ID()}, good...)...))
		assertRule(t, "2.4", check(r.state.Member(r.id("carol")).ID()))
		assert.ErrorContains(t, check("$nowhere"), "is missing")
		r.rejected[r.state.Member(r.id("carol")).ID()] = true
		assertRule(t, "2.3", check(good...))
	})
}

func TestEventOfAnotherRoom(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pdu.Format) {
		r := populated(t, f)
		draft := r.draft("carol", "m.room.message", nil, object{})
		draft["room_id"] = "!another:origin.test"
		event := r.read(r.sign(draft, "carol"))
		assertRule(t, "2", Rules{}.Allowed(event, r.state))
		member := r.draft("carol", memberType, new(r.id("carol")), object{"membership": "join"})
		member["room_id"] = "!another:origin.test"
		draft = r.draft("carol", "m.room.message", nil, object{})
		foreign := r.read(r.sign(member, "carol"))
		create, levels := r.state.Create(), r.state.Get(powerLevelsType, "")
		draft["auth_events"] = []string{create.ID(), levels.ID(), foreign.ID()}
		assertRule(t, "2", Rules{}.CheckAuthEvents(r.read(r.sign(draft, "carol")), []*pdu.Event{create, levels, foreign}, nil))
	})
}

// authEventsFor returns the events of a state that authorise an event.
func authEventsFor(e *pdu.Event, state State) []*pdu.Event {
	var events []*pdu.Event
	for _, key := range authKeysOf(e) {
		if event := state[key]; event != nil {
			events = append(events, event)
		}
	}
	return events
}

func TestAuthKeys(t *testing.T) {
	inFormats(t, nil, func(t *testing.T, f pdu.Format) {
		r := populated(t, f)
		create, levels, rule := r.state.Create(), r.state.Get(powerLevelsType, ""), r.state.Get(joinRulesType, "")
		bob, carol := r.state.Member(r.id("bob")), r.state.Member(r.id("carol"))
		assert.Equal(t, []*pdu.Event{create, levels, carol}, authEventsFor(message("carol")(r), r.state))
		assert.Equal(t, []*pdu.Event{create, levels, bob, carol}, authEventsFor(r.member("bob", "carol", "ban"), r.state))
		assert.Equal(t, []*pdu.Event{create, levels, bob, rule}, authEventsFor(r.member("bob", "dave", "invite"), r.state))
		assert.Equal(t, []*pdu.Event{create, levels, rule, bob}, authEventsFor(authorised("bob", "dave", "bob")(r), r.state))
		assert.Empty(t, authEventsFor(create, r.state))
	})
}

func TestMayRedact(t *testing.T) {
	inFormats(t, []string{"v10", "v11"}, func(t *testing.T, f pdu.Format) {
		r := populated(t, f)
		ofCarol, ofAlice := r.add(message("carol")(r)), r.add(message("alice")(r))
		may := func(sender string, target *pdu.Event) bool {
			return Rules{}.MayRedact(r.event(sender, "m.room.redaction", nil, object{"redacts": target.ID()}), target, r.state)
		}
		assert.True(t, may("carol", ofCarol))
		assert.True(t, may("bob", ofAlice))
		assert.False(t, may("carol", ofAlice))
		r.add(r.member("dave", "dave", "join"))
		assert.True(t, may("dave", ofCarol), "of the same server")
	})
}
