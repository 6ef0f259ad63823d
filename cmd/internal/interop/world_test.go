package interop

// The servers of a test, and the users on them.

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/csapi"
	"msc4014/runtime"
	"msc4014/runtime/authority"
	"msc4014/runtime/candidate/candidatetest"
	"msc4014/runtime/complement"
	"msc4014/runtime/docker"
	"msc4014/runtime/process"
	"msc4014/runtime/session"
)

// patience bounds one story, even on a busy machine.
const patience = 90 * time.Second

// deployment has one server for each of some candidates, in one network.
type deployment struct {
	servers map[string]runtime.Server // by the candidate's name
	issuer  *authority.Authority      // of their certificates
}

// deploy starts one server for each candidate. They end with the test.
func deploy(t *testing.T, runtimeName string, names ...string) deployment {
	t.Helper()
	byHost := map[string]runtime.Artifact{}
	for i, name := range names {
		byHost[hostAt(i)] = candidatetest.Prepare(t, filepath.Join("..", "..", ".."), name, runtimeName, 2*patience)
	}
	run, err := session.Open()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, run.Close()) })
	folder := filepath.Join(run.Dir, "authority")
	issuer, err := authority.New(folder)
	require.NoError(t, err)

	var chosen runtime.Runtime
	if runtimeName == "docker" {
		settings, settingsErr := complement.FromEnvironment(os.Environ())
		require.NoError(t, settingsErr)
		settings.SpawnTimeout = patience
		chosen, err = docker.New(t.Context(), byHost["hs1"], docker.Options{
			Session: run, Authority: issuer, ByHost: byHost, Complement: settings, Warn: func(text string) { t.Log(text) },
		})
	} else {
		chosen, err = process.New(byHost["hs1"], process.Options{SessionDir: run.Dir, Authority: issuer, Recorder: run, ByHost: byHost, SpawnTimeout: patience, StopTimeout: patience})
	}
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, chosen.Close(context.Background())) })

	started := make([]runtime.Server, len(names))
	failures := make([]error, len(names))
	var starting sync.WaitGroup
	for i := range names {
		starting.Go(func() {
			started[i], failures[i] = chosen.Start(t.Context(), runtime.ServerOptions{Deployment: "d1", Host: hostAt(i)})
		})
	}
	starting.Wait()
	d := deployment{servers: map[string]runtime.Server{}, issuer: issuer}
	for i, name := range names {
		require.NoError(t, failures[i])
		d.servers[name] = started[i]
		t.Cleanup(func() {
			if t.Failed() {
				t.Logf("the end of the log of %s:\n%s", name, started[i].Log(60))
			}
		})
	}
	return d
}

// hostAt returns the host of the server with a number, beginning with 0.
func hostAt(number int) string { return fmt.Sprintf("hs%d", number+1) }

// api returns a server's client-server API.
func api(server runtime.Server) csapi.Server {
	return csapi.Server{Name: server.Name(), BaseURL: server.ClientURL, Timeout: 30 * time.Second}
}

// stories counts stories, so that no two have the same users.
var stories atomic.Int64

// tell tells a story of alice, on the server of one candidate, and bob, on the server of another, within the deadline.
func (d deployment) tell(t *testing.T, story story, host, guest, version string) {
	if story.notWith != "" && (strings.HasPrefix(host, story.notWith) || strings.HasPrefix(guest, story.notWith)) {
		t.Skip(story.because)
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	number := stories.Add(1)
	register := func(localpart, candidate string) *user {
		client, err := api(d.servers[candidate]).Register(ctx, fmt.Sprint(localpart, "-", number), "a long password")
		require.NoError(t, err)
		return &user{
			Client: client, software: candidate, t: t, ctx: ctx,
			timelines: map[string]*csapi.Timeline{}, seen: map[string]bool{},
		}
	}
	story.tell(register("alice", host), register("bob", guest), version)
}
