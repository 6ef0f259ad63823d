package clientview

// Aliases, the public room list, and the hierarchy and summaries of rooms.

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tidwall/gjson"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/csapi"
	"msc4014/helpers/federation"
	"msc4014/helpers/match"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
)

// The directory shows rooms by what is in their events, and counts members: the same as of any room (MSC4014, hard requirement 1).
var _ = check.Register(check.Check{
	Name:     "aliases, the public room list, the hierarchy and summaries show a room to users of its server",
	Requires: []string{"client-view/directory"},
	Path:     string(local),
	Slow:     inVain,
	Body: func(c *check.C) {
		works(c, local, nil, []feature{
			{"the summary in /sync", company.hasHeroes},
			{"aliases", company.hasAliases},
			{"the public room list", company.isPublished},
			{"rooms that are created public", company.isCreatedPublic},
			{"power over the public room list", company.isGuarded},
			{"the hierarchy", func(m company) error { return m.isInHierarchy(m.alice) }},
			{"the hierarchy of a space for users who are not in it", func(m company) error { return m.isInHierarchy(m.bob) }},
			{"GET /room_summary", company.isSummarised},
		})
	},
})

// Who shares a room with a user is in the user directory, by user ID (client-server API, User Directory).
var _ = check.Register(check.Check{
	Name:     "the user directory has a remote member by user ID",
	Requires: []string{"client-view/directory"},
	Path:     string(remote),
	Slow:     inVain,
	Body:     func(c *check.C) { works(c, remote, nil, []feature{{"the user directory", company.isInUserDirectory}}) },
})

// isInUserDirectory searches for the other: servers may add it a little after the join.
func (m company) isInUserDirectory() error {
	return m.alice.SeesInTime(func() error {
		// Not all servers find a user by the whole user ID.
		body := map[string]any{"search_term": strings.TrimPrefix(strings.Split(m.other(), ":")[0], "@"), "limit": 50}
		answer, err := m.alice.Do(m.C.Context(), http.MethodPost, csapi.V3("user_directory", "search"), nil, body)
		if err != nil {
			return err
		}
		return match.Contains("results", match.KeyEqual("user_id", m.other()))(answer.JSON())
	})
}

// hasAliases gives the room an alias by each member, of which one is made canonical and the other deleted by who has power.
func (m company) hasAliases() error {
	c := m.C
	ofAlice, ofBob := aliasOf(m.alice), aliasOf(m.bob)
	if err := errors.Join(m.alice.CreateAlias(c.Context(), ofAlice, m.roomID), m.bob.CreateAlias(c.Context(), ofBob, m.roomID)); err != nil {
		return err
	}
	_, err := m.alice.SendState(c.Context(), m.roomID, "m.room.canonical_alias", "", map[string]any{"alias": ofAlice})
	if err != nil {
		return err
	}
	resolved, err := m.bob.ResolveAlias(c.Context(), ofAlice)
	if err != nil {
		return err
	}
	listed, err := m.bob.Do(c.Context(), http.MethodGet, csapi.V3("rooms", m.roomID, "aliases"), nil, nil)
	if err != nil {
		return err
	}
	if err := errors.Join(
		differs("the room of an alias", resolved.Get("room_id"), m.roomID),
		differs("that its servers have this one", has(resolved.Get("servers"), m.ServerName(1)), true),
		differs("that the aliases of the room have both", has(listed.Get("aliases"), ofAlice) && has(listed.Get("aliases"), ofBob), true),
	); err != nil {
		return err
	}
	_, err = m.alice.Do(c.Context(), http.MethodDelete, csapi.V3("directory", "room", ofBob), nil, nil)
	return err
}

// aliasOf is an alias that no other user has.
func aliasOf(user *stage.User) string { return "#" + strings.TrimPrefix(user.UserID, "@") }

func has(list gjson.Result, text string) bool {
	return slices.ContainsFunc(list.Array(), func(each gjson.Result) bool { return each.String() == text })
}

// hasHeroes looks at the summary of the room, which has no name yet.
func (m company) hasHeroes() error {
	return m.alice.SeesInSync("", func(answer *csapi.Response) error {
		summary := answer.Get(match.Path("rooms", "join", m.roomID, "summary"))
		return match.All(
			match.KeyEqual("m\\.heroes", []string{m.other()}), match.KeyEqual("m\\.joined_member_count", 2),
		)(summary)
	})
}

const roomName = "A room with a name"

// publishes lets Alice name the room and publish it in the list of public rooms.
func (m company) publishes() error {
	_, err := m.alice.SendState(m.C.Context(), m.roomID, "m.room.name", "", map[string]any{"name": roomName})
	if err != nil {
		return err
	}
	path := csapi.V3("directory", "list", "room", m.roomID)
	_, err = m.alice.Do(m.C.Context(), http.MethodPut, path, nil, map[string]any{"visibility": "public"})
	return err
}

