package main

// What doctor finds out about the container engine.

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/docker/docker/api/types"
	"github.com/docker/docker/api/types/system"
	"github.com/docker/docker/api/types/versions"
	"github.com/docker/docker/client"

	"msc4014/runtime/candidate"
	"msc4014/runtime/docker"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/session"
)

const (
	// oldestAPI is the oldest version of the engine's API with which whole runs are tested: Docker 20.10's.
	oldestAPI = "1.41"
	// clockTolerance is by how much the clocks of this machine and of the engine's may differ, in addition to the time
	// that a request takes.
	clockTolerance = 5 * time.Second
	// engineTimeout bounds what an engine is asked, except for running a container.
	engineTimeout = 30 * time.Second
)

// examineContainers examines the engine, and reports whether servers can run in its containers.
func examineContainers(ctx context.Context) (findings []finding, work bool) {
	cli, err := engine.Connect(ctx)
	if err != nil {
		return []finding{{what: "containers", text: err.Error()}}, false
	}
	defer func() { _ = cli.Close() }()
	bounded, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	version, err := cli.ServerVersion(bounded)
	if err != nil {
		return []finding{{what: "containers", text: fmt.Sprintf("the engine at %s answers, but does not report its version: %v; "+
			"restart it, or set DOCKER_HOST to the address of another", cli.DaemonHost(), err)}}, false
	}
	findings = append(findings, examineEngine(cli, version))
	asked := time.Now()
	info, err := cli.Info(bounded)
	if err != nil {
		findings = append(findings, finding{what: "engine", text: fmt.Sprintf("it does not describe itself (docker info), so its "+
			"privileges, limits and clock are unknown: %v", err)})
	} else {
		answered := time.Now()
		findings = append(findings, examineLimits(info), examineEngineClock(info, asked, answered))
		if place, ok := free(info.DockerRootDir); ok && isLocalEngine(cli) {
			findings = append(findings, examineSpace("engine's disk", []space{place}))
		}
	}
	peers := examinePeers(ctx)
	findings = append(findings, peers)
	if err == nil {
		findings = append(findings, examineRootless(ctx, cli, info, engine.IsPodman(version), peers.ok))
	}
	return findings, peers.ok
}

// isLocalEngine reports whether the engine is at a socket of this machine, so that its paths are this machine's.
func isLocalEngine(cli *client.Client) bool { return strings.HasPrefix(cli.DaemonHost(), "unix://") }

// examineEngine says which engine answers, and whether its API is new enough.
func examineEngine(cli *client.Client, version types.Version) finding {
	name := "engine"
	if engine.IsPodman(version) {
		name = "Podman"
	}
	one := finding{what: "containers", ok: true, text: fmt.Sprintf("%s %s at %s, API %s, %s/%s", name, version.Version, cli.DaemonHost(),
		cli.ClientVersion(), version.Os, version.Arch)}
	if versions.LessThan(cli.ClientVersion(), oldestAPI) {
		one.ok = false
		one.text += fmt.Sprintf("; whole runs are tested with API %s and newer: upgrade to Docker 20.10 or newer, or unset DOCKER_API_VERSION", oldestAPI)
	}
	return one
}

// examineRootless says whether the engine runs as root. reached is whether a container could connect to this machine.
func examineRootless(ctx context.Context, cli *client.Client, info system.Info, podman, reached bool) finding {
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	rootless, err := engine.IsRootless(ctx, cli, info)
	const yes = "yes: its networks are not this machine's, so "
	switch {
	case err != nil:
		return finding{what: "rootless", text: err.Error()}
	case !rootless:
		return finding{what: "rootless", ok: true, text: "no, the engine runs as root"}
	case podman:
		return finding{what: "rootless", text: yes + "peers have names with ports, and connections to them fail at times (docs/engines.md): do not " +
			"judge servers with rootless Podman, but with Podman as root or rootless Docker"}
	case reached:
		return finding{what: "rootless", ok: true, text: yes + "peers have names with ports; docs/engines.md says what works"}
	}
	return finding{what: "rootless", text: yes + "containers need a name or address for this machine: set COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT " +
		"(see peers), or use an engine that runs as root; docs/engines.md says what works"}
}

// examineLimits checks that the engine can bound what a candidate uses.
func examineLimits(info system.Info) finding {
	var missing []string
	for _, limit := range []struct {
		what string
		can  bool
	}{{"memory", info.MemoryLimit}, {"processes", info.PidsLimit}, {"CPU", info.CPUCfsQuota}} {
		if !limit.can {
			missing = append(missing, limit.what)
		}
	}
	if len(missing) == 0 {
		return finding{what: "limits", ok: true, text: "the engine can limit memory, processes and CPU of containers"}
	}
	return finding{what: "limits", text: fmt.Sprintf("the engine cannot limit %s of containers, so a candidate can exhaust its machine: "+
		"enable these cgroup controllers (for a rootless engine: delegate them to the user)", strings.Join(missing, ", "))}
}

