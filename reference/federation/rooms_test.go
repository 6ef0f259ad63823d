package federation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/reference/rooms"
)

func TestTwoServersShareARoom(t *testing.T) {
	inRoom(t, func(t *testing.T, s *scene) {
		assert.Equal(t, []string{s.alice, s.bob}, sorted(s.b.rooms.Get(s.roomID).MemberUserIDs("join"), s.alice))
		s.b.sees(s.roomID, s.a.send(s.alice, s.roomID, "from <alice>"))
		s.a.sees(s.roomID, s.b.send(s.bob, s.roomID, "from bob"))

		require.NoError(t, s.b.rooms.Leave(t.Context(), s.bob, s.roomID, ""))
		s.a.eventually(func() bool { return s.a.rooms.Get(s.roomID).Membership(s.bob) == "leave" }, "bob has not left")
	})
}

// sorted puts one of two first.
func sorted(two []string, first string) []string {
	if len(two) == 2 && two[1] == first {
		return []string{two[1], two[0]}
	}
	return two
}

func TestInviteAndItsRefusal(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, kind.dialect, kind.version)
			roomID := s.a.room(s.alice, kind.version, "private_chat")
			require.Error(t, s.b.rooms.Join(t.Context(), s.bob, roomID, []string{s.a.name}, ""))
			require.NoError(t, s.a.rooms.Invite(t.Context(), s.alice, s.bob, roomID, "", false))
			require.NoError(t, s.b.rooms.Leave(t.Context(), s.bob, roomID, ""), "make_leave, send_leave")
			s.a.eventually(func() bool { return s.a.rooms.Get(roomID).Membership(s.bob) == "leave" }, "bob's refusal did not come")
			require.NoError(t, s.a.rooms.Invite(t.Context(), s.alice, s.bob, roomID, "", false))
			s.b.join(s.bob, roomID, s.a)
		})
	}
}

func TestKnock(t *testing.T) {
	for name, kind := range kinds {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, kind.dialect, kind.version)
			key := ""
			_, err := s.a.rooms.Send(t.Context(), s.roomID, s.alice, rooms.Write{
				Type: "m.room.join_rules", StateKey: &key, Content: json.RawMessage(`{"join_rule":"knock"}`),
			})
			require.NoError(t, err)
			require.NoError(t, s.b.rooms.Knock(t.Context(), s.bob, s.roomID, []string{s.a.name}, ""))
			assert.Equal(t, "knock", s.a.rooms.Get(s.roomID).Membership(s.bob))
			require.NoError(t, s.a.rooms.Invite(t.Context(), s.alice, s.bob, s.roomID, "", false))
			s.b.join(s.bob, s.roomID, s.a)
		})
	}
}

func TestEventsAndStateAreServed(t *testing.T) {
	inRoom(t, func(t *testing.T, s *scene) {
		ctx, c := t.Context(), s.b.client
		first := s.a.send(s.alice, s.roomID, "first")
		second := s.a.send(s.alice, s.roomID, "second")
		third := s.a.send(s.alice, s.roomID, "third")
		known := s.b.sees(s.roomID, third)

		event, err := c.Event(ctx, s.a.name, third)
		require.NoError(t, err)
		assert.JSONEq(t, string(known.JSON()), string(event))

		state, err := c.State(ctx, s.a.name, s.roomID, third)
		require.NoError(t, err)
		ids, err := c.StateIDs(ctx, s.a.name, s.roomID, third)
		require.NoError(t, err)
		assert.Len(t, state.PDUs, len(ids.PDUIDs))
		assert.Len(t, state.AuthChain, len(ids.AuthChainIDs))
		assert.NotEmpty(t, ids.PDUIDs)

		chain, err := c.EventAuth(ctx, s.a.name, s.roomID, third)
		require.NoError(t, err)
		assert.NotEmpty(t, chain)

		missing, err := c.MissingEvents(ctx, s.a.name, s.roomID, []string{first}, []string{third}, 10, 0)
		require.NoError(t, err)
		require.Len(t, missing, 1)
		assert.JSONEq(t, string(s.b.sees(s.roomID, second).JSON()), string(missing[0]))

		old, err := c.Backfill(ctx, s.a.name, s.roomID, []string{third}, 2)
		require.NoError(t, err)
		assert.Len(t, old, 2)

		path := fmt.Sprintf("timestamp_to_event/%s?ts=%d&dir=b", s.roomID, known.OriginServerTS())
		status, closest := s.b.ask(s.a, http.MethodGet, v1+path, nil)
		assert.Equal(t, http.StatusOK, status)
		assert.Equal(t, third, closest.Get("event_id").String())
	})
}