// described requires the description of the room in one of the directories.
func (m company) described() match.Matcher {
	return match.All(match.KeyEqual("room_id", m.roomID), match.KeyEqual("num_joined_members", 2), match.KeyEqual("name", roomName))
}

// eventually asks again until ask returns nil: servers may keep their directories up to date in the background.
func (m company) eventually(ask func() error) error {
	return m.alice.SeesInTime(ask)
}

// isPublished looks at the room that Alice published, and at one that nobody did.
func (m company) isPublished() error {
	private := m.makesAnother()
	if err := m.publishes(); err != nil {
		return err
	}
	return m.eventually(func() error {
		list, err := m.publicRooms()
		if err != nil {
			return err
		}
		if match.Contains("chunk", match.KeyEqual("room_id", private))(list) == nil {
			return errors.New("the public room list has a room that nobody published")
		}
		return match.Contains("chunk", m.described())(list)
	})
}

func (m company) isCreatedPublic() error {
	version := pseudoid.FormatV10.RoomVersion
	if !m.ordinary {
		version = m.Format().RoomVersion
	}
	public, err := m.alice.TryRoom(version, stage.Public, stage.Option{Name: "visibility", Value: "public"})
	if err != nil {
		return err
	}
	return m.eventually(func() error {
		list, err := m.publicRooms()
		if err != nil {
			return err
		}
		return match.Contains("chunk", match.KeyEqual("room_id", public))(list)
	})
}

// publicRooms returns the public room list, as Bob sees it.
func (m company) publicRooms() (gjson.Result, error) {
	answer, err := m.bob.Do(m.C.Context(), http.MethodGet, csapi.V3("publicRooms"), url.Values{"limit": {"1000"}}, nil)
	if err != nil {
		return gjson.Result{}, err
	}
	return answer.JSON(), nil
}

// makesAnother lets Alice make another room of the same kind that everybody may join, and returns its ID.
func (m company) makesAnother(options ...stage.Option) string {
	options = append([]stage.Option{stage.Public}, options...)
	if m.ordinary {
		return m.alice.MakesOrdinary(options...)
	}
	return m.alice.Makes(options...)
}

// isGuarded lets Bob change the visibility of the room without power, and with it.
func (m company) isGuarded() error {
	hides := func() error {
		path := csapi.V3("directory", "list", "room", m.roomID)
		_, err := m.bob.Do(m.C.Context(), http.MethodPut, path, nil, map[string]any{"visibility": "private"})
		return err
	}
	if hides() == nil {
		return errors.New("a member without power takes the room from the public room list")
	}
	m.bob.AwaitsEvent(m.roomID, m.alice.GivesPower(m.roomID, map[string]int{m.bob.UserID: 100}))
	return hides()
}

// makesSpace lets Alice make a space of the same kind with the room as its child, and returns its ID.
func (m company) makesSpace() (spaceID string, err error) {
	spaceID = m.makesAnother(stage.Option{Name: "creation_content", Value: map[string]any{"type": "m.space"}})
	child := map[string]any{"via": []string{m.ServerName(1)}}
	_, err = m.alice.SendState(m.C.Context(), spaceID, "m.space.child", m.roomID, child)
	return spaceID, err
}

// isInHierarchy lets a user look at a space of Alice's.
func (m company) isInHierarchy(user *stage.User) error {
	spaceID, err := m.makesSpace()
	if err != nil {
		return err
	}
	child := match.All(match.State("m.space.child", m.roomID), match.KeyEqual("sender", m.alice.UserID))
	return m.eventually(func() error {
		path := "/_matrix/client/v1" + csapi.Path("rooms", spaceID, "hierarchy")
		answer, err := user.Do(m.C.Context(), http.MethodGet, path, nil, nil)
		if err != nil {
			return err
		}
		return match.All(
			match.Contains("rooms", match.All(match.KeyEqual("room_id", spaceID), match.Contains("children_state", child))),
			match.Contains("rooms", match.All(match.KeyEqual("room_id", m.roomID), match.KeyEqual("num_joined_members", 2))),
		)(answer.JSON())
	})
}

func (m company) isSummarised() error {
	answer, err := m.alice.Do(m.C.Context(), http.MethodGet, "/_matrix/client/v1"+csapi.Path("room_summary", m.roomID), nil, nil)
	if err != nil {
		return err
	}
	return match.All(match.KeyEqual("num_joined_members", 2), match.KeyEqual("membership", "join"))(answer.JSON())
}

