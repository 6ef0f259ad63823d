package blueprints

import (
	"context"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints/fake"
	"msc4014/helpers/federation"
	"msc4014/helpers/formats"
	"msc4014/helpers/pseudoid"
	"msc4014/runtime"
	"msc4014/runtime/authority"
)

const advertises = `{"capabilities":{"m.room_versions":{"available":{"10":"stable","org.matrix.msc4014":"unstable"}}}}`

// federate gives the candidate's hs1 a federation API: a peer of another switchboard.
func (c *candidate) federate(t *testing.T, format pseudoid.Format) *federation.Peer {
	t.Helper()
	issuer, err := authority.New(t.TempDir())
	require.NoError(t, err)
	c.World = NewWorld(c.runtime, issuer, nil)
	theirs := federation.New(federation.Options{NewPeer: c.runtime.NewPeer, Issue: issuer.Issue, RootCAs: issuer.Pool(), Format: format})
	t.Cleanup(func() { assert.NoError(t, theirs.Close()) })
	peer, err := theirs.NewPeer(nil)
	require.NoError(t, err)
	c.servers["hs1"].ServerName, c.servers["hs1"].Federation = peer.Name(), peer.Name()
	return peer
}

func TestLearnFormatFromEventsOfTheCandidate(t *testing.T) {
	elevenBare := pseudoid.FormatMSC4014
	elevenBare.Base, elevenBare.Signature.KeyID = "11", ""
	for name, format := range map[string]pseudoid.Format{
		"dendrite": pseudoid.FormatDendrite, "msc4014": pseudoid.FormatMSC4014, "letter": pseudoid.FormatMSC4014Letter, "11, bare": elevenBare,
	} {
		t.Run(name, func(t *testing.T) {
			c := newCandidate(t)
			server := c.federate(t, format)
			room, err := server.CreateRoom(format, federation.RoomOptions{Creator: server.User("alice")})
			require.NoError(t, err)
			d := c.deploy(t, OneServer)
			c.homes["hs1"].Answer("POST", "/createRoom", 200, `{"room_id":"`+room.ID()+`"}`)
			c.homes["hs1"].Answer("GET", "/capabilities", 200, advertises)
			server.Handle(federation.Version, func(*federation.Request, func() federation.Answer) federation.Answer {
				return federation.JSON(http.StatusOK, map[string]any{"server": map[string]string{"name": "Fake", "version": "1.0"}})
			})

			facts, err := c.Learn(deadline(t), d, 0)
			require.NoError(t, err)
			assert.Contains(t, facts.Learnt, "base version: "+format.Base+" (the answer to send_join)")
			assert.NotContains(t, facts.Unseen, formats.Dialect)
			assert.Contains(t, facts.Unseen, formats.Invites, "a peer of another switchboard has no users that a peer can invite")
			facts.Learnt, facts.Unseen = "", nil
			assert.Equal(t, Facts{Supported: true, Advertised: true, Format: format, Software: "Fake 1.0"}, facts)
		})
	}
}

// TestLearningKeepsTheTimeOfTheRun: on a slow machine wall time would leave the format unseen.
func TestLearningKeepsTheTimeOfTheRun(t *testing.T) {
	c := newCandidate(t)
	server := c.federate(t, pseudoid.FormatMSC4014)
	room, err := server.CreateRoom(pseudoid.FormatMSC4014, federation.RoomOptions{Creator: server.User("alice")})
	require.NoError(t, err)
	d := c.deploy(t, OneServer)
	c.homes["hs1"].Answer("POST", "/createRoom", 200, `{"room_id":"`+room.ID()+`"}`)
	c.Within = func(ctx context.Context, _ time.Duration) (context.Context, context.CancelFunc) {
		return context.WithTimeout(ctx, 0) // the run's time is over
	}
	facts, err := c.Learn(deadline(t), d, 0)
	require.NoError(t, err)
	assert.Contains(t, facts.Unseen, formats.Dialect)
}

// TestAnotherRoomVersion is that of a candidate which calls it something else.
func TestAnotherRoomVersion(t *testing.T) {
	c := newCandidate(t)
	other := pseudoid.FormatMSC4014
	other.RoomVersion = "org.example.msc4014.v2"
	server := c.federate(t, other)
	c.RoomVersion = other.RoomVersion
	room, err := server.CreateRoom(other, federation.RoomOptions{Creator: server.User("alice")})
	require.NoError(t, err)
	d := c.deploy(t, OneServer)
	c.homes["hs1"].Answer("POST", "/createRoom", 200, `{"room_id":"`+room.ID()+`"}`)
	c.homes["hs1"].Answer("GET", "/capabilities", 200, strings.ReplaceAll(advertises, pseudoid.RoomVersion, other.RoomVersion))
	facts, err := c.Learn(deadline(t), d, 0)
	require.NoError(t, err)
	assert.True(t, facts.Advertised)
	assert.Equal(t, other, facts.Format)
}

