package suite

// The runtime that servers run in, as the plan decided.

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"msc4014/helpers/plan"
	"msc4014/runtime"
	"msc4014/runtime/authority"
	"msc4014/runtime/candidate"
	"msc4014/runtime/complement"
	"msc4014/runtime/docker"
	"msc4014/runtime/process"
	"msc4014/runtime/session"
)

// foundation is what deployments need: the servers' artifacts, a runtime, and the authority that signs the certificates of servers and
// peers.
type foundation struct {
	artifacts runtime.Artifacts
	runtime   runtime.Runtime
	authority *authority.Authority
}

// startRuntime creates the runtime that the plan names.
func startRuntime(
	ctx context.Context, wanted plan.Plan, joined *session.Session, settings complement.Options, warn func(string),
) (foundation, error) {
	if err := checkScript(settings.PostTestScript); err != nil {
		return foundation{}, err
	}
	folder := filepath.Join(joined.Dir, "authority")
	issuer, err := authority.New(folder)
	if err != nil {
		return foundation{}, err
	}
	base := foundation{authority: issuer, artifacts: artifacts(wanted, settings)}
	used := base.artifacts.All()
	if wanted.Clients != nil {
		used = append(used, *wanted.Clients)
	}
	for _, artifact := range used {
		// The command line holds them, too, but may be killed while this process continues.
		if err := candidate.Hold(ctx, artifact); err != nil {
			return foundation{}, err
		}
	}
	switch wanted.Runtime {
	case "docker":
		base.runtime, err = docker.New(ctx, wanted.Artifact, docker.Options{
			Session: joined, Authority: issuer, ByHost: base.artifacts.ByHost, Clients: wanted.Clients, Complement: settings,
			Warn: warn,
		})
	case "process":
		if useless := settings.ContainersOnly(); len(useless) > 0 {
			warn("ignored, because only containers support them: " + strings.Join(useless, ", "))
		}
		base.runtime, err = process.New(wanted.Artifact, process.Options{
			SessionDir: joined.Dir, Authority: issuer, Recorder: joined, ByHost: base.artifacts.ByHost,
			SpawnTimeout: settings.SpawnTimeout, Environment: settings.Environment,
		})
	default:
		err = fmt.Errorf("there is no runtime %q", wanted.Runtime)
	}
	if wanted.Keep && err == nil {
		err = errors.Join(err, joined.Keep())
	}
	return base, err
}

// artifacts returns what the servers run: the plan's candidates and, in containers, Complement's images for particular servers,
// unless those are the candidate's own.
func artifacts(wanted plan.Plan, settings complement.Options) runtime.Artifacts {
	made := runtime.Artifacts{Main: wanted.Artifact, ByHost: map[string]runtime.Artifact{}}
	switch {
	case wanted.Second != nil:
		made.ByHost["hs2"] = *wanted.Second
	case wanted.Runtime == "docker":
		for _, image := range settings.ServerImages() {
			if image.Image != wanted.Artifact.Image {
				made.ByHost[image.Host] = runtime.Artifact{Candidate: "image:" + image.Image, Image: image.Image}
			}
		}
	}
	return made
}
