// Package ci tests .ci/run, as far as that needs no run of it.
package ci

import (
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// steps matches the part of .ci/run that times its steps.
var steps = regexp.MustCompile(`(?ms)^steps=\(\).*^trap finish EXIT$`)

// TestStepTimes: the end of the log tells how long each step took, and which one failed.
func TestStepTimes(t *testing.T) {
	script, err := os.ReadFile("../../.ci/run")
	require.NoError(t, err)
	part := steps.FindString(string(script))
	require.NotEmpty(t, part)
	// Once unset, SECONDS is a variable like any other: the test is the clock.
	const two = "step first\nSECONDS=75\nstep 'second, of two'\nSECONDS=80\n"
	const began = "\n== first (0s)\n\n== second, of two (75s)\n\n== time of each step\n    75s  first\n"
	for last, want := range map[string]struct {
		status int
		output string
	}{
		"true":   {0, began + "     5s  second, of two\n    80s  in all\n"},
		"exit 3": {3, began + "     5s  second, of two (failed)\n    80s  in all\n"},
		"false":  {1, began + "     5s  second, of two (failed)\n    80s  in all\n"},
	} {
		command := exec.Command("bash", "-c", "set -euo pipefail\nunset SECONDS\nSECONDS=0\n"+part+"\n"+two+last)
		output, err := command.CombinedOutput()
		if want.status == 0 {
			assert.NoError(t, err)
		}
		assert.Equal(t, want.status, command.ProcessState.ExitCode(), last)
		assert.Equal(t, want.output, string(output), last)
	}
}
