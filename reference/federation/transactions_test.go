package federation

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/reference/users"
)

const sendPath = "/_matrix/federation/v1/send/"

type object = map[string]any

// typing returns who types in a room.
func typing(h *home, roomID string) []string {
	userIDs, _ := h.users.TypingSince(roomID, 0)
	return userIDs
}

// device logs a device of a user in.
func (h *home) device(userID string) users.Holder {
	holder, _, err := h.users.LogIn(userID, "DEVICE", "")
	require.NoError(h.t, err)
	return holder
}

// inbox returns what waits for a device.
func (h *home) inbox(holder users.Holder) []users.Message {
	messages, _, err := h.users.ToDevice(holder, 0, 1<<40, 1000)
	require.NoError(h.t, err)
	return messages
}

func toDevice(sender, messageID string, to users.Holder) object {
	return object{"edu_type": "m.direct_to_device", "content": object{
		"sender": sender, "type": "x", "message_id": messageID, "messages": object{to.UserID: object{to.DeviceID: object{"a": 1}}},
	}}
}

func TestTransactionIsTakenOnce(t *testing.T) {
	inRoom(t, func(t *testing.T, s *scene) {
		device := s.a.device(s.alice)
		send := func(name string, edus ...any) {
			status, answer := s.b.ask(s.a, http.MethodPut, sendPath+name, object{"pdus": []any{}, "edus": edus})
			assert.Equal(t, http.StatusOK, status)
			assert.True(t, answer.Get("pdus").IsObject())
		}
		send("1", toDevice(s.bob, "m1", device))
		send("1", toDevice(s.bob, "m2", device)) // another body under the same name is not looked at
		send("2", toDevice(s.bob, "m1", device)) // the same message in another transaction is not taken either
		assert.Len(t, s.a.inbox(device), 1)
		send("3", toDevice(s.bob, "m3", device))
		assert.Len(t, s.a.inbox(device), 2)
	})
}

func TestTransactionsAreTakenOnceAtTheSameTime(t *testing.T) {
	s := newScene(t, "msc4014", "10")
	device := s.a.device(s.alice)
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			status, _ := s.b.ask(s.a, http.MethodPut, sendPath+"same", object{"pdus": []any{}, "edus": []any{toDevice(s.bob, "", device)}})
			assert.Equal(t, http.StatusOK, status)
		})
	}
	all.Wait()
	assert.Len(t, s.a.inbox(device), 1)
}

// TestTransactionIsTakenThoughNobodyWaits lets the sender go while its transaction is taken in: the events behind a gap
// are asked for, and that takes until the test lets it.
func TestTransactionIsTakenThoughNobodyWaits(t *testing.T) {
	s := newScene(t, "msc4014", "10")
	s.b.join(s.bob, s.roomID, s.a)
	gate, asked := make(chan struct{}), make(chan struct{})
	var once sync.Once
	s.b.setHook(func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			once.Do(func() { close(asked) })
			<-gate
		}
		return false
	})
	s.a.setHook(func(w http.ResponseWriter, r *http.Request) bool {
		byItself := r.Method == http.MethodPut && !strings.HasSuffix(r.URL.Path, "gone")
		if byItself {
			w.WriteHeader(http.StatusBadGateway)
		}
		return byItself
	})
	first := s.b.send(s.bob, s.roomID, "does not arrive yet")
	second := s.b.send(s.bob, s.roomID, "arrives before it")

	body, err := json.Marshal(object{"pdus": []json.RawMessage{s.b.rooms.Get(s.roomID).Event(second).JSON()}})
	require.NoError(t, err)
	authorization, err := s.b.ring.SignRequest(http.MethodPut, s.a.name, sendPath+"gone", body)
	require.NoError(t, err)
	ctx, leave := context.WithCancel(t.Context())
	go func() { <-asked; leave() }()
	request, err := http.NewRequestWithContext(ctx, http.MethodPut, s.a.http.URL+sendPath+"gone", bytes.NewReader(body))
	require.NoError(t, err)
	request.Header.Set("Authorization", authorization)
	_, err = s.a.http.Client().Do(request)
	require.ErrorIs(t, err, context.Canceled)
	close(gate)
	s.a.sees(s.roomID, first)
	s.a.sees(s.roomID, second)
	status, answer := s.b.ask(s.a, http.MethodPut, sendPath+"gone", json.RawMessage(body))
	assert.Equal(t, http.StatusOK, status)
	outcome := answer.Get("pdus").Map()[second]
	assert.True(t, outcome.IsObject(), answer)
	assert.False(t, outcome.Get("error").Exists(), answer)
}

func TestEventsThatAreRefusedAreTold(t *testing.T) {
	inRoom(t, func(t *testing.T, s *scene) {
		room := s.b.rooms.Get(s.roomID)
		message := s.b.send(s.bob, s.roomID, "right")
		s.a.sees(s.roomID, message)
		var lie object
		require.NoError(t, json.Unmarshal(room.Event(message).JSON(), &lie))
		lie["depth"] = 77 // the signature is over another event
		status, answer := s.b.ask(s.a, http.MethodPut, sendPath+"lie", object{"pdus": []any{lie, "no event"}})
		assert.Equal(t, http.StatusOK, status)
		answer.Get("pdus").ForEach(func(_, outcome gjson.Result) bool {
			assert.True(t, outcome.Get("error").Exists())
			return true
		})
	})
}

