package blueprints

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints/fake"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/stage"
	"msc4014/runtime"
	"msc4014/runtime/authority"
)

// candidate is a world with servers in this process.
type candidate struct {
	*World
	runtime *fake.Runtime
	servers map[string]*fake.Server     // by place
	homes   map[string]*fake.Homeserver // by place
}

func newCandidate(t *testing.T) *candidate {
	t.Helper()
	issuer, err := authority.New(t.TempDir())
	require.NoError(t, err)
	c := &candidate{servers: map[string]*fake.Server{}, homes: map[string]*fake.Homeserver{}}
	for _, place := range []string{"hs1", "hs2"} {
		home := fake.NewHomeserver(place)
		t.Cleanup(home.Close)
		c.homes[place] = home
		c.servers[place] = &fake.Server{ServerName: place, Place: place, URL: home.URL}
	}
	c.runtime = &fake.Runtime{OnStart: func(_ context.Context, options runtime.ServerOptions) (runtime.Server, error) {
		return c.servers[options.Host], nil
	}}
	c.World = NewWorld(c.runtime, issuer, nil)
	t.Cleanup(func() { assert.NoError(t, c.World.Close(context.Background())) })
	return c
}

func (c *candidate) deploy(t *testing.T, blueprint stage.Blueprint) *Deployment {
	t.Helper()
	made, err := c.New(deadline(t), blueprint.Name)
	require.NoError(t, err)
	return made.(*Deployment)
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func awaitDeath(t *testing.T, d *Deployment) {
	t.Helper()
	select {
	case <-d.Died():
	case <-deadline(t).Done():
		require.Fail(t, "the deployment was not declared dead")
	}
}

func assertAlive(t *testing.T, d *Deployment) {
	t.Helper()
	select {
	case <-d.Died():
		assert.Fail(t, "the deployment was declared dead", d.Death().Cause)
	default:
	}
}

func TestDeploymentsStartAndEnd(t *testing.T) {
	c := newCandidate(t)
	d := c.deploy(t, TwoServers)
	assert.Len(t, c.Servers(d), 2)
	assert.Equal(t, []string{"hs1", "hs2"}, []string{d.Server(0).Host(), d.Server(1).Host()})
	assert.NoError(t, d.Answers(deadline(t)))
	assert.NoError(t, d.Health(deadline(t)))
	assert.NoError(t, d.Health(deadline(t)), "a second time")
	assert.Contains(t, d.Log(1), "==== hs2 (hs2)\nthe log of hs2\n")
	assert.NotEqual(t, d.ID(), c.deploy(t, OneServer).ID())
	assertAlive(t, d)

	_, known := c.dial("hs2")
	assert.True(t, known)
	require.NoError(t, d.Close(deadline(t)))
	_, known = c.dial("hs2")
	assert.False(t, known, "peers cannot dial a server that was removed: its address may be another's")
	assert.True(t, c.servers["hs1"].Removed())
	assert.True(t, c.servers["hs2"].Removed())
	assertAlive(t, d)
}

func TestAnUnknownBlueprintIsAnError(t *testing.T) {
	_, err := newCandidate(t).New(deadline(t), "three servers")
	assert.ErrorContains(t, err, `no blueprint is named "three servers"`)
	for _, each := range All {
		found, err := byName(each.Name)
		assert.NoError(t, err)
		assert.Equal(t, each, found)
	}
}

func TestAServerThatExitsIsNoticed(t *testing.T) {
	for _, outside := range []bool{false, true} {
		c := newCandidate(t)
		d := c.deploy(t, TwoServers)
		c.servers["hs2"].Exit("exited with status 2", outside)
		awaitDeath(t, d)
		assert.Equal(t, "hs2 exited with status 2", d.Death().Cause)
		assert.Equal(t, outside, d.Death().Outside)
		assert.Equal(t, "the log of hs2\n", d.Death().LogTail)
		d.MarkDead("fell silent")
		assert.Equal(t, "hs2 exited with status 2", d.Death().Cause, "the first cause counts")
	}
}

func TestMarkDead(t *testing.T) {
	c := newCandidate(t)
	d := c.deploy(t, OneServer)
	assert.Empty(t, d.Death().Cause)
	d.MarkDead("fell silent")
	awaitDeath(t, d)
	assert.Equal(t, "fell silent", d.Death().Cause)
	assert.False(t, d.Death().Outside)
	assert.Equal(t, "the log of hs1\n", d.Death().LogTail)
	d.MarkDead("again")
	assert.Equal(t, "fell silent", d.Death().Cause)
}

func TestARestartIsNotADeath(t *testing.T) {
	for _, kill := range []bool{false, true} {
		c := newCandidate(t)
		d := c.deploy(t, StoppedServer)
		server, home := c.servers["hs1"], c.homes["hs1"]
		down := func(context.Context) error {
			home.Answer("GET", "/versions", 0, "")
			home.Answer("PUT", "/send/", 0, "")
			assert.NoError(t, d.Answers(deadline(t)), "the silence that a check asked for")
			assert.NoError(t, d.Health(deadline(t)))
			return nil
		}
		server.OnStop, server.OnKill = down, down
		server.OnStart = func(context.Context) error {
			assert.NoError(t, d.Answers(deadline(t)))
			home.Answer("GET", "/versions", -1, "")
			home.Answer("PUT", "/send/", -1, "")
			return nil
		}
		ended := map[bool]string{false: "stop", true: "kill"}[kill]
		require.NoError(t, d.Restart(deadline(t), 0, kill, func() { assert.Equal(t, []string{ended}, server.Calls(), "meanwhile") }))
		assert.Equal(t, []string{ended, "start"}, server.Calls())
		assertAlive(t, d)
		assert.NoError(t, d.Health(deadline(t)))

		home.Answer("GET", "/versions", 0, "")
		assert.ErrorContains(t, d.Answers(deadline(t)), "hs1 did not answer", "the next silence is its own")
		server.Exit("exited with status 1", false)
		awaitDeath(t, d)
		assert.Equal(t, "hs1 exited with status 1", d.Death().Cause, "the new start is watched")
	}
}

func TestARestartThatFailsIsAnError(t *testing.T) {
	c := newCandidate(t)
	d := c.deploy(t, StoppedServer)
	c.servers["hs1"].OnStart = func(context.Context) error {
		return &runtime.StartError{Candidate: "x", Server: "hs1", Cause: "exited with status 1"}
	}
	err := d.Restart(deadline(t), 0, false, nil)
	var failed *runtime.StartError
	assert.ErrorAs(t, err, &failed)
	assert.ErrorContains(t, err, "start hs1 again")
	c.servers["hs1"].OnKill = func(context.Context) error { return errors.New("no such process") }
	assert.EqualError(t, d.Restart(deadline(t), 0, true, nil), "stop hs1: no such process")
}

func TestHealthErrors(t *testing.T) {
	for name, sicken := range map[string]func(*fake.Homeserver){
		"sending is refused":                func(h *fake.Homeserver) { h.Answer("PUT", "/send/", 500, `{"errcode":"M_UNKNOWN"}`) },
		"sending is not answered":           func(h *fake.Homeserver) { h.Answer("PUT", "/send/", 0, "") },
		"what was sent is not shown":        func(h *fake.Homeserver) { h.Answer("GET", "/sync", 200, `{"next_batch":"s"}`) },
		"what is shown cannot be asked for": func(h *fake.Homeserver) { h.Answer("GET", "/sync", 502, "bad gateway") },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCandidate(t)
			d := c.deploy(t, TwoServers)
			sicken(c.homes["hs2"])
			ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer cancel()
			assert.Error(t, d.Health(ctx), "/versions alone is not health")
			assert.NoError(t, d.Answers(deadline(t)))
			assertAlive(t, d)
		})
	}
}

