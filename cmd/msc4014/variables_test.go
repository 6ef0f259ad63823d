package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/blueprints"
	"msc4014/cmd/internal/run"
	"msc4014/runtime"
	"msc4014/runtime/complement"
)

func TestVariables(t *testing.T) {
	for variable, says := range map[string]string{
		"COMPLEMENT_DEBUG=1":                     "",
		"COMPLEMENT_CONTAINER_CPU_CORES=1":       "",
		"COMPLEMENT_BASE_IMAGE_HS2=x":            "",
		"COMPLEMENT_BASE_IMAGE_hs1=x":            "",
		"MSC4014_STATE_DIR=/x":                   "",
		"MSC4014_TEST_KILL=1":                    "",
		"HOME=/x":                                "",
		"COMPLEMENT_DEBUGG=":                     "",
		"COMPLEMENT_DEBUGG=1":                    "the unknown variable COMPLEMENT_DEBUGG is ignored; the nearest known name is COMPLEMENT_DEBUG",
		"COMPLEMENT_CONTAINER_CPUS=1":            "is ignored; the nearest known name is COMPLEMENT_CONTAINER_CPU_CORES",
		"COMPLEMENT_SPAWN_HS_TIMEOUT=1":          "the nearest known name is COMPLEMENT_SPAWN_HS_TIMEOUT_SECS",
		"COMPLEMENT_SOMETHING_OF_NEXT_YEAR=1":    "the unknown variable COMPLEMENT_SOMETHING_OF_NEXT_YEAR is ignored",
		"MSC4014_LOGLEVEL=debug":                 "the nearest known name is MSC4014_LOG_LEVEL",
		"MSC4014_STATEDIR=/x":                    "the nearest known name is MSC4014_STATE_DIR",
		"MSC4014_LOG_LEVEL=debug":                "these variables are for servers, and are passed on only under a prefix (COMPLEMENT_SHARE_ENV_PREFIX): MSC4014_LOG_LEVEL",
		"COMPLEMENT_BASE_IMAGE_HS9=x":            "COMPLEMENT_BASE_IMAGE_HS9 is ignored: deployments of this suite have no server hs9, only hs1 and hs2; the nearest known name is COMPLEMENT_BASE_IMAGE_HS1",
		"COMPLEMENT_KEEP_BLUEPRINTS=alice":       "these Complement variables are ignored: COMPLEMENT_KEEP_BLUEPRINTS",
		"COMPLEMENT_ENABLE_DIRTY_RUNS=1":         "these Complement variables are ignored: COMPLEMENT_ENABLE_DIRTY_RUNS",
		"COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS=on": "only 1 turns it on",
	} {
		_, notices, err := examineVariables([]string{variable})
		require.NoError(t, err, variable)
		if says == "" {
			assert.Empty(t, notices, variable)
		} else if assert.Len(t, notices, 1, variable) {
			assert.Contains(t, notices[0], says)
		}
	}
	_, notices, err := examineVariables([]string{"COMPLEMENT_X_A=1", "COMPLEMENT_X_MAX_IMAGE_SIZE=1", "COMPLEMENT_SHARE_ENV_PREFIX=COMPLEMENT_X_", "COMPLEMENT_Y=1"})
	require.NoError(t, err)
	assert.Len(t, notices, 1, "variables passed to servers are skipped: %s", notices)
	for _, prefix := range []string{"COMPLEMENT_", "COMP", "COMPLEMENT_B"} {
		_, notices, err := examineVariables([]string{"COMPLEMENT_SHARE_ENV_PREFIX=" + prefix, "COMPLEMENT_BASEIMAGE=x", "COMPLEMENT_B=1"})
		require.ErrorContains(t, err, "the variable COMPLEMENT_BASEIMAGE is unknown, but looks like it selects the image under test", prefix)
		assert.Empty(t, notices, "the other one is passed on")
	}
}

// TestVariablesThatSelectAnotherServer: a run that ignored them would be green for the wrong server.
func TestVariablesThatSelectAnotherServer(t *testing.T) {
	withoutResults(t)
	for name, nearest := range map[string]string{
		"COMPLEMENT_BASEIMAGE":       "COMPLEMENT_BASE_IMAGE",
		"COMPLEMENT_BASE_IMAGES":     "COMPLEMENT_BASE_IMAGE",
		"COMPLEMENT_BASE_IMG":        "COMPLEMENT_BASE_IMAGE",
		"COMPLEMENT_IMAGE":           "COMPLEMENT_BASE_IMAGE",
		"COMPLEMENT_BASE_IMAGE_HS_1": "COMPLEMENT_BASE_IMAGE_HS1",
		"COMPLEMENT_BASE_IMAGE_SH2":  "COMPLEMENT_BASE_IMAGE_HS2",
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "my-homeserver")
			status, output, errors := captured(t, "dendrite", "--run", "(") // rejected before anything else
			assert.Equal(t, run.StatusCannot, status)
			assert.Empty(t, output)
			assert.Equal(t, "msc4014: the variable "+name+" is unknown, but looks like it selects the image under test; the nearest known name is "+nearest+
				": correct it, or unset it\n", errors)
		})
	}
}

// TestEveryVariableOfTheSuiteIsKnown covers every name in the code, the scripts and the documentation.
func TestEveryVariableOfTheSuiteIsKnown(t *testing.T) {
	root, err := projectRoot()
	require.NoError(t, err)
	named := regexp.MustCompile(`\b(MSC4014|COMPLEMENT)_[A-Z0-9_]*[A-Z0-9]\b`)
	seen := map[string]bool{}
	require.NoError(t, filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
		relative, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (relative == "bin" || relative == "results" || relative == ".git"):
			return filepath.SkipDir
		case !entry.Type().IsRegular() || strings.HasSuffix(path, "_test.go") || filepath.Dir(relative) == filepath.Join("cmd", "msc4014"):
			return nil
		}
		text, err := os.ReadFile(path)
		for _, name := range named.FindAllString(string(text), -1) {
			seen[name] = true
		}
		return err
	}))
	assert.Greater(t, len(seen), 20)
	for name := range seen {
		_, distance := nearestName(name)
		assert.True(t, distance == 0 || strings.HasPrefix(name, testPrefix), name)
	}
	for _, blueprint := range blueprints.All {
		assert.LessOrEqual(t, blueprint.Servers, len(complement.Hosts), "each host is known")
	}
}

func TestErrorsNameTheVariableThatNamedTheCandidate(t *testing.T) {
	withoutResults(t)
	t.Setenv("COMPLEMENT_BASE_IMAGE", "UPPER")
	status, _, text := captured(t)
	assert.Equal(t, run.StatusCannot, status)
	assert.Contains(t, text, `msc4014: COMPLEMENT_BASE_IMAGE="UPPER": `)

	parse := namedBy("COMPLEMENT_BASE_IMAGE_HS1", func(string) (run.Candidate, error) {
		return run.Candidate{Prepare: func(context.Context, string, func(string)) (runtime.Artifact, error) {
			return runtime.Artifact{}, errors.New("it cannot be pulled")
		}}, nil
	})
	candidate, err := parse("image:nowhere")
	require.NoError(t, err)
	_, err = candidate.Prepare(t.Context(), "docker", nil)
	assert.EqualError(t, err, `COMPLEMENT_BASE_IMAGE_HS1="nowhere": it cannot be pulled`)
}
