package main

// doctor: is this machine ready, and if not, what to do.

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"msc4014/cmd/internal/run"
	"msc4014/report"
	"msc4014/runtime/candidate"
	"msc4014/runtime/docker"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/session"
)

// What a run needs at least: two servers and the suite in memory, an image and its build on disk.
const (
	memoryWanted = 1 << 30
	diskWanted   = 2 << 30
)

// finding is what doctor says of one thing.
type finding struct {
	what   string
	ok     bool
	needed bool // without it no run is possible at all
	text   string
}

// newDoctorCommand returns the command that looks the machine over.
func newDoctorCommand(status *int) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Is this machine ready, and if not, what to do",
		Long: `Looks whether this machine can run the suite, and says what to do where it cannot. Where a container engine
answers, a container tries to connect to this machine, as candidates do to the peers that the suite plays.
Exit status: 0 if at least one runtime works; 2 if no run can be made.`,
		Args: noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
			root, err := projectRoot()
			if err != nil {
				return err
			}
			if !writeFindings(os.Stdout, report.StyleFor(os.Stdout, os.Getenv), examine(command.Context(), root)) {
				*status = run.StatusCannot
			}
			return nil
		},
	}
}

// examine looks at everything.
func examine(ctx context.Context, root string) []finding {
	containment := []finding{examineEngine(ctx)}
	contained := containment[0].ok
	if contained {
		peers := examinePeers(ctx)
		containment, contained = append(containment, peers), peers.ok
	}
	processes := examineProcesses()
	any := finding{what: "a runtime", ok: contained || processes.ok, needed: true}
	switch {
	case contained && processes.ok:
		any.text = "containers and plain processes both work"
	case contained:
		any.text = "containers work"
	case processes.ok && os.Getenv("DOCKER_HOST") != "":
		any.text = "plain processes work, with --runtime process alone: DOCKER_HOST names an engine that does not answer"
	case processes.ok:
		any.text = "plain processes work, containers do not: Dendrite and the reference can be judged, Synapse and images cannot"
	default:
		any.text = "neither containers nor plain processes work: see above"
	}
	return slices.Concat([]finding{examineGo(ctx, root), examineC(ctx, root)}, containment,
		[]finding{processes, any, examineState(), examineEnvironment(), examineDisk(root), examineMemory(), examineBase(ctx, root)})
}

// writeFindings writes a line each and tells whether everything needed is there.
func writeFindings(w io.Writer, style report.Style, findings []finding) bool {
	ready := true
	for _, one := range findings {
		mark := style.Good("ok  ")
		switch {
		case !one.ok && one.needed:
			mark, ready = style.Bad("no  "), false
		case !one.ok:
			mark = style.Warn("note")
		}
		_, _ = fmt.Fprintf(w, "%s  %-16s %s\n", mark, one.what, one.text)
	}
	return ready
}

func examineGo(ctx context.Context, root string) finding {
	one := finding{what: "Go", needed: true}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	command := exec.CommandContext(ctx, "go", "env", "GOVERSION")
	command.Dir = root
	output, err := command.CombinedOutput()
	if one.ok = err == nil; one.ok {
		one.text = strings.TrimSpace(string(output))
	} else {
		first, _, _ := strings.Cut(strings.TrimSpace(string(output)), "\n")
		one.text = strings.TrimSpace(fmt.Sprintf("%v %s; install Go from https://go.dev/dl", err, first))
	}
	return one
}

func examineC(ctx context.Context, root string) finding {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	one := finding{what: "C"}
	if one.ok = candidate.LinksC(ctx, root); one.ok {
		one.text = "static programs can be made: Dendrite is built with SQLite in C"
	} else {
		one.text = "no compiler, or no static library: Dendrite is built with SQLite in Go, and a run takes about a sixth longer; install gcc (Debian: gcc libc6-dev)"
	}
	return one
}

