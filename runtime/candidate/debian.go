// The base images of images with Debian packages, and where this machine gets those from.

package candidate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/image"

	"msc4014/runtime"
	"msc4014/runtime/gocommand"
)

const standardMirror = "http://deb.debian.org/debian"

// suite is a suite of Debian's archive.
type suite string

const (
	sid      suite = "sid"
	bookworm suite = "bookworm"
)

// registryBase returns the name of the suite's image in registries.
func (s suite) registryBase() string { return "debian:" + string(s) + "-slim" }

// ownBase returns the name of the image that baseScript builds.
func (s suite) ownBase() string { return repository + "debian:" + string(s) }

// A registry that does not answer must not delay a run; one that does may be slow.
const (
	pullAnswers = 10 * time.Second
	pullStalls  = time.Minute
)

// ciVariable is set by every CI service, where nobody can be told to add --bootstrap-base.
const ciVariable = "CI"

// baseScript returns the path of the script that builds a base image from Debian's packages.
func baseScript(root string) string { return filepath.Join(root, "dockerfiles", "debian", "base.sh") }

// onDebian returns the image of a task whose base is that of a suite. If the engine does not have it, build builds it.
func (t *task) onDebian(
	ctx context.Context, wanted suite, build func(engine *engine, tag string, build imageBuild) error,
) (runtime.Artifact, error) {
	engine, err := openEngine(ctx)
	if err != nil {
		return runtime.Artifact{}, err
	}
	defer engine.close()
	base, err := engine.debianBase(ctx, t, wanted)
	if err != nil {
		return runtime.Artifact{}, err
	}
	tag, described, err := buildOn(t, base)
	if err != nil {
		return runtime.Artifact{}, err
	}
	err = t.cache.once(ctx, imageLock(tag), t.progress, engine.hasImage(ctx, tag), func() error {
		if described.arguments, err = debianArguments(ctx, t.root); err != nil {
			return err
		}
		described.arguments["BASE"] = base // by ID, as its name may have moved to another image
		return build(engine, tag, described)
	})
	if err != nil {
		return runtime.Artifact{}, err
	}
	return engine.artifact(ctx, tag)
}

// debianBase returns the ID of the base image of a suite: the registry's or ours if the engine has one, else the registry's if that
// answers, else ours, if the candidate allows building it.
func (e *engine) debianBase(ctx context.Context, t *task, wanted suite) (id string, err error) {
	registryBase, ownBase := wanted.registryBase(), wanted.ownBase()
	exists := func() bool {
		_, id, err = e.findBase(ctx, wanted)
		return err == nil && id != ""
	}
	err = t.cache.once(ctx, imageLock(ownBase), t.progress, exists, func() error {
		pullErr := t.during("pulling "+registryBase, func() error { return e.pullWithin(ctx, registryBase, pullAnswers, pullStalls) })
		if pullErr == nil || ctx.Err() != nil {
			return pullErr
		}
		pullErr = fmt.Errorf("the engine has neither %s nor %s, and the former could not be pulled (%w)", registryBase, ownBase, pullErr)
		plan, err := basePlan(ctx, t.root, wanted)
		if err != nil {
			return fmt.Errorf("%w; the latter cannot be built from Debian's packages: %w", pullErr, err)
		}
		if !t.candidate.BootstrapBase && os.Getenv(ciVariable) == "" {
			return fmt.Errorf("%w; use --bootstrap-base to build %s from Debian's packages: %s", pullErr, ownBase, plan)
		}
		t.progress(pullErr.Error())
		t.progress("building " + ownBase + " from Debian's packages: " + plan)
		return t.during("building the base image "+ownBase, func() error { return e.bootstrapBase(ctx, t, wanted) })
	})
	return id, err
}

// findBase returns the name and ID of the base image of a suite that the engine has, or "" if it has none.
func (e *engine) findBase(ctx context.Context, wanted suite) (name, id string, err error) {
	for _, name := range []string{wanted.registryBase(), wanted.ownBase()} {
		found, err := e.client.ImageInspect(ctx, name)
		if err == nil {
			return name, found.ID, nil
		}
		if !errdefs.IsNotFound(err) {
			return "", "", fmt.Errorf("looking for the image %s: %w", name, err)
		}
	}
	return "", "", nil
}

// pullWithin pulls an image and gives up if no registry answers in time, or if the pull stalls.
func (e *engine) pullWithin(ctx context.Context, name string, answers, stalls time.Duration) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var heard atomic.Bool
	watchdog := time.AfterFunc(answers, func() {
		if heard.Load() {
			cancel(fmt.Errorf("the registry sent nothing for %s", stalls))
		} else {
			cancel(fmt.Errorf("no registry answered within %s", answers))
		}
	})
	defer watchdog.Stop()
	messages, err := e.client.ImagePull(ctx, name, image.PullOptions{})
	if err == nil {
		listening := readerFunc(func(data []byte) (int, error) {
			n, err := messages.Read(data)
			if n > 0 {
				heard.Store(true)
				watchdog.Reset(stalls)
			}
			return n, err
		})
		err = errors.Join(follow(listening, func(string) {}), messages.Close())
	}
	if err != nil && context.Cause(ctx) != nil {
		return context.Cause(ctx)
	}
	return err
}

