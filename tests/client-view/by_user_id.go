package clientview

// What clients look up by user ID: the member event of a user, and the joined members.

import (
	"fmt"
	"maps"
	"slices"

	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
)

// kinds are all kinds of members.
var kinds = []string{
	theCreator, localMember, localLeft, localKicked, localBanned, localRedacted, localInvited, localByRemote, localKnocking,
	remoteMember, remoteLeft, remoteKicked, remoteBanned, remoteRedacted, remoteInvited, remoteKnocking, unverified,
}

// lookup is what clients are given when they read state by its key.
type lookup struct {
	content gjson.Result
	err     error
}

// Clients read the member event of a user by the user ID (MSC4014, hard requirement 1; client-server API, GET /state).
func init() {
	for _, kind := range kinds {
		check.Register(check.Check{
			Name:     "the member event of " + kind + " is read by user ID",
			Requires: []string{"client-view/state-by-user-id"},
			Path:     "/state/{type}/{key}",
			Slow:     collecting,
			Body: func(c *check.C) {
				v := view(c)
				for _, part := range []string{kind, kind + " in the end"} {
					if absent, isAbsent := v.without[part]; isAbsent {
						absent.blocks(c)
					}
				}
				for _, m := range v.members {
					if m.kind == kind {
						judgeLookup(c, v, m)
					}
				}
			},
		})
	}
}

func judgeLookup(c *check.C, v viewed, of member) {
	found := v.lookups[of.kind]
	if found.err != nil {
		needOrdinaryMember(c, of.kind, found.err)
		c.Failf("the member event of %s, %s: %v", of.kind, of.userID, found.err)
	}
	current := v.memberEvent(of)
	if membership := found.content.Get("membership").String(); membership != current.Membership() {
		c.Errorf("the member event of %s, %s, has the membership %q, wanted %q", of.kind, of.userID, membership, current.Membership())
	}
	if name := found.content.Get("displayname").String(); name != current.Get("content.displayname").String() && !v.redacted[current.ID()] {
		c.Errorf("the member event of %s, %s, has the display name %q, wanted %q", of.kind, of.userID, name, current.Get("content.displayname"))
	}
}

// needOrdinaryMember ends the check as unsupported if the member event of such a user, or else of one who is in the room, is not read in
// an ordinary room either.
func needOrdinaryMember(c *check.C, kind string, refusal error) {
	var added []string
	if slices.Contains(leavers, kind) || slices.Contains([]string{localInvited, localByRemote, localKnocking}, kind) {
		added = []string{kind}
	}
	needOrdinary(c, "the member event of "+kind, refusal, added, func(p *preparing) error {
		of := p.carol.ID()
		if user := p.users[kind]; user != nil {
			of = user.UserID
		}
		return p.reads(memberType, of).err
	})
}

// needOrdinaryState is needOrdinaryMember for state with an empty state key.
func needOrdinaryState(c *check.C, eventType string, refusal error) {
	if refusal != nil {
		needOrdinary(c, "/state/"+eventType, refusal, nil, func(p *preparing) error { return p.reads(eventType, "").err })
		c.Must(refusal)
	}
}

// looksUp reads the member events of everybody by user ID, power levels and the create event.
func (p *preparing) looksUp() {
	p.lookups = map[string]lookup{}
	for _, m := range p.members {
		p.lookups[m.kind] = p.reads(memberType, p.shownID(m))
	}
	p.lookups[powerType] = p.reads(powerType, "")
	p.lookups[createType] = p.reads(createType, "")
	joined, err := p.alice.Client.JoinedMembers(p.C.Context(), p.roomID)
	if csapi.NoAnswer(err) {
		p.C.Need("resilience/stays-up", err)
	}
	p.lookups[joinedMembers] = lookup{err: err}
	if err == nil {
		p.lookups[joinedMembers] = lookup{content: joined.JSON()}
	}
}

