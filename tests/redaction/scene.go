package redaction

// A room whose moderator is about to redact a member event, and what must be so afterwards.

import (
	"fmt"
	"slices"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/match"
	"msc4014/helpers/scenes"
	"msc4014/helpers/stage"
)

const (
	maliciousName   = "a malicious name"
	maliciousAvatar = "mxc://example.org/malicious"
	earlierText     = "said before the redaction" // by the target
)

// scene is a room of Alice with a moderator who is about to redact the member event of another.
type scene struct {
	*stage.Stage
	alice             *stage.User
	roomID            string
	moderator, target member
	moderators        *stage.Room // as the moderator's server knows it; nil where that is the server under test
	home              *stage.Room // as the target's server knows it; nil where that is the server under test
	joins             []string    // the target's member events, oldest first
	earlier           string      // a message of the target, from before
}

// openScene makes a room in which the moderator is Alice or a user of a peer, and the target, who has a display name and the
// power to set the topic, is a user of the server under test or the only member of a peer.
func openScene(c *check.C, byRemote, ofRemote bool) *scene {
	s := &scene{Stage: stage.Open(c, blueprints.OneServer)}
	s.alice = s.User("alice")
	s.roomID = s.alice.Makes(stage.Public)
	s.addsTarget(ofRemote)
	power := map[string]int{s.target.ID(): 50}
	s.moderator = s.local(s.alice)
	if byRemote {
		peer := s.Peer()
		dan := peer.User("dan")
		s.moderators = peer.Joins(s.roomID, dan)
		s.moderator = remote{dan, s.moderators}
		s.alice.Blaming("membership/remote-joins-us").AwaitsMembership(s.roomID, dan.ID(), "join")
		power[dan.ID()] = 50
	}
	s.awaitsJoin()
	given := s.alice.Blaming("client-view/power-levels-write").GivesPower(s.roomID, power)
	for _, room := range []*stage.Room{s.home, s.moderators} {
		if room != nil {
			room.Blaming("routing/reaches-members").AwaitsEvent(given)
		}
	}
	s.actsBefore()
	return s
}

// addsTarget lets the target join.
func (s *scene) addsTarget(ofRemote bool) {
	if ofRemote {
		peer := s.Peer()
		carol := peer.User("carol")
		carol.SetProfile(maliciousName, maliciousAvatar)
		s.home = peer.Joins(s.roomID, carol)
		s.target = remote{carol, s.home}
		return
	}
	bob := s.User("bob")
	bob.SetsDisplayName(maliciousName)
	bob.SetsAvatar(maliciousAvatar)
	bob.Joins(s.roomID)
	s.target = s.local(bob)
}

// actsBefore ensures that what must work after the redaction works before it: both have their power, and the target sends
// messages.
func (s *scene) actsBefore() {
	alice := s.alice.Blaming("client-view/power-levels-write")
	if s.moderators != nil {
		alice.AwaitsEvent(s.roomID, s.moderator.setsTopic("set by the moderator"))
	}
	target := s.target
	if bob, isLocal := target.(local); isLocal {
		bob.breaks = "client-view/power-levels-write"
		target = bob
	}
	alice.AwaitsEvent(s.roomID, target.setsTopic("set before the redaction"))
	s.earlier = target.says(earlierText)
	s.alice.Blaming("membership/remote-joins-us").AwaitsEvent(s.roomID, s.earlier)
	if s.moderators != nil && s.home == nil {
		s.moderators.Blaming("routing/reaches-members").AwaitsEvent(s.earlier)
	}
}

// local is a user of the server under test as a member of the room.
func (s *scene) local(user *stage.User) local { return local{User: user, c: s.C, roomID: s.roomID} }

// redacts lets the moderator redact a member event.
func (s *scene) redacts(join string) {
	moderator := s.moderator
	if user, isLocal := moderator.(local); isLocal {
		user.breaks = "redaction/displayname-goes"
		moderator = user
	}
	moderator.redacts(join)
}

// awaitsJoin waits until Alice's client is shown another member event of the target, and adds it to the known ones.
func (s *scene) awaitsJoin() {
	shown := s.alice.Blaming("membership/profile-propagates").Awaits(s.roomID, func(event gjson.Result) error {
		if id := event.Get("event_id").String(); slices.Contains(s.joins, id) {
			return fmt.Errorf("%s is known", id)
		}
		return match.All(match.Membership(s.target.ID(), "join"), match.KeyPresent("content.displayname"))(event)
	})
	s.joins = append(s.joins, shown.Get("event_id").String())
}

