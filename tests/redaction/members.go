package redaction

// Member events that are redacted: by whom, of whom, and how often. Whoever does it, a display name goes and a member
// stays (MSC4014, Addressing the problems 3).

import (
	"fmt"

	"github.com/stretchr/testify/assert"
	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/match"
	"msc4014/helpers/stage"
)

const maliciousName = "a malicious name"

// redacting is a room of alice's with a moderator who is about to redact the member event of another.
type redacting struct {
	stage       *stage.Stage
	requirement string // what is judged
	alice       *stage.User
	roomID      string
	moderator   member
	target      member
	home        *stage.Room // as the target's server knows it; nil where that is the server under test
	joins       []string    // the target's member events, oldest first
	earlier     string      // a message of the target, from before
}

// aboutToRedact prepares a room in which the moderator is alice or somebody of a peer, and the target, who has a display name
// and power to set the topic, is of the server under test or the only member of a peer.
func aboutToRedact(c *check.C, requirement string, byRemote, ofRemote bool) *redacting {
	s := stage.Open(c, blueprints.OneServer)
	scene := &redacting{stage: s, requirement: requirement, alice: s.User("alice")}
	scene.roomID = scene.alice.Makes(stage.Public)
	scene.moderator = scene.member(scene.alice)
	if ofRemote {
		peer := s.Peer()
		carol := peer.User("carol")
		carol.SetProfile(maliciousName, "mxc://example.org/malicious")
		scene.home = peer.Joins(scene.roomID, carol)
		scene.target = remote{carol, scene.home}
	} else {
		bob := s.User("bob")
		bob.SetsDisplayName(maliciousName)
		bob.SetsAvatar("mxc://example.org/malicious")
		bob.Joins(scene.roomID)
		scene.target = scene.member(bob)
	}
	power := map[string]int{scene.target.ID(): 50}
	var moderators *stage.Room
	if byRemote {
		peer := s.Peer()
		moderators = peer.Joins(scene.roomID, peer.User("dan"))
		scene.moderator = remote{peer.User("dan"), moderators}
		power[scene.moderator.ID()] = 50
	}
	scene.awaitsJoin()
	given := scene.alice.Blaming("client-view/power-levels-write").GivesPower(scene.roomID, power)
	for _, room := range []*stage.Room{scene.home, moderators} {
		if room != nil {
			room.Blaming("routing/reaches-members").AwaitsEvent(given)
		}
	}
	// What must go on afterwards goes on before: both have their power, and the target speaks.
	if moderators != nil {
		scene.alice.Blaming("client-view/power-levels-write").AwaitsEvent(scene.roomID, scene.moderator.names("set by the moderator"))
	}
	before := scene.target
	if bob, isLocal := before.(local); isLocal {
		bob.requirement = "client-view/power-levels-write"
		before = bob
	}
	scene.alice.Blaming("client-view/power-levels-write").AwaitsEvent(scene.roomID, before.names("set before the redaction"))
	scene.earlier = before.says("said before the redaction")
	scene.alice.Blaming("membership/remote-joins-us").AwaitsEvent(scene.roomID, scene.earlier)
	if moderators != nil && scene.home == nil {
		moderators.Blaming("routing/reaches-members").AwaitsEvent(scene.earlier)
	}
	return scene
}

// member is a user of the server under test as a member of the room.
func (r *redacting) member(user *stage.User) local {
	return local{user, r.stage.C, r.requirement, r.roomID}
}

// awaitsJoin waits until alice's client is shown one more member event of the target, and takes it down.
func (r *redacting) awaitsJoin() {
	shown := r.alice.Blaming("membership/profile-propagates").Awaits(r.roomID, func(event gjson.Result) error {
		for _, known := range r.joins {
			if event.Get("event_id").String() == known {
				return fmt.Errorf("%s is known", known)
			}
		}
		return match.All(match.Membership(r.target.ID(), "join"), match.KeyPresent("content.displayname"))(event)
	})
	r.joins = append(r.joins, shown.Get("event_id").String())
}

