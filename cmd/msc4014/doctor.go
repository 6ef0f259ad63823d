package main

// doctor: checks that this machine can run the suite, and says what to fix if it cannot.

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
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"msc4014/cmd/internal/run"
	"msc4014/cmd/internal/suitebinary"
	"msc4014/report"
	"msc4014/runtime/candidate"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/session"
)

// The minimum for a run: memory for two servers and the suite, disk space for an image and its build.
const (
	memoryWanted = 1 << 30
	diskWanted   = 2 << 30
)

// finding is the result of one examination.
type finding struct {
	what   string
	ok     bool
	needed bool // no run is possible without it
	text   string
}

// newDoctorCommand returns the command that examines the machine.
func newDoctorCommand(status *int) *cobra.Command {
	return &cobra.Command{
		Use:   "doctor",
		Short: "Check that this machine can run the suite, and say what to fix",
		Long: `Checks whether this machine can run the suite, and says what to fix if it cannot: Go and a C compiler, the container
engine (its API, privileges, limits, clock and disk), ports, disk, memory, this machine's clock, base images, and what
ended runs left behind. If an engine answers, a container tries to connect to this machine, as candidates do to the
suite's peers. Nothing is removed, pulled or installed.
Exit status: 0 if at least one runtime works; 2 if no run is possible.`,
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

// examine runs all examinations.
func examine(ctx context.Context, root string) []finding {
	containment, contained := examineContainers(ctx)
	ports := examinePorts()
	named, _ := engine.Named(os.Getenv)
	any := finding{what: "a runtime", ok: contained || ports.ok, needed: true}
	switch {
	case contained && ports.ok:
		any.text = "containers and plain processes both work"
	case contained:
		any.text = "containers work, plain processes do not"
	case ports.ok && named != "":
		any.text = "plain processes work, but only with --runtime process: " + named + " names an engine that does not work"
	case ports.ok:
		any.text = "plain processes work, containers do not: Dendrite and the reference can be tested, Synapse and images cannot"
	default:
		any.text = "neither containers nor plain processes work: see above"
	}
	findings := slices.Concat(examineCompilers(ctx, root), containment,
		[]finding{ports, any, examineState(), examineEnvironment(), examineDisk(root), examineMemory(), examineClock(ctx, root, time.Now())})
	if contained {
		findings = append(findings, examineBases(ctx, root))
	}
	return append(findings, examineLeftovers(ctx))
}

// writeFindings writes one line per finding and reports whether everything needed is present.
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
		_, _ = fmt.Fprintf(w, "%s  %-16s %s\n", mark, one.what, report.ForConsole(one.text)) // engines and other programs may say anything
	}
	return ready
}

// examineCompilers examines what builds candidates and the suite.
func examineCompilers(ctx context.Context, root string) []finding {
	if commit := suitebinary.Prebuilt(root); commit != "" {
		return []finding{{what: "Go", ok: true, text: "not needed: this is an image of the suite, of commit " + commit + ", which tests candidates " +
			"that are images; for others, run the suite from its repository"}}
	}
	return []finding{examineGo(ctx, root), examineC(ctx, root)}
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
		return one
	}
	wanted := "the version in go.mod"
	if data, err := os.ReadFile(filepath.Join(root, "go.mod")); err == nil {
		if directive := goDirective.FindSubmatch(data); directive != nil {
			wanted = "Go " + string(directive[1])
		}
	}
	one.text = strings.TrimSpace(fmt.Sprintf("%v %s", err, firstLine(strings.TrimSpace(string(output))))) +
		"; install " + wanted + " or newer: https://go.dev/dl"
	return one
}

// goDirective matches the version of Go that a go.mod wants.
var goDirective = regexp.MustCompile(`(?m)^go (\S+)$`)

func examineC(ctx context.Context, root string) finding {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	one := finding{what: "C"}
	if one.ok = candidate.LinksC(ctx, root); one.ok {
		one.text = "static linking works: Dendrite is built with SQLite in C"
	} else {
		one.text = "no compiler, or no static libc: Dendrite is built with SQLite in Go, and a run takes about a sixth longer; install gcc (Debian: gcc libc6-dev)"
	}
	return one
}

