package main

// Environment variables: invalid values, and unknown names that resemble the suite's or Complement's.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/agnivade/levenshtein"

	"msc4014/cmd/internal/run"
	"msc4014/runtime"
	"msc4014/runtime/complement"
	"msc4014/runtime/session"
)

// ours are the suite's own variables.
var ours = []string{rootVariable, session.StateVariable}

// testPrefix is the prefix of variables that the suite's own tests read.
const testPrefix = "MSC4014_TEST_"

// choosing are the variables that select the image under test.
var choosing = []string{"COMPLEMENT_BASE_IMAGE", "COMPLEMENT_BASE_IMAGE_HS1", "COMPLEMENT_BASE_IMAGE_HS2"}

// misspelt is the largest edit distance at which a name counts as a misspelling of another.
const misspelt = 3

// anyHost matches the names that Complement gives the servers of a deployment.
var anyHost = regexp.MustCompile(`^hs[0-9]+$`)

// examineVariables checks the environment, in the form of os.Environ. It returns an error for invalid values, and for
// unknown names that look like they select the image under test: ignoring them would test another server. Notices are for
// people, one line each. Complement ignores names that it does not know, and a job may set those of a later version, so any
// other unknown name is only a notice.
func examineVariables(environment []string) (settings complement.Options, notices []string, err error) {
	settings, err = complement.FromEnvironment(environment)
	problems := []error{err}
	notices = settings.Notices
	var unused, servers []string
	for _, name := range namesIn(environment) {
		host, isBaseImage := complement.BaseImageHost(name)
		switch nearest, distance := nearestName(name); {
		case slices.Contains(complement.Unused, name):
			unused = append(unused, name)
		case slices.Contains(runtime.Variables, name):
			servers = append(servers, name)
		case distance == 0, strings.HasPrefix(name, testPrefix), isBaseImage && slices.Contains(complement.Hosts, host):
		case isBaseImage && anyHost.MatchString(host):
			notices = append(notices, fmt.Sprintf("%s is ignored: deployments of this suite have no server %s, only %s; the nearest known name is %s",
				name, host, strings.Join(complement.Hosts, " and "), nearest))
		case looksChoosing(name):
			problems = append(problems, fmt.Errorf("the variable %s is unknown, but looks like it selects the image under test; the nearest known name is %s: "+
				"correct it, or unset it", name, nearest))
		default:
			notices = append(notices, fmt.Sprintf("the unknown variable %s is ignored; the nearest known name is %s", name, nearest))
		}
	}
	if len(unused) > 0 {
		notices = append(notices, "these Complement variables are ignored: "+strings.Join(unused, ", "))
	}
	if len(servers) > 0 {
		notices = append(notices, "these variables are for servers, and are passed on only under a prefix (COMPLEMENT_SHARE_ENV_PREFIX): "+
			strings.Join(servers, ", "))
	}
	return settings, notices, errors.Join(problems...)
}

// namesIn returns the names in environment that look like the suite's or Complement's, sorted. An empty variable counts as
// unset, and variables shared with servers are skipped, unless the prefix is that of the variables which select the image under
// test, as "COMPLEMENT_" is, and they look like one of these.
func namesIn(environment []string) []string {
	shared := ""
	for _, variable := range environment {
		if prefix, found := strings.CutPrefix(variable, "COMPLEMENT_SHARE_ENV_PREFIX="); found {
			shared = prefix
		}
	}
	var names []string
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		looksLike := strings.HasPrefix(name, "COMPLEMENT_") || strings.HasPrefix(name, "MSC4014_")
		isShared := shared != "" && strings.HasPrefix(name, shared)
		if looksLike && value != "" && (!isShared || strings.HasPrefix(choosing[0], shared) && looksChoosing(name)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// looksChoosing reports whether a name looks like it selects the image under test.
func looksChoosing(name string) bool {
	nearest, distance := nearestName(name)
	return distance <= misspelt && slices.Contains(choosing, nearest) || strings.Contains(name, "IMAGE")
}

// nearestName returns the known name with the smallest edit distance, and that distance; among equals it prefers a name that
// selects the image under test.
func nearestName(name string) (nearest string, distance int) {
	nearest = slices.MinFunc(slices.Concat(choosing, complement.Used, ours, runtime.Variables, complement.Unused), func(a, b string) int {
		return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
	})
	return nearest, levenshtein.ComputeDistance(name, nearest)
}

// namedBy wraps parse so that errors about a candidate name the variable it came from.
func namedBy(variable string, parse func(string) (run.Candidate, error)) func(string) (run.Candidate, error) {
	named := func(typed string, err error) error {
		if err == nil {
			return nil
		}
		return fmt.Errorf("%s=%q: %w", variable, strings.TrimPrefix(typed, "image:"), err)
	}
	return func(typed string) (run.Candidate, error) {
		candidate, err := parse(typed)
		prepare := candidate.Prepare
		candidate.Prepare = func(ctx context.Context, runtimeName string, progress func(string)) (runtime.Artifact, error) {
			artifact, err := prepare(ctx, runtimeName, progress)
			return artifact, named(typed, err)
		}
		return candidate, named(typed, err)
	}
}

// examineEnvironment returns doctor's finding about the variables.
func examineEnvironment() finding {
	_, notices, err := examineVariables(os.Environ())
	one := finding{what: "variables", ok: err == nil && len(notices) == 0, needed: err != nil, text: strings.Join(notices, "; ")}
	switch {
	case err != nil:
		one.text = strings.ReplaceAll(err.Error(), "\n", "; ")
	case one.ok:
		one.text = "no unknown variables"
	}
	return one
}