func (p *preparing) reads(eventType, stateKey string) lookup {
	state, err := p.alice.StateEvent(p.C.Context(), p.roomID, eventType, stateKey)
	if csapi.NoAnswer(err) {
		p.C.Need("resilience/stays-up", err)
	}
	if err != nil {
		return lookup{err: err}
	}
	return lookup{content: state.JSON()}
}

const (
	createType    = "m.room.create"
	joinedMembers = "/joined_members"
)

// The answer's keys are user IDs, and it has the members' profiles (MSC4014, hard requirement 1; client-server API, GET
// /joined_members).
var _ = check.Register(check.Check{
	Name:     "/joined_members is keyed by user ID",
	Requires: []string{"client-view/joined-members"},
	Path:     joinedMembers,
	Slow:     collecting,
	Body: func(c *check.C) {
		v := view(c)
		found := v.lookups[joinedMembers]
		if found.err != nil {
			needOrdinary(c, joinedMembers, found.err, nil, func(p *preparing) error {
				_, err := p.alice.Client.JoinedMembers(p.C.Context(), p.roomID)
				return err
			})
			c.Must(found.err)
		}
		shown := found.content.Get("joined").Map()
		for _, m := range v.members {
			current := v.memberEvent(m)
			if current.Membership() != "join" {
				continue
			}
			userID := m.shownIn(slices.Collect(maps.Keys(shown)))
			if userID == "" {
				c.Errorf("/joined_members does not have %s, %s", m.kind, m.userID)
				continue
			}
			for field, of := range map[string]string{"display_name": "displayname", "avatar_url": "avatar_url"} {
				wanted := current.Get("content." + of).String()
				if value := shown[userID].Get(field).String(); value != wanted && !v.redacted[current.ID()] {
					c.Errorf("/joined_members has the %s %q of %s, wanted %q", field, value, m.kind, wanted)
				}
			}
			delete(shown, userID)
		}
		for _, userID := range slices.Sorted(maps.Keys(shown)) {
			c.Errorf("/joined_members has %q, which is not a joined member%s", userID, v.whose(userID))
		}
	},
})

// whose tells whose key, or user ID, a text is.
func (v viewed) whose(text string) string {
	for _, m := range v.members {
		if m.key == text {
			return fmt.Sprintf(", but the key of %s", m.kind)
		}
		if m.isShownAs(text) {
			return fmt.Sprintf(", but %s", m.kind)
		}
	}
	return ""
}

// shownIn returns the user ID among others by which a member is shown, "" if there is none.
func (m member) shownIn(userIDs []string) string {
	for _, userID := range userIDs {
		if m.isShownAs(userID) {
			return userID
		}
	}
	return ""
}

// Power levels and the create event are the same when they are read by their key (MSC4014, hard requirement 1).
var _ = check.Register(check.Check{
	Name:     "/state/{type}/{key} shows power levels by user ID",
	Requires: []string{"client-view/power-levels-read"},
	Path:     "/state/{type}/{key}",
	Slow:     collecting,
	Body: func(c *check.C) {
		v := view(c)
		needOrdinaryState(c, powerType, v.lookups[powerType].err)
		c.Must(v.judgePower(v.lookups[powerType].content.Get("users"), v.stateEvent(powerType)))
	},
})

var _ = check.Register(check.Check{
	Name:     "/state/{type}/{key} shows the creator by user ID",
	Requires: []string{"client-view/create-creator"},
	Path:     "/state/{type}/{key}",
	Slow:     collecting,
	Body: func(c *check.C) {
		for _, v := range []viewed{view(c), viewRemote(c)} {
			needOrdinaryState(c, createType, v.lookups[createType].err)
			create := v.stateEvent(createType)
			field := v.lookups[createType].content.Get("creator")
			if field.Exists() || create.Get("content.creator").Exists() {
				c.Must(v.isBy(create.Sender(), field, "creator"))
			}
		}
	},
})