func TestLearnTwoCandidates(t *testing.T) {
	c := newCandidate(t)
	server := c.federate(t, pseudoid.FormatMSC4014)
	c.Artifacts = runtime.Artifacts{Main: runtime.Artifact{Candidate: "one"}, ByHost: map[string]runtime.Artifact{"hs2": {Candidate: "other"}}}
	room, err := server.CreateRoom(pseudoid.FormatMSC4014, federation.RoomOptions{Creator: server.User("alice")})
	require.NoError(t, err)
	d := c.deploy(t, TwoServers)
	c.homes["hs1"].Answer("POST", "/createRoom", 200, `{"room_id":"`+room.ID()+`"}`)
	c.homes["hs2"].Answer("POST", "/createRoom", 400, `{"errcode":"M_UNSUPPORTED_ROOM_VERSION","error":"no"}`)
	first, err := c.Learn(deadline(t), d, 0)
	require.NoError(t, err)
	assert.Equal(t, first, c.factsOf("hs2"), "as hs1 while nobody asked it")
	second, err := c.Learn(deadline(t), d, 1)
	require.NoError(t, err)
	assert.Equal(t, first, c.Facts())
	assert.Equal(t, second, c.factsOf("hs2"))
	assert.True(t, first.Supported)
	assert.False(t, second.Supported)
	assert.Empty(t, c.Lacks(OneServer))
	assert.Contains(t, c.Lacks(TwoServers), "hs2 (other): the server has no room version")
}

func TestLacks(t *testing.T) {
	speaks := func(format pseudoid.Format) Facts { return Facts{Supported: true, Format: format} }
	none := Facts{Why: "the server has no room version"}
	for name, each := range map[string]struct {
		hs1, hs2 Facts
		one, two string
	}{
		"the same":          {speaks(pseudoid.FormatMSC4014), speaks(pseudoid.FormatMSC4014), "", ""},
		"two dialects":      {speaks(pseudoid.FormatDendrite), speaks(pseudoid.FormatMSC4014), "", "no dialect in common: by their own events hs1 (one) uses dendrite, and hs2 (other) uses msc4014"},
		"two readings":      {speaks(pseudoid.FormatMSC4014), speaks(pseudoid.FormatMSC4014Letter), "", "hs2 (other) gives an event another ID than hs1 (one) does: one of them keeps the sender key of a redacted event, the other does not (redaction/sender-key-kept)"},
		"an assumed one":    {speaks(pseudoid.FormatMSC4014), Facts{Supported: true, Format: pseudoid.FormatDendrite, Unseen: map[formats.Part]string{formats.Dialect: "none"}}, "", ""},
		"no rooms at hs1":   {none, speaks(pseudoid.FormatDendrite), none.Why, "hs1 (one): " + none.Why},
		"no rooms at hs2":   {speaks(pseudoid.FormatDendrite), none, "", "hs2 (other): " + none.Why},
		"no rooms anywhere": {none, none, none.Why, "hs1 (one): " + none.Why},
	} {
		t.Run(name, func(t *testing.T) {
			w := &World{facts: map[string]Facts{"hs1": each.hs1, "hs2": each.hs2}}
			w.Artifacts = runtime.Artifacts{Main: runtime.Artifact{Candidate: "one"}, ByHost: map[string]runtime.Artifact{"hs2": {Candidate: "other"}}}
			assert.Equal(t, each.one, w.Lacks(OneServer))
			assert.Equal(t, each.two, w.Lacks(TwoServers))
		})
	}
	alone := &World{facts: map[string]Facts{"hs1": none}}
	assert.Equal(t, none.Why, alone.Lacks(TwoServers), "one candidate needs no name")
}