// settles waits until what the moderator did has taken effect: what it says afterwards is shown.
func (r *redacting) settles() {
	r.alice.Blaming("client-view/unmodified-client").AwaitsEvent(r.roomID, r.moderator.says("said after the redaction"))
}

// losesProfile sees to it that clients are shown no display name and no avatar of the target any more.
func (r *redacting) losesProfile() {
	c := r.stage.C
	for _, join := range r.joins {
		assertNoProfile(c, r.alice.Reads(r.roomID, join).Get("content"), "GET /event of a redacted member event")
	}
	assertNoProfileInState(c, r.alice, r.requirement, r.roomID, r.target.ID())
}

// assertNoProfileInState looks at the current member event of who was redacted, as a client is shown it.
func assertNoProfileInState(c *check.C, user *stage.User, requirement, roomID, target string) {
	state, err := user.StateEvent(c.Context(), roomID, "m.room.member", target)
	c.Need(requirement, err)
	assertNoProfile(c, state.JSON(), "GET /state/m.room.member of a member whose event was redacted")
}

// keepsUserID sees to it that the target shows by its user ID, in an old event and in a new one, in every view.
func (r *redacting) keepsUserID() {
	c := r.stage.C
	later := r.target.says("said by a member whose event was redacted")
	shown := r.alice.Blaming(r.requirement).AwaitsEvent(r.roomID, later)
	assert.Equal(c, r.target.ID(), shown.Get("sender").String(), "the sender of a message sent after the redaction")
	earlier := r.alice.Reads(r.roomID, r.earlier)
	assert.Equal(c, r.target.ID(), earlier.Get("sender").String(), "the sender of a message sent before the redaction")
	for _, view := range r.alice.Views(r.roomID) {
		if view.Shows(r.target.ID()) == "" {
			c.Errorf("%s does not show %s any more", view.Name, r.target.ID())
		}
	}
}

// keepsMembership sees to it that the target is joined, can send, and has its power.
func (r *redacting) keepsMembership() {
	c := r.stage.C
	joined, err := r.alice.JoinedMembers(c.Context(), r.roomID)
	c.Need(r.requirement, err)
	if !joined.Get("joined." + gjson.Escape(r.target.ID())).Exists() {
		c.Errorf("/joined_members does not have %s any more", r.target.ID())
	}
	r.alice.Blaming(r.requirement).AwaitsEvent(r.roomID, r.target.says("said by a member whose event was redacted"))
	const topic = "set by a member whose event was redacted"
	r.alice.Blaming(r.requirement).AwaitsEvent(r.roomID, r.target.names(topic))
	state, err := r.alice.StateEvent(c.Context(), r.roomID, "m.room.topic", "")
	c.Need(r.requirement, err)
	assert.Equal(c, topic, state.Get("topic").String(), "the topic, which takes power to set")
}

// keepsRouting sees to it that the server of a remote target still receives what is said.
func (r *redacting) keepsRouting() {
	if r.home != nil {
		r.home.Blaming(r.requirement).AwaitsEvent(r.alice.Says(r.roomID, "said to the server of a member whose event was redacted"))
	}
}

// The member is still joined, can send, and keeps its power.
var _ = check.Register(check.Check{
	Name:     "a member whose event was redacted stays a member",
	Requires: []string{"redaction/membership-stays"},
	Body: func(c *check.C) {
		scene := aboutToRedact(c, "redaction/membership-stays", false, false)
		scene.moderator.redacts(scene.joins[0])
		scene.settles()
		scene.keepsMembership()
	},
})

// All of it holds when a remote member redacts, and when the redacted member is remote, and the only one of its server.
func init() {
	for _, each := range []struct {
		name               string
		byRemote, ofRemote bool
	}{
		{"a local user redacts the member event of a remote one", false, true},
		{"a remote user redacts the member event of a local one", true, false},
		{"a remote user redacts the member event of another remote one", true, true},
	} {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"redaction/by-remote"},
			Body: func(c *check.C) {
				scene := aboutToRedact(c, "redaction/by-remote", each.byRemote, each.ofRemote)
				scene.moderator.redacts(scene.joins[0])
				scene.settles()
				scene.losesProfile()
				scene.keepsUserID()
				scene.keepsMembership()
				scene.keepsRouting()
			},
		})
	}
}

