package interop

// The reference keeps what it has acknowledged, even if it is killed.

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/csapi"
	"msc4014/helpers/pseudoid"
)

const (
	burst      = 500 // messages
	senders    = 10  // in parallel
	killedWith = burst / 2
)

// TestKilledInABurst kills the server with SIGKILL during a burst of messages, in an ordinary room and in a pseudo-ID room.
// After a restart it must have every event that it had acknowledged, once, by its ID and in the room's history. The burst
// then continues, with the same transactions, as if nothing had happened.
func TestKilledInABurst(t *testing.T) {
	server := deploy(t, "process", "reference").servers["reference"]
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	alice, err := api(server).Register(ctx, "alice", "a long password")
	require.NoError(t, err)
	var rooms []string
	for _, version := range []string{"10", pseudoid.RoomVersion} {
		room, err := alice.CreateRoom(ctx, map[string]any{"room_version": version, "preset": "private_chat"})
		require.NoError(t, err)
		rooms = append(rooms, room)
	}
	devices := make([]*csapi.Client, senders) // the requests of a single device would be handled one after the other
	for sender := range devices {
		devices[sender], err = api(server).Login(ctx, "alice", "a long password")
		require.NoError(t, err)
	}
	messages := make([]*message, burst)
	for number := range messages {
		messages[number] = &message{number: number, room: rooms[number%len(rooms)], by: devices[number%senders]}
	}

	var acknowledged atomic.Int64
	problems := send(messages, func(m *message) error {
		if err := m.send(ctx); err != nil {
			return err
		}
		if acknowledged.Add(1) == killedWith {
			return server.Kill(ctx) // while all others send
		}
		return nil
	})
	require.Less(t, acknowledged.Load(), int64(burst), "the server was killed after the burst")
	for _, problem := range problems {
		require.True(t, problem == nil || csapi.NoAnswer(problem), "a message was refused, or the server not killed: %v", problem)
	}
	alice.Server.CloseIdleConnections()
	require.NoError(t, server.Start(ctx))

	kept := map[string]string{} // event IDs, by message
	for _, m := range messages {
		if m.eventID == "" {
			continue
		}
		event, err := alice.Event(ctx, m.room, m.eventID)
		if assert.NoError(t, err, "event %s was acknowledged", m.eventID) {
			assert.Equal(t, m.body(), event.Get("content.body").String())
		}
		kept[m.body()] = m.eventID
	}
	require.Len(t, kept, int(acknowledged.Load()))
	shown := said(ctx, t, alice, rooms)
	for body, id := range kept {
		assert.Equal(t, []string{id}, shown[body], "%q, which was acknowledged, in /messages", body)
	}

	for _, problem := range send(messages, func(m *message) error { return m.send(ctx) }) {
		require.NoError(t, problem)
	}
	shown = said(ctx, t, alice, rooms)
	assert.Len(t, shown, burst)
	for _, m := range messages {
		assert.Equal(t, []string{m.eventID}, shown[m.body()], "%q, sent again with its transaction", m.body())
		if id, before := kept[m.body()]; before {
			assert.Equal(t, id, m.eventID, "%q, sent again with its transaction", m.body())
		}
	}
}

// message is one of the burst.
type message struct {
	number  int
	room    string
	by      *csapi.Client
	eventID string // "" until it is acknowledged
}

func (m *message) body() string { return fmt.Sprintf("message %d", m.number) }

// send sends the message, always with the same transaction ID.
func (m *message) send(ctx context.Context) error {
	path := csapi.V3("rooms", m.room, "send", "m.room.message", fmt.Sprintf("burst-%d", m.number))
	answer, err := m.by.Do(ctx, http.MethodPut, path, nil, map[string]any{"msgtype": "m.text", "body": m.body()})
	if err != nil {
		return err
	}
	m.eventID = answer.Get("event_id").String()
	return nil
}

// send sends messages, those of different devices in parallel. A sender stops at its first error, which is among those
// returned.
func send(messages []*message, one func(*message) error) []error {
	problems := make([]error, senders)
	var sending sync.WaitGroup
	for sender := range senders {
		sending.Go(func() {
			for number := sender; number < len(messages) && problems[sender] == nil; number += senders {
				problems[sender] = one(messages[number])
			}
		})
	}
	sending.Wait()
	return problems
}

// said returns the event IDs of all messages of rooms, by their text.
func said(ctx context.Context, t *testing.T, as *csapi.Client, rooms []string) map[string][]string {
	t.Helper()
	shown := map[string][]string{}
	for _, room := range rooms {
		for from := ""; ; {
			page, err := as.Messages(ctx, room, from, "b", 100)
			require.NoError(t, err)
			page.Get("chunk").ForEach(func(_, event gjson.Result) bool {
				if event.Get("type").String() == "m.room.message" {
					body := event.Get("content.body").String()
					shown[body] = append(shown[body], event.Get("event_id").String())
				}
				return true
			})
			end := page.Get("end").String()
			if end == "" || end == from {
				break
			}
			from = end
		}
	}
	return shown
}
