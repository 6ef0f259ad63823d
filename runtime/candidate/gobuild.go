// Static Go programs, built by the go command, with cgo where possible.

package candidate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"

	"msc4014/runtime/gocommand"
)

// buildFlags build a program that depends only on its sources, not on where and when it was built.
var buildFlags = []string{"-trimpath", "-buildvcs=false", "-ldflags", "-s -w"}

// linkedFlags are the same for a program with cgo, linked statically because its image has no libraries.
var linkedFlags = []string{
	"-trimpath", "-buildvcs=false", "-tags", "netgo osusergo sqlite_omit_load_extension",
	"-ldflags", "-s -w -linkmode external -extldflags -static",
}

// platform is the operating system and architecture that a program is built for.
type platform struct{ system, architecture string }

func (p platform) String() string { return p.system + "/" + p.architecture }

// goBuild builds a static program: the package called path, within the module in dir.
type goBuild struct {
	dir, path, output string
	platform          platform
	temporary         string
	c                 bool              // with cgo (linksC)
	overlay           map[string][]byte // replaces files in dir, by slash-separated path relative to it
}

func (b goBuild) flags() []string {
	if b.c {
		return linkedFlags
	}
	return buildFlags
}

func (b goBuild) run(ctx context.Context) error {
	arguments := append([]string{"build"}, b.flags()...)
	if len(b.overlay) > 0 {
		described, remove, err := b.writeOverlay()
		if err != nil {
			return err
		}
		defer remove()
		arguments = append(arguments, "-overlay", described)
	}
	arguments = append(arguments, "-o", b.output, b.path)
	output, err := gocommand.Run(ctx, b.dir, goEnvironment(b.platform, b.temporary, b.c), arguments...)
	if err != nil {
		return fmt.Errorf("go build %s in %s: %w%s", b.path, b.dir, err, endOf(output))
	}
	return nil
}

// writeOverlay writes the overlay, and the file that describes it to the go command, into a temporary folder.
func (b goBuild) writeOverlay() (described string, remove func(), err error) {
	dir, err := os.MkdirTemp(b.temporary, "overlay-")
	if err != nil {
		return "", nil, err
	}
	remove = func() { _ = os.RemoveAll(dir) }
	defer func() {
		if err != nil {
			remove()
		}
	}()
	// The go command resolves relative paths from where it runs, even if that path contains a symbolic link.
	replace := map[string]string{}
	for path, text := range b.overlay {
		path = filepath.FromSlash(path)
		file := filepath.Join(dir, path) // keeps the name recognizable in compiler errors
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, text, 0o644)); err != nil {
			return "", nil, err
		}
		replace[path] = file
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", nil, err
	}
	described = filepath.Join(dir, "overlay.json")
	return described, remove, os.WriteFile(described, text, 0o644)
}

// BuildStatic builds a static program for a container of the given architecture from the package or file path in dir.
// Temporary files go to dir.
func BuildStatic(ctx context.Context, dir, path, output, architecture string) error {
	return goBuild{dir: dir, path: path, output: output, temporary: dir, platform: platform{"linux", architecture}}.run(ctx)
}

// goVersion returns the version of Go that builds the module in dir: "go1.26.0".
func goVersion(ctx context.Context, dir string) (string, error) {
	output, err := gocommand.Run(ctx, dir, goEnvironment(platform{}, "", false), "env", "GOVERSION")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("the program \"go\" was not found; install Go (https://go.dev/doc/install) and add it to PATH")
	case err != nil:
		return "", fmt.Errorf("go env in %s: %w%s", dir, err, endOf(output))
	}
	return strings.TrimSpace(output), nil
}

// LinksC reports whether programs for this machine are built with cgo. dir is a folder of a Go module.
func LinksC(ctx context.Context, dir string) bool { return linksC(ctx, dir, hostPlatform()) }

// linksC reports whether this machine can build static programs with cgo for a platform: it must be of that platform itself,
// and have a C compiler and a static C library.
func linksC(ctx context.Context, dir string, target platform) bool {
	if target != hostPlatform() || target.system != "linux" {
		return false
	}
	output, err := gocommand.Run(ctx, dir, goEnvironment(target, "", true), "env", "CC")
	compiler := strings.Fields(output)
	if err != nil || len(compiler) == 0 {
		return false
	}
	command := exec.CommandContext(ctx, compiler[0], append(compiler[1:], "-static", "-x", "c", "-o", os.DevNull, "-")...)
	command.Stdin = strings.NewReader("#include <stdlib.h>\nint main(void) { return EXIT_SUCCESS; }\n")
	return command.Run() == nil
}

// goEnvironment returns this process's environment, without the variables that would change the result.
func goEnvironment(target platform, temporary string, c bool) []string {
	overridden := []string{"CGO_ENABLED", "GOWORK", "GOFLAGS", "GOOS", "GOARCH", gocommand.TemporaryVariable}
	environment := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(overridden, name)
	})
	enabled := "CGO_ENABLED=0"
	if c {
		enabled = "CGO_ENABLED=1"
	}
	environment = append(environment, enabled, "GOWORK=off", "GOFLAGS=")
	if target.system != "" {
		environment = append(environment, "GOOS="+target.system, "GOARCH="+target.architecture)
	}
	if temporary != "" {
		environment = append(environment, gocommand.TemporaryVariable+"="+temporary)
	}
	return environment
}

// endOf returns the end of a compiler's output, for an error message.
func endOf(output string) string {
	const most = 30
	output = strings.TrimSpace(output)
	if output == "" {
		return ""
	}
	lines := strings.Split(output, "\n")
	lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, "go: downloading ") })
	return "; the end of its output:\n" + strings.Join(lines[max(0, len(lines)-most):], "\n")
}

// hostPlatform returns the platform that programs of the process runtime are built for.
func hostPlatform() platform { return platform{goruntime.GOOS, goruntime.GOARCH} }

// programs are Go programs in one folder of the cache.
type programs struct {
	name   string                                // of the folder
	sum    string                                // the fingerprint of what they are made from
	folder func(context.Context) (string, error) // builds them, or finds them built, and returns the folder's path
}

// goPrograms builds programs, by file name, into the folder of the cache called name. After a build it calls unchanged, if that is not nil,
// and drops what it built if that returns an error.
func (t *task) goPrograms(
	ctx context.Context, name string, target platform, programs map[string]goBuild, unchanged func() error,
) (string, error) {
	return t.cache.folder(ctx, name, t.progress, func(dir string) error {
		what := fmt.Sprintf("building %s for %s (the first time takes minutes)", t.candidate.FullName(), target)
		return t.during(what, func() error {
			for program, build := range programs {
				build.output, build.platform, build.temporary = filepath.Join(dir, program), target, dir
				if err := build.run(ctx); err != nil {
					return err
				}
			}
			if unchanged != nil {
				return unchanged()
			}
			return nil
		})
	})
}