// renames gives the target another display name, by another member event.
func (s *scene) renames(name string) {
	switch target := s.target.(type) {
	case local:
		target.SetsDisplayName(name)
	case remote:
		target.SetProfile(name, "")
		target.room.JoinsByEvent(target.User)
	}
	s.awaitsJoin()
}

// renamesAndRedactsAll gives the target two other names, and redacts its member events one after the other, the newest last.
func (s *scene) renamesAndRedactsAll() {
	s.renames("another name")
	s.renames("a third name")
	for _, join := range s.joins {
		s.redacts(join)
	}
}

// settles waits until the redactions have taken effect: until a later message of the moderator is shown.
func (s *scene) settles() {
	s.alice.Blaming("client-view/unmodified-client").AwaitsEvent(s.roomID, s.moderator.says("said after the redaction"))
}

// losesProfile ensures that clients are shown no display name and no avatar of the target any more.
func (s *scene) losesProfile() {
	c := s.C
	for _, join := range s.joins {
		assertNoProfile(c, s.alice.Reads(s.roomID, join).Get("content"), "GET /event of a redacted member event")
	}
	assertNoProfileInState(s.C, s.alice, s.roomID, s.target.ID())
	areGone(c, s.alice, s.roomID, earlierText, []profileField{displayName, avatar}, s.joins...)
}

// assertNoProfileInState ensures that the current member event of a user has no profile, as a client is shown it.
func assertNoProfileInState(c *check.C, user *stage.User, roomID, target string) {
	state, err := user.StateEvent(c.Context(), roomID, "m.room.member", target)
	c.Must(err)
	assertNoProfile(c, state.JSON(), inState)
}

// keepsUserID ensures that the target shows by its user ID, in an old event and in a new one, in every view.
func (s *scene) keepsUserID() {
	c := s.C
	later := s.target.says("said by a member whose event was redacted")
	shown := s.alice.AwaitsEvent(s.roomID, later)
	assert.Equal(c, s.target.ID(), shown.Get("sender").String(), "the sender of a message sent after the redaction")
	earlier := s.alice.Reads(s.roomID, s.earlier)
	assert.Equal(c, s.target.ID(), earlier.Get("sender").String(), "the sender of a message sent before the redaction")
	showsMember(c, s.alice, s.roomID, s.target.ID(), s.joins...)
}

// showsMember ensures that every view of a room shows a user ID, and that as sender and state key of the user's redacted joins, of which
// the last one is the present state.
func showsMember(c *check.C, viewer *stage.User, roomID, userID string, joins ...string) {
	closer, lost := viewer.LooksCloser(roomID, joins...)
	for _, each := range lost {
		c.Errorf("%s", each)
	}
	for _, view := range append(viewer.Views(roomID), closer...) {
		if view.Shows(userID) == "" {
			c.Errorf("%s does not show %s any more", view.Name, userID)
		}
		shown := scenes.EventsOf(view, joins...)
		if len(shown) == 0 && (view.Name == "/members" || view.Name == "/state") {
			c.Errorf("%s does not show the redacted member event any more", view.Name)
		}
		for _, event := range shown {
			assert.Equal(c, userID, event.Get("sender").String(), "the sender of a redacted member event in %s", view.Name)
			assert.Equal(c, userID, event.Get("state_key").String(), "the state key of a redacted member event in %s", view.Name)
		}
	}
}

// keepsMembership ensures that the target is joined, can send messages, and has its power.
func (s *scene) keepsMembership() {
	c := s.C
	joined, err := s.alice.JoinedMembers(c.Context(), s.roomID)
	c.Must(err)
	if !joined.Get("joined." + gjson.Escape(s.target.ID())).Exists() {
		c.Errorf("/joined_members does not have %s any more", s.target.ID())
	}
	s.alice.AwaitsEvent(s.roomID, s.target.says("said by a member whose event was redacted"))
	const topic = "set by a member whose event was redacted"
	s.alice.AwaitsEvent(s.roomID, s.target.setsTopic(topic))
	state, err := s.alice.StateEvent(c.Context(), s.roomID, "m.room.topic", "")
	c.Must(err)
	assert.Equal(c, topic, state.Get("topic").String(), "the topic, which takes power to set")
}

// keepsRouting ensures that the server of a remote target still receives messages.
func (s *scene) keepsRouting() {
	if s.home != nil {
		s.home.AwaitsEvent(s.alice.Says(s.roomID, "said to the server of a member whose event was redacted"))
	}
}
