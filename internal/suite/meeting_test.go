package suite

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/blueprints/fake"
	"msc4014/helpers/check"
	"msc4014/helpers/formats"
	"msc4014/helpers/plan"
	"msc4014/helpers/pseudoid"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
	"msc4014/runtime/authority"
)

// imagedServer runs an image.
type imagedServer struct{ *fake.Server }

func (s imagedServer) ImageDigest(context.Context) (string, error) {
	return "sha256:of-" + s.Host(), nil
}

// met holds a meeting with fake servers and returns its result and the hosts that were started.
func met(t *testing.T, wanted plan.Plan, byHost map[string]runtime.Artifact, chosen ...*check.Check) (verdict.Candidate, []string) {
	t.Helper()
	issuer, err := authority.New(t.TempDir())
	require.NoError(t, err)
	started := make(chan string, 10)
	base := &fake.Runtime{OnStart: func(_ context.Context, options runtime.ServerOptions) (runtime.Server, error) {
		started <- options.Deployment + " " + options.Host
		home := fake.NewHomeserver(options.Host)
		t.Cleanup(home.Close)
		server := &fake.Server{ServerName: options.Host, Place: options.Host, URL: home.URL}
		if wanted.Artifact.Image != "" {
			return imagedServer{server}, nil
		}
		return server, nil
	}}
	world := blueprints.NewWorld(base, issuer, nil)
	world.Artifacts = runtime.Artifacts{Main: wanted.Artifact, ByHost: byHost}
	t.Cleanup(func() { assert.NoError(t, world.Close(context.Background())) })
	runner := check.New(check.Options{Deployments: world, Emit: func(verdict.Event) {}})
	held := &meeting{runner: runner, world: world, wanted: wanted, chosen: chosen, warn: func(text string) { t.Log(text) }}
	candidate, err := held.hold(t.Context())
	require.NoError(t, err)
	close(started)
	var servers []string
	for server := range started {
		servers = append(servers, server)
	}
	return candidate, servers
}

func TestMeeting(t *testing.T) {
	one, other := runtime.Artifact{Candidate: "one", Version: "1", Image: "i"}, runtime.Artifact{Candidate: "other"}
	onOne, onTwo := &check.Check{Name: "a"}, &check.Check{Name: "b", TwoServers: true}
	beside := map[string]runtime.Artifact{"hs2": other}
	// The fakes create any room, but peers cannot join: nothing shows their format.
	unseen := (&formats.Evidence{}).Learn(pseudoid.RoomVersion).String()
	hs1 := verdict.Server{Host: "hs1", Name: "one", Version: "1", Image: "i", Digest: "sha256:of-hs1", Format: unseen}
	alone := verdict.Candidate{
		Name: "one", Version: "1", Image: "i", Digest: "sha256:of-hs1", RoomVersion: pseudoid.RoomVersion,
		Servers: []verdict.Server{hs1},
	}
	twice, mixed := alone, alone
	twice.Servers = []verdict.Server{hs1, hs1}
	twice.Servers[1].Host = "hs2"
	mixed.Servers = []verdict.Server{hs1, {Host: "hs2", Name: "other", Digest: "sha256:of-hs2", Format: unseen}}
	pair := verdict.Candidate{Name: "one,other", RoomVersion: pseudoid.RoomVersion, Servers: mixed.Servers}

	candidate, started := met(t, plan.Plan{Artifact: one}, nil, onOne, onTwo)
	assert.Equal(t, twice, candidate)
	assert.Equal(t, []string{"d1 hs1"}, started)

	candidate, started = met(t, plan.Plan{Artifact: one, Second: &other}, beside, onTwo)
	assert.Equal(t, pair, candidate)
	assert.ElementsMatch(t, []string{"d1 hs1", "d1 hs2"}, started)

	candidate, started = met(t, plan.Plan{Artifact: one}, beside, onOne, onTwo)
	assert.Equal(t, mixed, candidate, "an image for hs2")
	assert.ElementsMatch(t, []string{"d1 hs1", "d2 hs1", "d2 hs2"}, started)

	candidate, started = met(t, plan.Plan{Artifact: one}, beside, onOne)
	assert.Equal(t, alone, candidate, "no check uses hs2")
	assert.Equal(t, []string{"d1 hs1"}, started)
}