func TestLearnIfPeersCannotJoin(t *testing.T) {
	c := newCandidate(t)
	server := c.federate(t, pseudoid.FormatMSC4014)
	server.PlayDead(federation.DeadRefusing)
	facts, err := c.Learn(deadline(t), c.deploy(t, OneServer), 0)
	require.NoError(t, err)
	assert.True(t, facts.Supported, "created, though not advertised")
	assert.Equal(t, pseudoid.FormatDendrite, facts.Format, "the default")
	assert.ElementsMatch(t, []formats.Part{formats.Dialect, formats.Base, formats.Signature, formats.Invites}, slices.Collect(maps.Keys(facts.Unseen)))
}

func TestPeersOutOfReachAreNotTheCandidatesFault(t *testing.T) {
	unreachable := &runtime.UnreachableError{Tried: "a container could not connect to peer1", Problem: "i/o timeout", ToDo: []string{"iptables"}}
	connects := func(_ context.Context, name string) error {
		connection, err := net.Dial("tcp", name)
		if err != nil {
			return err
		}
		return connection.Close()
	}
	const refuses = `{"errcode":"M_UNSUPPORTED_ROOM_VERSION","error":"no"}`
	for name, each := range map[string]struct {
		supported, federates bool
		try                  func(context.Context, string) error
		tried                int
		want                 error
	}{
		"a machine in the way, of a candidate with such rooms":    {true, false, func(context.Context, string) error { return unreachable }, 1, unreachable},
		"a machine in the way, of a candidate without such rooms": {false, false, func(context.Context, string) error { return unreachable }, 1, unreachable},
		"a candidate that does not connect":                       {true, false, connects, 1, nil},
		"a candidate that connects when it lets a peer join":      {true, true, nil, 0, nil},
		"a candidate that connects when it is asked for a user":   {false, true, nil, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCandidate(t)
			server := c.federate(t, pseudoid.FormatMSC4014)
			tried := 0
			c.World.Runtime = &fake.Separated{Runtime: c.runtime, OnTryPeer: func(ctx context.Context, name string) error {
				tried++
				return each.try(ctx, name)
			}}
			room, err := server.CreateRoom(pseudoid.FormatMSC4014, federation.RoomOptions{Creator: server.User("alice")})
			require.NoError(t, err)
			if !each.federates {
				server.Close() // it refuses without fetching keys
			}
			d := c.deploy(t, OneServer)
			if each.supported {
				c.homes["hs1"].Answer("POST", "/createRoom", 200, `{"room_id":"`+room.ID()+`"}`)
			} else {
				c.homes["hs1"].Answer("POST", "/createRoom", 400, refuses)
			}
			facts, err := c.Learn(deadline(t), d, 0)
			assert.Equal(t, each.tried, tried)
			if each.want != nil {
				assert.ErrorIs(t, err, each.want)
				assert.Equal(t, Facts{}, c.Facts(), "nothing was learnt")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, each.supported, facts.Supported)
		})
	}
}

func TestPeersThatCannotListenAreNotTheCandidatesFault(t *testing.T) {
	c := newCandidate(t)
	d := c.deploy(t, OneServer)
	require.NoError(t, c.Peers.Close())
	_, err := c.Learn(deadline(t), d, 0)
	assert.ErrorContains(t, err, "start a peer for the candidate")
}

func TestLearnIfTheCandidateRefuses(t *testing.T) {
	const unsupported = `{"errcode":"M_UNSUPPORTED_ROOM_VERSION","error":"no"}`
	for name, each := range map[string]struct {
		prepare   func(*fake.Homeserver)
		supported bool
		why, err  string
	}{
		"advertised, but refused": {func(h *fake.Homeserver) {
			h.Answer("GET", "/capabilities", 200, advertises)
			h.Answer("POST", "/createRoom", 400, unsupported)
		}, true, "", ""},
		"advertised, but fails": {func(h *fake.Homeserver) {
			h.Answer("GET", "/capabilities", 200, advertises)
			h.Answer("POST", "/createRoom", 500, "")
		}, true, "", ""},
		"made, but answered beyond all bounds": {func(h *fake.Homeserver) {
			h.Answer("POST", "/createRoom", 200, strings.Repeat("[", 1<<20))
		}, true, "", ""},
		"unsupported": {
			func(h *fake.Homeserver) { h.Answer("POST", "/createRoom", 400, unsupported) },
			false, "createRoom answered 400 M_UNSUPPORTED_ROOM_VERSION, and capabilities do not list it", "",
		},
		"unsupported, but another that could be meant": {
			func(h *fake.Homeserver) {
				h.Answer("GET", "/capabilities", 200, `{"capabilities":{"m.room_versions":{"available":{"10":"stable","org.example.msc4014.v2":"unstable"}}}}`)
				h.Answer("POST", "/createRoom", 400, unsupported)
			},
			false, "capabilities do not list it; they list org.example.msc4014.v2, which could be meant (--room-version)", "",
		},
		"no answer to createRoom":   {func(h *fake.Homeserver) { h.Answer("POST", "/createRoom", 0, "") }, false, "", "create a pseudo-ID room"},
		"no answer to capabilities": {func(h *fake.Homeserver) { h.Answer("GET", "/capabilities", 0, "") }, false, "", "the candidate's capabilities"},
		"no account":                {func(h *fake.Homeserver) { h.Answer("POST", "/register", 403, `{}`) }, false, "", "register a user with the candidate"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCandidate(t)
			d := c.deploy(t, OneServer)
			each.prepare(c.homes["hs1"])
			facts, err := c.Learn(deadline(t), d, 0)
			if each.err != "" {
				assert.ErrorContains(t, err, each.err)
				assert.Equal(t, Facts{}, c.Facts(), "nothing was learnt")
				return
			}
			require.NoError(t, err)
			assert.Equal(t, each.supported, facts.Supported)
			assert.Contains(t, facts.Why, each.why)
			assert.Equal(t, each.why == "", facts.Why == "")
			assert.Equal(t, facts, c.Facts())
		})
	}
}