// readerFunc is a function that implements io.Reader.
type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(data []byte) (int, error) { return f(data) }

// basePlan returns what building the base image of a suite would do on this machine, or an error if it cannot be built here.
func basePlan(ctx context.Context, root string, wanted suite) (plan string, err error) {
	plan, err = runBaseScript(ctx, root, nil, "plan", string(wanted))
	return strings.ReplaceAll(plan, "\n", "; "), err
}

// bootstrapBase builds the base image of a suite from Debian's packages.
func (e *engine) bootstrapBase(ctx context.Context, t *task, wanted suite) error {
	ownBase := wanted.ownBase()
	_ = t.cache.removeLeftovers(imageLock(ownBase)) // harmless if they remain
	dir, err := os.MkdirTemp(t.cache.dir, buildingPrefix+imageLock(ownBase)+"-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	packed := filepath.Join(dir, "base.tar")
	if _, err := runBaseScript(ctx, t.root, t.progress, "make", string(wanted), packed); err != nil {
		return err
	}
	file, err := os.Open(packed)
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	messages, err := e.client.ImageImport(ctx, image.ImportSource{Source: file, SourceName: "-"}, ownBase, image.ImportOptions{
		Message: "made from Debian's packages by debootstrap",
		Changes: []string{`CMD ["bash"]`, "LABEL " + Label + "=" + strconv.Quote(t.candidate.FullName())},
	})
	if err == nil {
		err = errors.Join(follow(messages, t.progress), messages.Close())
	}
	if err != nil {
		return fmt.Errorf("importing %s: %w", ownBase, err)
	}
	return nil
}

// buildOn returns the build of the software's folder on the base image with the ID base. Debian's archive is not part of its
// fingerprint; to get newer packages, clean --builds and run again.
func buildOn(t *task, base string) (tag string, build imageBuild, err error) {
	build, err = folderBuild(t)
	if err != nil {
		return "", imageBuild{}, err
	}
	made := newFingerprint("image")
	made.add("base", base)
	made.add("folder", build.fingerprint)
	build.fingerprint = made.sum()
	return repository + t.candidate.Software + ":" + build.fingerprint, build, nil
}

// runBaseScript runs the script and returns its standard output. It passes each line to progress as it comes, unless
// progress is nil.
func runBaseScript(ctx context.Context, root string, progress func(string), arguments ...string) (output string, err error) {
	command := exec.CommandContext(ctx, "/bin/sh", append([]string{baseScript(root)}, arguments...)...)
	var text, complaints bytes.Buffer
	command.Stdout, command.Stderr = io.MultiWriter(&text, lineWriter(progress)), &complaints
	err = gocommand.RunGroup(command)
	if ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if err != nil {
		const most = 15
		lines := strings.Split(strings.TrimSpace(complaints.String()), "\n")
		return "", fmt.Errorf("base.sh %s: %w: %s", arguments[0], err, strings.Join(lines[max(0, len(lines)-most):], "\n"))
	}
	return strings.TrimSpace(text.String()), nil
}

// lineWriter is called with each line that is written to it, unless it is nil. It expects whole lines, as echo writes them.
type lineWriter func(string)

func (w lineWriter) Write(data []byte) (int, error) {
	if w != nil {
		for line := range strings.Lines(string(data)) {
			w(strings.TrimSuffix(line, "\n"))
		}
	}
	return len(data), nil
}

// debianArguments returns the build arguments that make an image get its packages from where this machine does.
func debianArguments(ctx context.Context, root string) (map[string]string, error) {
	sources, err := runBaseScript(ctx, root, nil, "sources")
	if err != nil {
		return nil, err
	}
	mirror, proxy, _ := strings.Cut(sources, "\n")
	return reachableFromBuild(mirror, proxy), nil
}

// reachableFromBuild leaves out addresses on this machine's loopback, which a build cannot reach.
func reachableFromBuild(mirror, proxy string) map[string]string {
	if isLoopback(mirror) {
		mirror = standardMirror
	}
	arguments := map[string]string{"DEBIAN_MIRROR": mirror}
	if proxy != "" && !isLoopback(proxy) {
		arguments["http_proxy"] = proxy
	}
	return arguments
}

func isLoopback(address string) bool {
	parsed, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(parsed.Hostname())
	return parsed.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}