// That a server refuses to create a room is for the checks to judge; it is healthy as long as it answers /sync.
func TestHealthWithoutARoom(t *testing.T) {
	c := newCandidate(t)
	c.homes["hs1"].Answer("POST", "/createRoom", 403, `{"errcode":"M_FORBIDDEN"}`)
	d := c.deploy(t, TwoServers)
	assert.NoError(t, d.Health(deadline(t)))
	c.homes["hs1"].Answer("GET", "/sync", 502, "bad gateway")
	assert.ErrorContains(t, d.Health(deadline(t)), "502")
}

func TestAnyAnswerWillDo(t *testing.T) {
	c := newCandidate(t)
	d := c.deploy(t, OneServer)
	c.homes["hs1"].Answer("GET", "/versions", 500, "")
	assert.NoError(t, d.Answers(deadline(t)))
	c.homes["hs1"].Answer("GET", "/versions", 0, "")
	assert.EqualError(t, d.Answers(deadline(t)), "hs1 did not answer GET /versions")
}

func TestAStartThatFailsLeavesNothingBehind(t *testing.T) {
	t.Run("a server does not start", func(t *testing.T) {
		c := newCandidate(t)
		c.runtime.OnStart = func(_ context.Context, options runtime.ServerOptions) (runtime.Server, error) {
			if options.Host == "hs2" {
				return nil, &runtime.StartError{Candidate: "x", Server: "hs2", Cause: "exited with status 1"}
			}
			return c.servers[options.Host], nil
		}
		_, err := c.New(deadline(t), TwoServers.Name)
		var failed *runtime.StartError
		assert.ErrorAs(t, err, &failed)
		assert.True(t, c.servers["hs1"].Removed())
		_, known := c.dial("hs1")
		assert.False(t, known, "peers do not look for it")
	})
	for name, refused := range map[string]func(*fake.Homeserver) string{
		"no account": func(h *fake.Homeserver) string { h.Answer("POST", "/register", 500, `{}`); return "/register" },
		"no answer":  func(h *fake.Homeserver) string { h.Answer("POST", "/createRoom", 0, ""); return "/createRoom" },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCandidate(t)
			part := refused(c.homes["hs1"])
			_, err := c.New(deadline(t), TwoServers.Name)
			assert.ErrorContains(t, err, part)
			assert.True(t, c.servers["hs1"].Removed())
			assert.True(t, c.servers["hs2"].Removed())
		})
	}
}