func TestTransactionsThatAreRefusedWhole(t *testing.T) {
	s := newScene(t, "msc4014", "10")
	many := func(n int) []any { return slices.Repeat([]any{object{}}, n) }
	for name, body := range map[string]any{
		"no object": []any{}, "pdus is not a list": object{"pdus": "x"}, "too many events": object{"pdus": many(maximumPDUs + 1)},
		"too many EDUs": object{"pdus": []any{}, "edus": many(maximumEDUs + 1)},
	} {
		status, answer := s.b.ask(s.a, http.MethodPut, sendPath+"bad", body)
		assert.Equal(t, http.StatusBadRequest, status, name)
		assert.NotEmpty(t, answer.Get("errcode").String(), name)
	}
	status, _ := s.b.ask(s.a, http.MethodPut, sendPath+"bad", object{"pdus": many(maximumPDUs), "edus": many(maximumEDUs)})
	assert.Equal(t, http.StatusOK, status, "a refused transaction has not used the name up")
}

func TestAnswersAreForgottenInTheEnd(t *testing.T) {
	s := newHome(t, "msc4014").server
	begin := func(name string) bool {
		t.Helper()
		transaction, first := s.begin("b.test", name)
		if first {
			s.take(t.Context(), transaction, "b.test", nil, nil)
		}
		return first
	}
	for i := range recentAnswers {
		assert.True(t, begin(fmt.Sprint(i)))
	}
	assert.False(t, begin("0"))
	assert.True(t, begin("more"))
	assert.True(t, begin("0"), "it was forgotten")
	assert.Len(t, s.transactions, recentAnswers)
	_, first := s.begin("c.test", "more")
	assert.True(t, first, "names are those of one server")
	s.working.Done()
}

func TestEDUsTellOfOwnUsersAlone(t *testing.T) {
	inRoom(t, func(t *testing.T, s *scene) {
		carol, device := s.a.user("carol"), s.a.device(s.alice)
		message := s.a.send(s.alice, s.roomID, "read me")
		receipt := func(userID string) object {
			read := object{"event_ids": []string{message}, "data": object{"ts": 1}}
			return object{"edu_type": "m.receipt", "content": object{s.roomID: object{"m.read": object{userID: read}}}}
		}
		type of = func(userID string) object
		typed := func(userID string) object {
			return object{"edu_type": "m.typing", "content": object{"room_id": s.roomID, "user_id": userID, "typing": true}}
		}
		present := func(userID string) object {
			return object{"edu_type": "m.presence", "content": object{"push": []any{object{"user_id": userID, "presence": "online"}}}}
		}
		listed := func(userID string) object {
			return object{"edu_type": "m.device_list_update", "content": object{"user_id": userID, "device_id": "D", "stream_id": 1}}
		}
		signing := func(userID string) object {
			return object{"edu_type": "m.signing_key_update", "content": object{"user_id": userID}}
		}
		deliver := func(userID string, edus ...of) {
			t.Helper()
			var list []any
			for _, edu := range edus {
				list = append(list, edu(userID))
			}
			list = append(list, toDevice(userID, rand.Text(), device), object{"edu_type": "unknown", "content": object{}}, object{}, "no EDU")
			status, answer := s.b.ask(s.a, http.MethodPut, sendPath+rand.Text(), object{"pdus": []any{}, "edus": list})
			require.Equal(t, http.StatusOK, status, answer)
		}
		all := []of{receipt, typed, present, listed, signing}
		stranger := "@stranger:" + s.b.name // of the right server, but not in the room
		deliver(carol, all...)
		deliver(stranger, receipt, typed)
		assert.Empty(t, typing(s.a, s.roomID))
		assert.Empty(t, s.a.users.ReceiptsSince(s.alice, s.roomID, 0))
		assert.Equal(t, "offline", s.a.users.PresenceOf(carol).State)
		assert.NotContains(t, s.a.users.DeviceListChanged(0, 1<<40), carol)
		assert.Len(t, s.a.inbox(device), 1, "of the stranger")

		deliver(s.bob, all...)
		assert.Equal(t, []string{s.bob}, typing(s.a, s.roomID))
		require.Len(t, s.a.users.ReceiptsSince(s.alice, s.roomID, 0), 1)
		assert.Equal(t, s.bob, s.a.users.ReceiptsSince(s.alice, s.roomID, 0)[0].UserID)
		assert.Equal(t, "online", s.a.users.PresenceOf(s.bob).State)
		assert.Contains(t, s.a.users.DeviceListChanged(0, 1<<40), s.bob)
		assert.Len(t, s.a.inbox(device), 2)
	})
}

// TestWhatUsersDoIsToldToOtherServers goes all the way: from the users of one server to those of the other.
func TestWhatUsersDoIsToldToOtherServers(t *testing.T) {
	inRoom(t, func(t *testing.T, s *scene) {
		device := s.a.device(s.alice)
		s.b.users.SetTyping(s.roomID, s.bob, time.Minute)
		s.a.eventually(func() bool { return slices.Equal(typing(s.a, s.roomID), []string{s.bob}) }, "bob is not typing")
		require.NoError(t, s.b.users.SendToDevices(s.bob, "x", users.Messages{s.alice: {device.DeviceID: json.RawMessage(`{}`)}}))
		s.a.eventually(func() bool { return len(s.a.inbox(device)) == 1 }, "the message did not arrive")
	})
}