func examineEngine(ctx context.Context) finding {
	one := finding{what: "containers"}
	client, err := engine.Connect(ctx)
	if err != nil {
		one.text = err.Error()
		return one
	}
	defer func() { _ = client.Close() }()
	version, err := client.ServerVersion(ctx)
	if err != nil {
		one.text = "the engine answers, but not with its version: " + err.Error()
		return one
	}
	one.ok = true
	one.text = fmt.Sprintf("engine %s at %s, API %s, %s/%s", version.Version, client.DaemonHost(),
		client.ClientVersion(), version.Os, version.Arch)
	return one
}

// examinePeers looks whether a container can connect to this machine, as candidates do to the peers that the suite plays.
func examinePeers(ctx context.Context) finding {
	one := finding{what: "peers"}
	opened, err := session.Open()
	if err != nil {
		one.text = err.Error()
		return one
	}
	address, err := docker.TryPeers(ctx, opened)
	if err := errors.Join(err, opened.Close()); err != nil {
		one.text = strings.ReplaceAll(err.Error(), "\n", "\n"+strings.Repeat(" ", 23))
		return one
	}
	one.ok, one.text = true, "a container can connect to this machine, at "+address
	return one
}

// examineProcesses looks whether servers can have loopback addresses of their own.
func examineProcesses() finding {
	one := finding{what: "plain processes"}
	if runtime.GOOS != "linux" {
		one.ok, one.text = true, "servers have names with ports on "+runtime.GOOS+", where only Linux gives each an address"
		return one
	}
	listener, err := net.Listen("tcp", "127.83.14.1:0")
	if err != nil {
		one.text = fmt.Sprintf("no server can listen on a loopback address of its own: %v", err)
		return one
	}
	_ = listener.Close()
	one.ok, one.text = true, "each server gets a loopback address of its own (127.a.b.c)"
	return one
}

func examineState() finding {
	folder, err := session.StateDir()
	if err != nil {
		return finding{what: "state folder", needed: true, text: err.Error()}
	}
	return finding{what: "state folder", ok: true, text: folder}
}

func examineDisk(root string) finding {
	one := finding{what: "disk"}
	var places []string
	one.ok = true
	for _, folder := range []string{root, os.TempDir()} {
		var stat unix.Statfs_t
		if err := unix.Statfs(folder, &stat); err != nil {
			continue
		}
		free := stat.Bavail * uint64(stat.Bsize)
		places = append(places, fmt.Sprintf("%s free at %s", size(free), folder))
		if free < diskWanted {
			one.ok = false
		}
	}
	one.text = strings.Join(places, ", ")
	if !one.ok {
		one.text += fmt.Sprintf("; a first run builds images and wants %s: make room, or ./run.sh clean --builds", size(diskWanted))
	}
	return one
}

func examineMemory() finding {
	one := finding{what: "memory", ok: true}
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		one.text = "cannot be told on this system"
		return one
	}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "MemAvailable:" {
			continue
		}
		kilobytes, _ := strconv.ParseUint(fields[1], 10, 64)
		one.text = size(kilobytes*1024) + " available"
		if one.ok = kilobytes*1024 >= memoryWanted; !one.ok {
			one.text += fmt.Sprintf("; a run wants about %s: use --parallel 1, or stop something", size(memoryWanted))
		}
	}
	return one
}

// examineBase looks whether a base image for Synapse can be made where no registry answers.
func examineBase(ctx context.Context, root string) finding {
	one := finding{what: "base image"}
	plan, err := candidate.BasePlan(ctx, root)
	if one.ok = err == nil; one.ok {
		one.text = "where no registry gives the base image of Synapse, --bootstrap-base makes it: " + plan
	} else {
		one.text = "where no registry gives the base image of Synapse, it cannot be made: " + err.Error()
	}
	return one
}

// size is a number of bytes for people.
func size(bytes uint64) string {
	if bytes >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}
