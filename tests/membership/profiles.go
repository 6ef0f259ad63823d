package membership

// Display names and avatars: how a new one reaches the members of a room, and their servers.

import (
	"context"
	"errors"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

// profileField is a part of a profile.
type profileField struct {
	what, name, shown, value string // shown is its name in /joined_members
	sets                     func(u *stage.User, ctx context.Context, value string) error
	with                     func(value string) (displayName, avatarURL string)
}

var profileFields = []profileField{
	{
		"display name", "displayname", "display_name", "Robert",
		func(u *stage.User, ctx context.Context, value string) error { return u.SetDisplayName(ctx, value) },
		func(value string) (string, string) { return value, "" },
	},
	{
		"avatar", "avatar_url", "avatar_url", "mxc://example.org/robert",
		func(u *stage.User, ctx context.Context, value string) error { return u.SetAvatar(ctx, value) },
		func(value string) (string, string) { return "", value },
	},
}

func init() {
	for _, each := range profileFields {
		// A new profile is told to the rooms of its user by a member event (client-server API, Profiles; hard requirement 1).
		check.Register(check.Check{
			Name:     "a new " + each.what + " reaches local members",
			Requires: []string{"membership/profile-propagates"},
			Path:     "client",
			Body: func(c *check.C) {
				m := openMeeting(c)
				bob, _ := m.joined("bob", false)
				each.isSet(m, bob.local)
				each.reaches(m, m.alice, bob.id)
				each.reaches(m, bob.local, bob.id)
			},
		})
		// It is an event of the same key (MSC4014, Proposal 3.2).
		check.Register(check.Check{
			Name:     "a new " + each.what + " reaches peers",
			Requires: []string{"membership/profile-propagates"},
			Path:     "client, to peers",
			Body: func(c *check.C) {
				m := openMeeting(c)
				bob, key := m.joined("bob", false)
				each.isSet(m, bob.local)
				changed := m.room.Awaits(func(event federation.Event) error {
					if event.IsState("m.room.member", key) && event.Get("content."+each.name).String() == each.value {
						return nil
					}
					return errors.New("another event")
				})
				assert.Equal(c, "join", changed.Membership(), "the membership in the event with the new %s", each.what)
				if mapped := changed.MappedUserID(); mapped != "" { // whether it has a mapping is mapping/in-profile-change
					assert.Equal(c, bob.id, mapped, "the user ID in the mapping of the event with the new %s", each.what)
				}
			},
		})
		// And that of a user of another server by one that its server sends.
		check.Register(check.Check{
			Name:     "a new " + each.what + " of a user of a peer reaches members",
			Requires: []string{"membership/profile-propagates"},
			Path:     "send",
			Body: func(c *check.C) {
				m := openMeeting(c)
				dan, _ := m.joined("dan", true)
				dan.remote.SetProfile(each.with(each.value))
				m.room.Delivers(m.room.BuildsMember(dan.remote, "join"))
				each.reaches(m, m.alice, dan.id)
				m.room.ExchangesMessages(m.alice, dan.remote)
			},
		})
	}
}

// isSet lets a user of the server set its profile. The check ends as unsupported if one who is in an ordinary room alone cannot either.
func (f profileField) isSet(m meeting, user *stage.User) {
	sets := func(user *stage.User) error { return f.sets(user, m.C.Context(), f.value) }
	if err := sets(user); err != nil {
		m.SetsProfiles(1, f.what, sets)
		m.C.Must(err)
	}
}

// reaches ensures that a client is shown the new profile of a user: by a member event, and in the list of members.
func (f profileField) reaches(m meeting, client *stage.User, userID string) {
	event := client.Awaits(m.room.ID(), match.All(match.Membership(userID, "join"), match.KeyEqual("content."+f.name, f.value)))
	assert.Equal(m.C, userID, event.Get("sender").String(), "the sender of the event with the new %s", f.what)
	joined, err := client.JoinedMembers(m.C.Context(), m.room.ID())
	m.C.Need("client-view/unmodified-client", err)
	shown := joined.Get("joined." + gjson.Escape(userID) + "." + f.shown).String()
	assert.Equal(m.C, f.value, shown, "the %s in /joined_members", f.what)
}

// A user brings its profile along when it joins, and the profile of a user of another server is in its join.
var _ = check.Register(check.Check{
	Name:     "a user that joins brings its profile along",
	Requires: []string{"membership/profile-propagates"},
	Path:     "join",
	Body: func(c *check.C) {
		m := openMeeting(c)
		bob, dan := m.party("bob", false), m.party("dan", true)
		for _, each := range profileFields {
			each.isSet(m, bob.local)
		}
		dan.remote.SetProfile("Daniel", "mxc://example.org/daniel")
		bob.local.Joins(m.room.ID())
		m.peer.Joins(m.room.ID(), dan.remote)
		join := m.room.AwaitsMember(bob.id, "join")
		for _, each := range profileFields {
			each.reaches(m, m.alice, bob.id)
			assert.Equal(c, each.value, join.Get("content."+each.name).String(), "the %s in the join that a peer is sent", each.what)
		}
		profileFields[0].valued("Daniel").reaches(m, m.alice, dan.id)
		profileFields[1].valued("mxc://example.org/daniel").reaches(m, m.alice, dan.id)
	},
})

// valued is the same part of a profile with another value.
func (f profileField) valued(value string) profileField {
	f.value = value
	return f
}