// Other servers are shown the same.
var _ = check.Register(check.Check{
	Name:     "aliases, the public room list and the hierarchy show a room to a peer",
	Requires: []string{"client-view/directory"},
	Path:     "to a peer",
	Slow:     inVain,
	Body: func(c *check.C) {
		works(c, remote, nil, []feature{
			{"aliases", company.showsAlias}, {"the public room list", company.showsList}, {"the hierarchy", company.showsHierarchy},
		})
	},
})

// asks lets the peer ask hs1, and returns an error unless the answer matches.
func (m company) asks(uri string, wanted match.Matcher) error {
	ctx, cancel := m.peer.Within()
	defer cancel()
	answer, err := m.peer.Do(ctx, m.ServerName(1), http.MethodGet, "/_matrix/federation/v1"+uri, nil)
	if err == nil && !answer.OK() {
		err = fmt.Errorf("GET %s returned %s", uri, answer)
	}
	if err != nil {
		return err
	}
	return wanted(gjson.ParseBytes(answer.Body))
}

func (m company) showsAlias() error {
	alias := aliasOf(m.alice)
	if err := m.alice.CreateAlias(m.C.Context(), alias, m.roomID); err != nil {
		return err
	}
	return m.asks("/query/directory?room_alias="+url.QueryEscape(alias), match.All(
		match.KeyEqual("room_id", m.roomID), match.Contains("servers", match.KeyEqual("@this", m.ServerName(1))),
	))
}

func (m company) showsList() error {
	if err := m.publishes(); err != nil {
		return err
	}
	return m.eventually(func() error { return m.asks("/publicRooms?limit=1000", match.Contains("chunk", m.described())) })
}

func (m company) showsHierarchy() error {
	spaceID, err := m.makesSpace()
	if err != nil {
		return err
	}
	return m.eventually(func() error {
		return m.asks("/hierarchy"+csapi.Path(spaceID), match.All(
			match.Contains("room.children_state", match.State("m.space.child", m.roomID)),
			match.Contains("children", match.All(match.KeyEqual("room_id", m.roomID), match.KeyEqual("num_joined_members", 2))),
		))
	})
}

// And users find and join what a peer shows.
var _ = check.Register(check.Check{
	Name:     "a user joins a room of a peer by its alias, and finds it in the peer's public room list",
	Requires: []string{"client-view/directory"},
	Path:     "from a peer",
	Body: func(c *check.C) {
		s := stage.Open(c, blueprints.OneServer)
		alice, peer := s.User("alice"), s.Peer()
		carol := peer.User("carol")
		room := peer.Makes(federation.RoomOptions{Creator: carol, Name: roomName, AliasName: "room"})
		if err := findsByAlias(c.Context(), alice, peer, room); err != nil {
			c.Timely(err)
			other := s.Peer()
			ordinary := other.MakesOrdinary(federation.RoomOptions{Creator: other.User("host"), Name: roomName, AliasName: "room"})
			if refusal := findsByAlias(c.Context(), alice, other, ordinary); refusal != nil {
				c.Timely(refusal)
				c.Unsupported("users cannot find and join ordinary rooms of a peer by alias either: %v", refusal)
			}
			c.Failf("%v", err)
		}
		room.Blaming("membership/join-remote").AwaitsMember(alice.UserID, "join")
		alice.AwaitsMembership(room.ID(), carol.ID(), "join")
	},
})

// findsByAlias lets a user join a room of a peer by its alias, after it asked what room that is, and find it in the peer's public room list.
func findsByAlias(ctx context.Context, user *stage.User, peer *stage.Peer, room *stage.Room) error {
	alias := "#room:" + peer.Name()
	resolved, err := user.ResolveAlias(ctx, alias)
	if err != nil {
		return err
	}
	joined, err := user.JoinRoom(ctx, alias)
	if err != nil {
		return err
	}
	shown := map[string]any{"room_id": room.ID(), "name": roomName, "num_joined_members": 2, "world_readable": false, "guest_can_join": false}
	peer.Handle(federation.PublicRooms, func(*federation.Request, func() federation.Answer) federation.Answer {
		return federation.JSON(http.StatusOK, map[string]any{"chunk": []any{shown}, "total_room_count_estimate": 1})
	})
	list, err := user.Do(ctx, http.MethodGet, csapi.V3("publicRooms"), url.Values{"server": {peer.Name()}}, nil)
	if err != nil {
		return err
	}
	return errors.Join(
		differs("the room of an alias of a peer", resolved.Get("room_id"), room.ID()),
		differs("the room joined by an alias of a peer", joined, room.ID()),
		match.Contains("chunk", match.KeyEqual("room_id", room.ID()))(list.JSON()),
	)
}