// The same between two servers under test, as the clients of both are shown it: each redacts the other's member.
var _ = check.Register(check.Check{
	Name:       "members of two servers redact each other's member events",
	Requires:   []string{"redaction/by-remote"},
	TwoServers: true,
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.TwoServers)
		alice, bob := s.UserAt(1, "alice"), s.UserAt(2, "bob")
		alice.SetsDisplayName(maliciousName)
		bob.SetsDisplayName(maliciousName)
		roomID := alice.Makes(stage.Public)
		bob.Joins(roomID, s.ServerName(1))
		alice.Blaming("membership/remote-joins-us").AwaitsMembership(roomID, bob.UserID, "join")
		power := alice.Blaming("client-view/power-levels-write").GivesPower(roomID, map[string]int{bob.UserID: 50})
		bob.Blaming("routing/reaches-members").AwaitsEvent(roomID, power)
		bob.Blaming("membership/join-remote").AwaitsMembership(roomID, alice.UserID, "join")
		for _, each := range []struct{ moderator, target *stage.User }{{alice, bob}, {bob, alice}} {
			named := match.All(match.Membership(each.target.UserID, "join"), match.KeyEqual("content.displayname", maliciousName))
			join := each.moderator.Blaming("membership/profile-propagates").Awaits(roomID, named).Get("event_id").String()
			redaction := each.moderator.Redacts(roomID, join)
			for _, user := range []*stage.User{alice, bob} {
				user.AwaitsEvent(roomID, redaction)
				assertNoProfileInState(c, user, "redaction/by-remote", roomID, each.target.UserID)
				user.SeesMembers(roomID, alice.UserID, bob.UserID)
			}
		}
		alice.Hears(roomID, bob)
		bob.Hears(roomID, alice)
	},
})

// wayToRedact is a way of calling /redact on the member events of somebody.
type wayToRedact struct {
	name     string
	ofRemote bool
	redact   func(scene *redacting)
}

// waysToRedact: the severe redaction that takes a mapping away should not be triggered by /redact, in whatever way
// that is called.
var waysToRedact = []wayToRedact{
	{"a user redacts its own member event", false, func(scene *redacting) { scene.target.redacts(scene.joins[0]) }},
	{"a moderator redacts every member event of a local user", false, func(scene *redacting) {
		for _, name := range []string{"another name", "a third name"} {
			scene.target.(local).SetsDisplayName(name)
			scene.awaitsJoin()
		}
		scene.redactsAll()
	}},
	{"a moderator redacts every member event of a remote user", true, func(scene *redacting) {
		for _, name := range []string{"another name", "a third name"} {
			carol := scene.target.(remote)
			carol.SetProfile(name, "")
			carol.room.JoinsByEvent(carol.User)
			scene.awaitsJoin()
		}
		scene.redactsAll()
	}},
	{"a moderator redacts a member event, the redaction, and the event again", true, func(scene *redacting) {
		alice := scene.moderator.(local)
		redaction := alice.Blaming(scene.requirement).Redacts(scene.roomID, scene.joins[0])
		alice.redacts(redaction)
		alice.redacts(scene.joins[0])
	}},
}

// redactsAll redacts the target's member events one after the other, the newest last.
func (r *redacting) redactsAll() {
	for _, join := range r.joins {
		r.moderator.redacts(join)
	}
}

func init() {
	for _, each := range waysToRedact {
		check.Register(check.Check{
			Name:     each.name,
			Requires: []string{"redaction/client-redact-never-purges"},
			Body: func(c *check.C) {
				scene := aboutToRedact(c, "redaction/client-redact-never-purges", false, each.ofRemote)
				each.redact(scene)
				scene.settles()
				scene.keepsUserID()
				scene.keepsRouting()
			},
		})
	}
}
