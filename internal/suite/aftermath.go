package suite

// What the environment requests before servers are removed: printing their logs, and calling Complement's post-test script.

import (
	"context"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"msc4014/helpers/check"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
	"msc4014/runtime/complement"
)

// scriptLimit is the time limit of one call of the post-test script.
const scriptLimit = time.Minute

// checkScript returns an error if the post-test script cannot be called; it is checked before anything is started.
func checkScript(script string) error {
	if script == "" {
		return nil
	}
	if _, err := exec.LookPath(script); err != nil {
		return fmt.Errorf("COMPLEMENT_POST_TEST_SCRIPT=%q cannot be called: %w", script, err)
	}
	return nil
}

// aftermath returns what to do before each deployment is removed, or nil.
func aftermath(
	settings complement.Options, servers func(check.Deployment) []runtime.Server, emit func(verdict.Event),
) func(context.Context, check.Retired) {
	if !settings.AlwaysPrintLogs && settings.PostTestScript == "" {
		return nil
	}
	report := func(kind verdict.EventKind, format string, arguments ...any) {
		emit(verdict.Event{Kind: kind, Time: time.Now(), Message: fmt.Sprintf(format, arguments...)})
	}
	return func(ctx context.Context, retired check.Retired) {
		for _, server := range servers(retired.Deployment) {
			if settings.AlwaysPrintLogs {
				report(verdict.KindPrint, "==== the log of %s (%s)\n%s", server.Name(), usedBy(retired), server.Log(0))
			}
			contained, can := server.(runtime.Contained)
			if settings.PostTestScript == "" || !can {
				continue
			}
			output, err := callScript(ctx, settings.PostTestScript, contained.ContainerID(), retired)
			if output = strings.TrimSpace(output); output != "" {
				report(verdict.KindPrint, "==== the post-test script, for %s (%s)\n%s", server.Name(), usedBy(retired), output)
			}
			if err != nil {
				report(verdict.KindNote, "the post-test script %s failed for %s: %v", settings.PostTestScript, server.Name(), err)
			}
		}
	}
}

// callScript calls the script with Complement's arguments: container, test, and whether the test failed.
func callScript(ctx context.Context, script, container string, retired check.Retired) (string, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), scriptLimit)
	defer cancel()
	command := exec.CommandContext(ctx, script, container, usedBy(retired), strconv.FormatBool(retired.Failed))
	command.WaitDelay = time.Second
	output, err := command.CombinedOutput()
	return string(output), err
}

// usedBy names a deployment by the check that used it, or by its blueprint if several did.
func usedBy(retired check.Retired) string {
	if len(retired.Checks) == 1 {
		return retired.Checks[0]
	}
	return retired.Blueprint
}
