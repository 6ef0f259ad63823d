package suite

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/check"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
	"msc4014/runtime/complement"
)

// fakeEngine is a runtime of which only the engine is asked.
type fakeEngine struct {
	runtime.Runtime
	err error
}

func (f fakeEngine) EngineVersion(context.Context) (version, apiVersion string, err error) {
	return "28.5.2", "1.51", f.err
}

func TestEnvironment(t *testing.T) {
	options := check.Options{Seed: 7, Parallel: 3}
	got, err := environmentOf(t.Context(), plan.Plan{Shuffle: 5}, options, complement.Options{}, fakeEngine{})
	require.NoError(t, err)
	got.Variables = nil // of the machine
	assert.Equal(t, verdict.Environment{
		OS: goruntime.GOOS, Arch: goruntime.GOARCH, Go: goruntime.Version(), Engine: &verdict.Engine{Version: "28.5.2", APIVersion: "1.51"},
		Seed: 7, Shuffle: 5, Parallel: 3,
	}, got)
	got, err = environmentOf(t.Context(), plan.Plan{}, options, complement.Options{}, fakeEngine{err: errors.New("no answer")})
	assert.EqualError(t, err, "no answer")
	assert.Nil(t, got.Engine)
	assert.Equal(t, uint64(7), got.Seed)
}

// TestVariablesInResults: only names that the suite knows, so that no secret gets into results.
func TestVariablesInResults(t *testing.T) {
	environment := []string{
		"COMPLEMENT_DEBUG=1", "COMPLEMENT_BASE_IMAGE=", "COMPLEMENT_BASE_IMAGE_hs1=mine:dev", "COMPLEMENT_BASE_IMAGE_HS9=mine:dev",
		"COMPLEMENT_TOKEN=secret", "MSC4014_STATE_DIR=/state", "MSC4014_LOG_LEVEL=trace", "MSC4014_ROOT=/home/somebody", "MSC4014_PASSWORD=secret",
		"COMPLEMENT_CONTAINER_CPU_CORES=2", "COMPLEMENT_POST_TEST_SCRIPT=/" + strings.Repeat("x", 2*maxValue), "PATH=/bin", "COMPLEMENT_SHARE_ENV_PREFIX=PASS_",
		"PASS_MSC4014_LOG_LEVEL=debug", "PASS_DATABASE_PASSWORD=secret",
	}
	settings, err := complement.FromEnvironment(environment)
	require.NoError(t, err)
	inEffect := map[string]string{
		"COMPLEMENT_DEBUG": "1", "COMPLEMENT_BASE_IMAGE_hs1": "mine:dev", "COMPLEMENT_CONTAINER_CPU_CORES": "2", "COMPLEMENT_SHARE_ENV_PREFIX": "PASS_",
		"COMPLEMENT_POST_TEST_SCRIPT": "/" + strings.Repeat("x", maxValue-1) + "...", "MSC4014_STATE_DIR": "/state", "MSC4014_LOG_LEVEL": "debug",
	}
	assert.Equal(t, inEffect, variables(environment, "docker", settings))
	for _, name := range []string{"COMPLEMENT_BASE_IMAGE_hs1", "COMPLEMENT_CONTAINER_CPU_CORES", "COMPLEMENT_POST_TEST_SCRIPT"} {
		delete(inEffect, name) // only containers have them
	}
	assert.Equal(t, inEffect, variables(environment, "process", settings))
}

// TestEvidenceOfTheFirstAttempt: that of both attempts at a check is kept.
func TestEvidenceOfTheFirstAttempt(t *testing.T) {
	folder := t.TempDir()
	keep := keeper(plan.Plan{Results: folder})
	result := verdict.CheckResult{Name: "a check", Verdict: verdict.Fail, Reason: "no answer"}
	for _, first := range []bool{true, false} {
		_, _, err := keep(result, first, check.Evidence{Attached: map[string][]byte{"input.json": []byte("{}")}})
		require.NoError(t, err)
	}
	files, err := os.ReadDir(filepath.Join(folder, "checks"))
	require.NoError(t, err)
	var names []string
	for _, file := range files {
		names = append(names, file.Name())
	}
	assert.Equal(t, []string{
		"a-check.first.har", "a-check.first.input.json", "a-check.first.log", "a-check.har", "a-check.input.json", "a-check.log",
	}, names)
}
