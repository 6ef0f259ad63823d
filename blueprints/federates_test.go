package blueprints

import (
	"context"
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/sjson"

	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
)

// openHome is the part of a homeserver in the federation, played by a peer.
type openHome struct {
	t     *testing.T
	peer  *federation.Peer
	stuck atomic.Bool // it sends nothing any more
}

func (h *openHome) CreateRoom() string {
	room, err := h.peer.CreateRoom(pseudoid.FormatV10, federation.RoomOptions{Creator: h.peer.User("somebody"), JoinRule: "public"})
	assert.NoError(h.t, err)
	return room.ID()
}

func (h *openHome) Send(roomID string, content any) string {
	room := h.peer.Room(roomID)
	if room == nil {
		return ""
	}
	said, err := room.Build(federation.Proto{Type: "m.room.message", Sender: h.peer.User("somebody"), Content: content})
	assert.NoError(h.t, err)
	if room.Apply(said); !h.stuck.Load() {
		assert.NoError(h.t, room.Send(deadline(h.t), said))
	}
	return said.ID()
}

func (h *openHome) Received() map[string][]json.RawMessage {
	events := map[string][]json.RawMessage{}
	for _, arrival := range h.peer.Received() {
		event, err := sjson.SetBytes(arrival.Event.JSON(), "event_id", arrival.Event.ID())
		assert.NoError(h.t, err)
		events[arrival.Event.RoomID()] = append(events[arrival.Event.RoomID()], event)
	}
	return events
}

// federating lets hs1 federate.
func (c *candidate) federating(t *testing.T) *openHome {
	t.Helper()
	peer, err := c.NewPeer("", nil, pseudoid.FormatV10)
	require.NoError(t, err)
	home := &openHome{t: t, peer: peer}
	c.servers["hs1"].ServerName = peer.Name()
	c.homes["hs1"].Federate(home)
	return home
}

// Federation can be stuck while clients are answered.
func TestHealthIncludesFederation(t *testing.T) {
	for name, sticks := range map[string]struct {
		in   func(*openHome)
		says string
	}{
		"it sends nothing": {func(h *openHome) { h.stuck.Store(true) }, "an event to a healthy peer"},
		"it refuses everything": {func(h *openHome) {
			h.peer.Handle(federation.Send, func(*federation.Request, func() federation.Answer) federation.Answer {
				return federation.Refusal(http.StatusInternalServerError, "M_UNKNOWN", "stuck")
			})
		}, "an event of a healthy peer: "},
		"it shows nothing": {func(h *openHome) {
			h.peer.Handle(federation.Send, func(*federation.Request, func() federation.Answer) federation.Answer {
				return federation.JSON(http.StatusOK, map[string]any{"pdus": map[string]any{}})
			})
		}, "an event of a healthy peer: "},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCandidate(t)
			home := c.federating(t)
			d := c.deploy(t, OneServer)
			require.NotNil(t, d.healthUsers[0].federated, "the server and a healthy peer hear each other")
			require.NoError(t, d.Federates(deadline(t)))
			sticks.in(home)
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second) // for three steps of four
			defer cancel()
			assert.ErrorContains(t, d.Federates(ctx), sticks.says)
			assert.NoError(t, d.Health(deadline(t)), "its clients are answered")
			assertAlive(t, d)
		})
	}
}

// How soon a server whose network was cut off reaches others again, after its connections are dead, is for checks to judge.
func TestHealthAfterACutNetwork(t *testing.T) {
	c := newCandidate(t)
	home := c.federating(t)
	d := c.deploy(t, OneServer)
	require.NotNil(t, d.healthUsers[0].federated, "the server and a healthy peer hear each other")
	require.NoError(t, d.CutOff(deadline(t), 0))
	require.NoError(t, d.Rejoin(deadline(t), 0))
	home.stuck.Store(true)
	assert.NoError(t, d.Federates(deadline(t)))
	assertAlive(t, d)
}

// That a server does not federate at all is for the checks to judge.
func TestHealthWithoutFederation(t *testing.T) {
	c := newCandidate(t)
	d := c.deploy(t, OneServer)
	assert.Nil(t, d.healthUsers[0].federated)
	assert.NoError(t, d.Federates(deadline(t)))
}