func TestStrangersAreShownNothing(t *testing.T) {
	inRoom(t, func(t *testing.T, s *scene) {
		stranger := newHome(t, s.a.rooms.Pseudonym.Dialect)
		message := s.a.send(s.alice, s.roomID, "secret")
		for _, path := range readingPaths(s.roomID, message) {
			status, body := stranger.ask(s.a, http.MethodGet, "/_matrix/federation/v1/"+path, nil)
			assert.Contains(t, []int{http.StatusForbidden, http.StatusNotFound}, status, "%s: %s", path, body)
		}
		status, _ := stranger.ask(s.a, http.MethodPost, "/_matrix/federation/v1/get_missing_events/"+s.roomID,
			map[string]any{"latest_events": []string{message}, "earliest_events": []string{}})
		assert.Equal(t, http.StatusForbidden, status)
	})
}

// readingPaths are the ways to read a room.
func readingPaths(roomID, eventID string) []string {
	return []string{
		"event/" + eventID, "state/" + roomID + "?event_id=" + eventID, "state_ids/" + roomID + "?event_id=" + eventID,
		"event_auth/" + roomID + "/" + eventID, "backfill/" + roomID + "?v=" + eventID,
		"timestamp_to_event/" + roomID + "?ts=0&dir=f",
	}
}

func TestDeniedServersTakeNoPart(t *testing.T) {
	inRoom(t, func(t *testing.T, s *scene) {
		key := ""
		_, err := s.a.rooms.Send(t.Context(), s.roomID, s.alice, rooms.Write{Type: "m.room.server_acl", StateKey: &key,
			Content: json.RawMessage(`{"allow":["*"],"deny":["127.0.0.1"],"allow_ip_literals":true}`)})
		require.NoError(t, err)
		before := s.a.send(s.alice, s.roomID, "not for b")
		forbidden := func(method, path string, body any) {
			t.Helper()
			status, answer := s.b.ask(s.a, method, "/_matrix/federation/"+path, body)
			assert.Equal(t, http.StatusForbidden, status, "%s %s: %s", method, path, answer)
			assert.Equal(t, "M_FORBIDDEN", answer.Get("errcode").String())
		}
		user := url.PathEscape(s.bob)
		for _, make := range []string{"make_join", "make_leave", "make_knock"} {
			forbidden(http.MethodGet, "v1/"+make+"/"+s.roomID+"/"+user+"?ver="+s.a.rooms.Get(s.roomID).Version(), nil)
		}
		for _, send := range []string{"v2/send_join", "v1/send_join", "v2/send_leave", "v1/send_leave", "v1/send_knock", "v2/invite"} {
			forbidden(http.MethodPut, send+"/"+s.roomID+"/$x", map[string]any{})
		}
		for _, get := range readingPaths(s.roomID, before) {
			forbidden(http.MethodGet, "v1/"+get, nil)
		}
		forbidden(http.MethodPost, "v1/get_missing_events/"+s.roomID, map[string]any{})

		// In a transaction, what is of the room is passed over.
		event := s.b.send(s.bob, s.roomID, "not for a")
		status, answer := s.b.ask(s.a, http.MethodPut, "/_matrix/federation/v1/send/denied", map[string]any{
			"pdus": []json.RawMessage{s.b.rooms.Get(s.roomID).Event(event).JSON()},
			"edus": []any{object{"edu_type": "m.typing", "content": object{"room_id": s.roomID, "user_id": s.bob, "typing": true}}},
		})
		assert.Equal(t, http.StatusOK, status, answer)
		assert.Nil(t, s.a.rooms.Get(s.roomID).Event(event))
		assert.Empty(t, typing(s.a, s.roomID))
	})
}

func TestRoomVersionsThatAreNotListedAreIncompatible(t *testing.T) {
	inRoom(t, func(t *testing.T, s *scene) {
		version := s.a.rooms.Get(s.roomID).Version()
		for _, query := range []string{"", "?ver=1&ver=9"} {
			path := v1 + "make_join/" + s.roomID + "/" + url.PathEscape(s.bob) + query
			status, answer := s.b.ask(s.a, http.MethodGet, path, nil)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Equal(t, "M_INCOMPATIBLE_ROOM_VERSION", answer.Get("errcode").String())
			assert.Equal(t, version, answer.Get("room_version").String())
		}
	})
}

func TestOlderVersionOfSendJoin(t *testing.T) {
	inRoom(t, func(t *testing.T, s *scene) {
		s.a.setHook(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path[:len("/_matrix/federation/v2/")] != "/_matrix/federation/v2/" {
				return false
			}
			w.WriteHeader(http.StatusNotFound)
			return true
		})
		carol := s.b.user("carol")
		require.NoError(t, s.b.rooms.Leave(t.Context(), s.bob, s.roomID, ""))
		s.a.eventually(func() bool { return s.a.rooms.Get(s.roomID).Membership(s.bob) == "leave" }, "bob has not left")
		s.b.join(carol, s.roomID, s.a)
		assert.Equal(t, "join", s.a.rooms.Get(s.roomID).Membership(carol))
	})
}