func TestTheWorldKnowsTheChecksOfPeers(t *testing.T) {
	c := newCandidate(t)
	one, err := c.NewPeer("a check", nil, pseudoid.FormatDendrite)
	require.NoError(t, err)
	two, err := c.NewPeer("another", nil, pseudoid.FormatDendrite)
	require.NoError(t, err)
	assert.NotEqual(t, one.Name(), two.Name())
	assert.Equal(t, []string{"a check", "another"}, []string{c.CheckOf(one), c.CheckOf(two)})
	require.NoError(t, c.World.Close(deadline(t)))
	assert.True(t, c.runtime.Closed())
}

// Pseudo-ID rooms can be broken while ordinary ones work.
func TestHealthIncludesPseudonymousRooms(t *testing.T) {
	c := newCandidate(t)
	d := c.deploy(t, OneServer)
	c.mu.Lock()
	c.facts["hs1"] = Facts{Supported: true, Format: pseudoid.FormatMSC4014}
	c.mu.Unlock()
	require.NoError(t, d.Health(deadline(t)))
	room := d.healthUsers[0].pseudonymous
	require.NotEmpty(t, room, "the health user's pseudo-ID room")
	c.homes["hs1"].Answer("PUT", room, 500, `{"errcode":"M_UNKNOWN"}`)
	assert.ErrorContains(t, d.Health(deadline(t)), "in a pseudo-ID room")
	assert.Equal(t, room, d.healthUsers[0].pseudonymous, "the same room is used again")
}

// What follows each check that did not pass uses the pseudo-ID room alone, or the ordinary one if the candidate has no such rooms.
func TestWorksInOneRoom(t *testing.T) {
	c := newCandidate(t)
	d := c.deploy(t, OneServer)
	require.NoError(t, d.Works(deadline(t)))
	c.homes["hs1"].Answer("PUT", d.healthUsers[0].room, 500, `{"errcode":"M_UNKNOWN"}`)
	assert.ErrorContains(t, d.Works(deadline(t)), "500")

	c.mu.Lock()
	c.facts["hs1"] = Facts{Supported: true, Format: pseudoid.FormatMSC4014}
	c.mu.Unlock()
	require.NoError(t, d.Works(deadline(t)))
	c.homes["hs1"].Answer("PUT", d.healthUsers[0].pseudonymous, 500, `{"errcode":"M_UNKNOWN"}`)
	assert.ErrorContains(t, d.Works(deadline(t)), "in a pseudo-ID room")
}
