package suite

// The environment of a run: what may make it differ from another run of the same candidate.

import (
	"context"
	"os"
	goruntime "runtime"
	"slices"
	"strings"

	"msc4014/helpers/check"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
	"msc4014/runtime/complement"
	"msc4014/runtime/session"
)

// maxValue bounds the value of a variable in results, in bytes.
const maxValue = 256

// environmentOf describes the environment of a run with the given options. An engine that does not tell its version is an error, beside
// the rest.
func environmentOf(ctx context.Context, wanted plan.Plan, options check.Options, settings complement.Options, used runtime.Runtime) (verdict.Environment, error) {
	environment := verdict.Environment{
		OS: goruntime.GOOS, Arch: goruntime.GOARCH, Go: goruntime.Version(),
		Seed: options.Seed, Shuffle: wanted.Shuffle, Parallel: options.Parallel, Variables: variables(os.Environ(), wanted.Runtime, settings),
	}
	engined, has := used.(runtime.Engined)
	if !has {
		return environment, nil
	}
	version, api, err := engined.EngineVersion(ctx)
	if err == nil {
		environment.Engine = &verdict.Engine{Version: version, APIVersion: api}
	}
	return environment, err
}

// variables returns the variables in effect, of those in environment (in the form of os.Environ) that the suite knows by name, and of
// those that it passes to servers under a prefix. Of all others even the names are left out: they may hold secrets.
func variables(environment []string, runtimeName string, settings complement.Options) map[string]string {
	inEffect := map[string]string{}
	add := func(name, value string) {
		if value == "" {
			return
		}
		if len(value) > maxValue {
			value = value[:maxValue] + "..."
		}
		inEffect[name] = strings.ToValidUTF8(value, "?")
	}
	for _, variable := range environment {
		name, value, _ := strings.Cut(variable, "=")
		host, isBaseImage := complement.BaseImageHost(name)
		switch {
		case runtimeName == "process" && slices.Contains(settings.ContainersOnly(), strings.ToUpper(name)):
		case slices.Contains(complement.Used, name), name == session.StateVariable, isBaseImage && slices.Contains(complement.Hosts, host):
			add(name, value)
		}
	}
	for _, shared := range settings.Environment {
		if name, value, _ := strings.Cut(shared, "="); slices.Contains(runtime.Variables, name) {
			add(name, value)
		}
	}
	return inEffect
}