// examinePorts checks that each plain process can have its own loopback address, with the ports of a homeserver.
func examinePorts() finding {
	one := finding{what: "plain processes"}
	if runtime.GOOS != "linux" {
		one.ok, one.text = true, "on "+runtime.GOOS+" servers share an address and their names include ports; only Linux gives each its own address"
		return one
	}
	const address = "127.63.14.1" // outside the range of runs
	for _, port := range []string{"8008", "8448"} {
		listener, err := net.Listen("tcp", net.JoinHostPort(address, port))
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			one.text = fmt.Sprintf("port %s is in use at all addresses of this machine: stop the program that listens there (ss -ltnp 'sport = :%s' shows it), "+
				"or let it listen at one address only", port, port)
			return one
		case err != nil:
			one.text = fmt.Sprintf("servers cannot listen on loopback addresses of their own: %v; in a sandbox, allow the whole of 127.0.0.0/8", err)
			return one
		}
		_ = listener.Close()
	}
	one.ok, one.text = true, "each server gets its own loopback address (127.a.b.c), with free ports 8008 and 8448"
	return one
}

func examineState() finding {
	folder, err := session.StateDir()
	if err != nil {
		return finding{what: "state folder", needed: true, text: err.Error()}
	}
	return finding{what: "state folder", ok: true, text: folder}
}

// space is the free space at a folder.
type space struct {
	folder string
	free   uint64 // bytes
}

// free returns the space at a folder, if that exists.
func free(folder string) (space, bool) {
	var stat unix.Statfs_t
	if folder == "" || unix.Statfs(folder, &stat) != nil {
		return space{}, false
	}
	return space{folder: folder, free: stat.Bavail * uint64(stat.Bsize)}, true
}

func examineDisk(root string) finding {
	folders := []string{root, os.TempDir()}
	if cache, err := os.UserCacheDir(); err == nil {
		folders = append(folders, cache)
	}
	var spaces []space
	for _, folder := range folders {
		if one, ok := free(folder); ok {
			spaces = append(spaces, one)
		}
	}
	return examineSpace("disk", spaces)
}

// examineSpace checks that each place has space for a first run, which builds programs and images.
func examineSpace(what string, spaces []space) finding {
	one := finding{what: what, ok: true}
	var places []string
	for _, each := range spaces {
		places = append(places, fmt.Sprintf("%s free at %s", size(each.free), each.folder))
		one.ok = one.ok && each.free >= diskWanted
	}
	one.text = strings.Join(places, ", ")
	if !one.ok {
		one.text += fmt.Sprintf("; a first run builds images and needs %s: free some space, or run ./run.sh clean --builds", size(diskWanted))
	}
	return one
}

// examineClock checks that this machine's clock is not behind the project's last commit, since certificates, events and dates in
// baselines depend on it.
func examineClock(ctx context.Context, root string, now time.Time) finding {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	output, err := exec.CommandContext(ctx, "git", "-C", root, "log", "-1", "--format=%ct").Output()
	if err != nil {
		return finding{what: "clock", ok: true, text: now.UTC().Format(time.RFC3339) + "; there is no commit to compare it with"}
	}
	seconds, _ := strconv.ParseInt(strings.TrimSpace(string(output)), 10, 64)
	if commit := time.Unix(seconds, 0); now.Before(commit) {
		return finding{what: "clock", text: fmt.Sprintf("it is %s, which is before this project's last commit (%s): set the clock, or events, "+
			"certificates and the dates on which baselines end are wrong", now.UTC().Format(time.RFC3339), commit.UTC().Format(time.RFC3339))}
	}
	return finding{what: "clock", ok: true, text: now.UTC().Format(time.RFC3339) + ", after the project's last commit"}
}

func examineMemory() finding {
	one := finding{what: "memory", ok: true}
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		one.text = "cannot be determined on this system"
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
			one.text += fmt.Sprintf("; a run needs about %s: use --parallel 1, or stop other programs", size(memoryWanted))
		}
	}
	return one
}

// size formats a number of bytes for people.
func size(bytes uint64) string {
	if bytes >= 1<<30 {
		return fmt.Sprintf("%.1f GiB", float64(bytes)/(1<<30))
	}
	return fmt.Sprintf("%d MiB", bytes>>20)
}
