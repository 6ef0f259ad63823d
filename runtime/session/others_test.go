package session

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime/docker/engine"
	"msc4014/runtime/docker/engine/enginetest"
)

// volume is an object of a run.
func volume(name, run, host, state string, more ...string) enginetest.Object {
	labels := map[string]string{LabelRun: run, LabelHost: host, LabelState: state}
	if len(more) > 0 {
		labels[LabelLease] = more[0]
	}
	return enginetest.Object{Kind: "volume", Name: name, Labels: labels}
}

func TestAllLeavesLiveRunsOfOtherStateFolders(t *testing.T) {
	isolate(t)
	other := filepath.Join(t.TempDir(), "other")
	t.Setenv(StateVariable, other)
	killed, killedDir, _ := holder(t, false)
	_, liveDir, livePIDs := holder(t, false)
	kept, err := Open()
	require.NoError(t, err)
	require.NoError(t, kept.Keep())
	require.NoError(t, kept.Close())
	dead := filepath.Base(killedDir)
	kill(t, killed)
	otherState := filepath.Dir(filepath.Dir(liveDir))

	state := isolate(t)
	host, hostName := HostIdentity(), strings.Split(HostIdentity(), "/")[0]
	soon, past := time.Now().Add(time.Hour).UTC().Format(time.RFC3339), time.Now().Add(-time.Hour).UTC().Format(time.RFC3339)
	earlier := func(name, run, state string, running bool, created time.Time) enginetest.Object {
		object := volume(name, run, hostName+"/an-earlier-boot/1", state)
		object.Kind, object.Running, object.Created = "container", running, created
		return object
	}
	long := bootTime().Add(-time.Hour)
	old := volume("no-lease-and-old", "0000000009", "ci-2/boot/1", "/state")
	old.Created = time.Now().Add(-leaseTime - time.Minute)
	fake := enginetest.Start(t,
		volume("ours", "0000000001", host, state),
		earlier("ours-before-a-reboot", "0000000002", state, false, long),
		volume("live", filepath.Base(liveDir), host, otherState),
		volume("kept", kept.ID, host, otherState),
		volume("dead", dead, host, otherState),
		volume("gone", "0000000003", host, otherState),
		volume("gone-with-its-state-folder", "0000000004", host, "/nowhere/state"),
		volume("leased", "0000000005", "ci-1/boot/1", "/state", soon),
		volume("lease-over", "0000000006", "ci-2/boot/1", "/state", past),
		volume("renewed", "0000000007", "ci-2/boot/1", "/state", past),
		volume("renewed-later", "0000000007", "ci-2/boot/1", "/state", soon),
		volume("no-lease", "0000000008", "ci-2/boot/1", "/state"),
		old,
		earlier("before-a-reboot", "000000000a", "/state", false, long),
		earlier("namesake-that-runs", "000000000b", "/state", true, time.Now().Add(-time.Hour)),
		earlier("namesake-since-the-boot", "000000000c", "/state", false, time.Now()),
		volume("not-a-run", "experiment1", "ci-2/boot/1", "/state", past),
	)
	clean(t)
	left := fake.Names()
	assert.NotContains(t, left, "ours")
	assert.NotContains(t, left, "ours-before-a-reboot", "certainly dead")
	assert.Len(t, left, 15, "others' are left without --all")

	var said []string
	require.NoError(t, Clean(t.Context(), CleanOptions{All: true}, func(line string) { said = append(said, line) }))
	assert.Equal(t, []string{
		"kept", "leased", "live", "namesake-since-the-boot", "namesake-that-runs", "no-lease", "not-a-run", "renewed", "renewed-later",
	}, fake.Names())
	text := strings.Join(said, "\n")
	for _, words := range []string{
		`left 1 containers, networks and volumes of the run "` + filepath.Base(liveDir) + `": it is alive, with the state folder ` + otherState,
		`"0000000005": it is on another machine, ci-1/boot/1; it counts as alive until ` + soon,
		`left 2 containers, networks and volumes of the run "0000000007"`,
		"removed 1 containers, networks and volumes of the unknown run " + dead,
		kept.ID + `": it is kept; use clean with `,
	} {
		assert.Contains(t, text, words)
	}
	assert.DirExists(t, liveDir)
	assert.False(t, ended(livePIDs[0]))
}

func TestAllNeedsAnEngine(t *testing.T) {
	isolate(t)
	err := Clean(t.Context(), CleanOptions{All: true}, func(string) {})
	assert.ErrorContains(t, err, "no container engine answers")
}

func TestOrphansAreOnlyOurs(t *testing.T) {
	state := isolate(t)
	live, err := Open()
	require.NoError(t, err)
	defer func() { require.NoError(t, live.Close()) }()
	object := func(run, host, state string) engine.Object {
		return engine.Object{Labels: map[string]string{LabelRun: run, LabelHost: host, LabelState: state}}
	}
	objects := []engine.Object{
		object(live.ID, HostIdentity(), state),
		object("0123456789", HostIdentity(), state), object("0123456789", HostIdentity(), state),
		object("elsewhere", "other", state), object("beside", HostIdentity(), "/other"), object("", "", ""),
	}
	runs := func(others bool) (all []string) {
		for _, left := range orphans(objects, state, others) {
			all = append(all, left.run)
		}
		return all
	}
	assert.Equal(t, []string{"0123456789"}, runs(false))
	assert.Equal(t, []string{"0123456789", "beside", "elsewhere"}, runs(true))
}