// examineEngineClock compares the engine's clock, which containers share, with this machine's. The engine was asked between the
// two times.
func examineEngineClock(info system.Info, before, after time.Time) finding {
	one := finding{what: "engine's clock"}
	now, err := time.Parse(time.RFC3339Nano, info.SystemTime)
	if err != nil {
		one.text = fmt.Sprintf("the engine does not say what time it is (%q)", info.SystemTime)
		return one
	}
	var off time.Duration
	switch {
	case now.Before(before):
		off = now.Sub(before)
	case now.After(after):
		off = now.Sub(after)
	}
	if one.ok = off.Abs() <= clockTolerance; one.ok {
		one.text = "agrees with this machine's"
		return one
	}
	direction := "ahead of"
	if off < 0 {
		direction = "behind"
	}
	one.text = fmt.Sprintf("%s %s this machine's: servers would see events and keys of the suite at the wrong time; "+
		"synchronize both with a time server, or restart the engine's virtual machine", off.Abs().Round(time.Second), direction)
	return one
}

// examinePeers checks that a container can connect to this machine, as candidates do to the suite's peers.
func examinePeers(ctx context.Context) finding {
	one := finding{what: "peers"}
	opened, err := session.Open()
	if err != nil {
		one.text = err.Error()
		return one
	}
	settings, _, _ := examineVariables(os.Environ()) // bad ones are a finding of their own
	address, err := docker.TryPeers(ctx, opened, settings)
	if err := errors.Join(err, opened.Close()); err != nil {
		one.text = strings.ReplaceAll(err.Error(), "\n", "\n"+strings.Repeat(" ", 23))
		return one
	}
	one.ok, one.text = true, "a container can connect to this machine, at "+address
	return one
}

// examineBases says where the base images of Synapse and of real clients would come from.
func examineBases(ctx context.Context, root string) finding {
	one := finding{what: "base images", ok: true}
	bases, err := candidate.Bases(ctx, root)
	if err != nil {
		return finding{what: "base images", text: "cannot be looked for: " + err.Error()}
	}
	var texts, plans []string
	for _, base := range bases {
		text := fmt.Sprintf("%s (for %s)", base.Image, base.For)
		switch {
		case base.Found:
			text += " is there"
		case base.Registry == nil:
			text += " will be pulled when it is needed"
		default:
			text += fmt.Sprintf(" is missing, and no registry offers it (%s)", firstLine(base.Registry.Error()))
			if base.Problem != nil {
				one.ok = false
				text += ", and it cannot be built here: " + base.Problem.Error()
			} else if plans = append(plans, base.Plan); len(plans) == 1 {
				text += "; --bootstrap-base builds it: " + base.Plan
			} else {
				text += "; --bootstrap-base builds it likewise"
			}
		}
		texts = append(texts, text)
	}
	one.text = strings.Join(texts, ".\n"+strings.Repeat(" ", 23))
	return one
}

// examineLeftovers says what ended runs left behind, and how to remove it.
func examineLeftovers(ctx context.Context) finding {
	bounded, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	var api client.APIClient
	if cli, err := engine.Connect(bounded); err == nil {
		defer func() { _ = cli.Close() }()
		api = cli
	}
	left, err := session.Left(bounded, api)
	if err != nil {
		return finding{what: "leftovers", text: "cannot be looked for: " + err.Error()}
	}
	var texts []string
	add := func(runs []string, text string) {
		if len(runs) > 0 {
			texts = append(texts, fmt.Sprintf(text, strings.Join(runs, ", ")))
		}
	}
	add(left.Dead, "of killed runs (%s): ./run.sh clean removes them, and so does the next run")
	add(left.Kept, "of runs with --keep (%s): ./run.sh clean removes them")
	add(left.Elsewhere, "of killed runs with other state folders or on other machines (%s): ./run.sh clean --all removes them")
	one := finding{what: "leftovers", ok: len(texts) == 0, text: strings.Join(texts, "; ")}
	if one.ok {
		one.text = "none"
	}
	programs, images, err := candidate.Built(bounded)
	if built := counted(len(programs), len(images)); err == nil && built != "" {
		one.text += "; kept for the next run: " + built + " (./run.sh clean --builds removes what no live run uses)"
	}
	return one
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