// TestRoomsOfVersion12: peers cannot take part in rooms whose ID is that of the create event, so nothing in them can be judged.
func TestRoomsOfVersion12(t *testing.T) {
	for name, each := range map[string]struct {
		create string
		on12   bool
	}{
		"the ID of the create event": {`{"type":"m.room.create","state_key":"","event_id":"$hash"}`, true},
		"an ID that names no server": {`{"type":"m.room.create","state_key":"","event_id":"$another"}`, false},
		"the ID of some other event": {`{"type":"m.room.name","state_key":"","event_id":"$hash"}`, false},
		"an event that has no ID":    {`{"type":"m.room.create","state_key":""}`, false},
		"no object":                  {`"m.room.create"`, false},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCandidate(t)
			c.federate(t, pseudoid.FormatMSC4014)
			d := c.deploy(t, OneServer)
			c.homes["hs1"].Answer("POST", "/createRoom", 200, `{"room_id":"!hash"}`)
			c.homes["hs1"].Answer("GET", "/rooms/!hash/state", 200, "["+each.create+"]")
			c.homes["hs1"].Answer("GET", "/capabilities", 200, advertises)
			facts, err := c.Learn(deadline(t), d, 0)
			require.NoError(t, err)
			assert.Equal(t, !each.on12, facts.Supported)
			assert.Equal(t, each.on12, c.OnVersion12() != "")
			if each.on12 {
				assert.Contains(t, c.Lacks(OneServer), "build on room version 12: the room ID is the ID of the create event")
			}
		})
	}
}

// TestPathOfInvites: a path at which peers do not complete invites is recorded, not mistaken for a format, unless the candidate then tries
// one at which they do.
func TestPathOfInvites(t *testing.T) {
	for name, each := range map[string]struct {
		puts      []federation.Request
		elsewhere string
		byEventID bool
	}{
		"the deployed one": {puts: []federation.Request{{Version: "v3", Parameters: []string{"!room:hs1", "@guest:peer"}}}},
		"that of MSC1228":  {puts: []federation.Request{{Version: "v3", Parameters: []string{"$event", "@guest:peer"}}}, byEventID: true},
		"the ordinary one": {
			puts:      []federation.Request{{Version: "v2", Parameters: []string{"!room:hs1", "$event"}, URI: "/_matrix/federation/v2/invite/%21room:hs1/$event"}},
			elsewhere: "PUT /_matrix/federation/v2/invite/{roomID}/{eventID}",
		},
		"another, and then the deployed one": {puts: []federation.Request{
			{Version: "v2", Parameters: []string{"!room:hs1", "$event"}}, {Version: "v3", Parameters: []string{"!room:hs1", "@guest:peer"}},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var l learner
			for _, request := range each.puts {
				request.Endpoint, request.Method = federation.Invite, http.MethodPut
				l.putsInvite(request)
			}
			assert.Equal(t, each.elsewhere, l.invitesElsewhere)
			learnt := l.learnt()
			assert.Equal(t, each.byEventID, learnt.Format.InviteByEventID)
			assert.Equal(t, each.elsewhere == "", learnt.From[formats.Invites] != "")
		})
	}
}
