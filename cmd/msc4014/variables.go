package main

// Variables of the environment: what is wrong with them, and names that look like one of the suite's and are none.

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
)

// ours are the suite's own variables.
var ours = []string{rootVariable, "MSC4014_STATE_DIR"}

// forServers are variables that entry points of servers read. The suite sets most of them itself and hands on none.
var forServers = []string{
	"MSC4014_CA_DIR", "MSC4014_DATA_DIR", "MSC4014_EPHEMERAL", "MSC4014_HTTPS_ADDRESS", "MSC4014_HTTP_ADDRESS", "MSC4014_LOG_LEVEL",
	"MSC4014_PROGRAM_DIR", "MSC4014_REFERENCE_DIALECT", "MSC4014_REFERENCE_FAULTS", "MSC4014_REFERENCE_READINGS",
}

// testPrefix begins the names of variables that tests of the suite read.
const testPrefix = "MSC4014_TEST_"

// choosing are the variables that say which image is judged.
var choosing = []string{"COMPLEMENT_BASE_IMAGE", "COMPLEMENT_BASE_IMAGE_HS1", "COMPLEMENT_BASE_IMAGE_HS2"}

// misspelt is how many letters differ at most where one name may be meant by the other.
const misspelt = 3

// anyHost is what Complement calls the servers of a deployment.
var anyHost = regexp.MustCompile(`^hs[0-9]+$`)

// examineVariables looks the environment over, which is what os.Environ gives. Its error is for values that are wrong, and for
// unknown names that look like they choose what is judged: overlooked, they would have another server judged. Notices are for
// people, a line each. Complement passes over names that it does not know, and a job may have those of a later version, so
// any other unknown name is a notice.
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
		case slices.Contains(forServers, name):
			servers = append(servers, name)
		case distance == 0, strings.HasPrefix(name, testPrefix), isBaseImage && slices.Contains(complement.Hosts, host):
		case isBaseImage && anyHost.MatchString(host):
			notices = append(notices, fmt.Sprintf("%s means nothing: no deployment here has a server %s, only %s; the nearest known name is %s",
				name, host, strings.Join(complement.Hosts, " and "), nearest))
		case distance <= misspelt && slices.Contains(choosing, nearest), strings.Contains(name, "IMAGE"):
			problems = append(problems, fmt.Errorf("the variable %s is unknown, and looks like it says what is judged; the nearest known name is %s: "+
				"correct it, or unset it", name, nearest))
		default:
			notices = append(notices, fmt.Sprintf("the variable %s is unknown and means nothing; the nearest known name is %s", name, nearest))
		}
	}
	if len(unused) > 0 {
		notices = append(notices, "these variables of Complement mean nothing here: "+strings.Join(unused, ", "))
	}
	if len(servers) > 0 {
		notices = append(notices, "these variables are for servers, and are handed on only under a prefix (COMPLEMENT_SHARE_ENV_PREFIX): "+
			strings.Join(servers, ", "))
	}
	return settings, notices, errors.Join(problems...)
}

// namesIn returns the names in environment that look like the suite's or Complement's, in order. Empty ones are as good as
// unset, and what is shared with servers is none of the suite's business.
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
		if looksLike && value != "" && (shared == "" || !strings.HasPrefix(name, shared)) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// nearestName is the known name that takes the fewest changes of a letter, and how many; of several, one that says what is
// judged.
func nearestName(name string) (nearest string, distance int) {
	nearest = slices.MinFunc(slices.Concat(choosing, complement.Used, ours, forServers, complement.Unused), func(a, b string) int {
		return levenshtein.ComputeDistance(name, a) - levenshtein.ComputeDistance(name, b)
	})
	return nearest, levenshtein.ComputeDistance(name, nearest)
}

// namedBy makes errors about a candidate that a variable names say so.
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

// examineEnvironment is what doctor says of the variables.
func examineEnvironment() finding {
	_, notices, err := examineVariables(os.Environ())
	one := finding{what: "variables", ok: err == nil && len(notices) == 0, needed: err != nil, text: strings.Join(notices, "; ")}
	switch {
	case err != nil:
		one.text = strings.ReplaceAll(err.Error(), "\n", "; ")
	case one.ok:
		one.text = "none is unknown"
	}
	return one
}
