package blueprints

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints/fake"
	"msc4014/helpers/federation"
	"msc4014/helpers/pseudoid"
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

func TestLearnAFormatFromTheCandidatesOwnEvents(t *testing.T) {
	for name, format := range map[string]pseudoid.Format{
		"dendrite": pseudoid.FormatDendrite, "msc4014": pseudoid.FormatMSC4014, "letter": pseudoid.FormatMSC4014Letter,
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

			facts, err := c.Learn(deadline(t), d)
			require.NoError(t, err)
			assert.Equal(t, Facts{Supported: true, Advertised: true, Format: format, Software: "Fake 1.0"}, facts)
			assert.Equal(t, facts, c.Facts())
		})
	}
}

func TestLearnWithoutAPeerThatMayJoin(t *testing.T) {
	c := newCandidate(t)
	server := c.federate(t, pseudoid.FormatMSC4014)
	server.PlayDead(federation.DeadRefusing)
	facts, err := c.Learn(deadline(t), c.deploy(t, OneServer))
	require.NoError(t, err)
	assert.Equal(t, Facts{Supported: true, Format: pseudoid.FormatDendrite}, facts, "made, though not advertised, and of unknown spelling")
}

func TestLearnWhatTheCandidateRefuses(t *testing.T) {
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
		"unsupported": {
			func(h *fake.Homeserver) { h.Answer("POST", "/createRoom", 400, unsupported) },
			false, "createRoom answered 400 M_UNSUPPORTED_ROOM_VERSION, and capabilities do not list it", "",
		},
		"no answer to createRoom":   {func(h *fake.Homeserver) { h.Answer("POST", "/createRoom", 0, "") }, false, "", "first pseudo-ID room"},
		"no answer to capabilities": {func(h *fake.Homeserver) { h.Answer("GET", "/capabilities", 0, "") }, false, "", "the candidate's capabilities"},
		"no account":                {func(h *fake.Homeserver) { h.Answer("POST", "/register", 403, `{}`) }, false, "", "the first user of the candidate"},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCandidate(t)
			d := c.deploy(t, OneServer)
			each.prepare(c.homes["hs1"])
			facts, err := c.Learn(deadline(t), d)
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
