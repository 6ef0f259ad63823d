// Static Go programs, built by the go command.

package candidate

import (
	"context"
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

// buildFlags make a program that depends on its sources alone, not on where and when it was built.
var buildFlags = []string{"-trimpath", "-buildvcs=false", "-ldflags", "-s -w"}

// platform is what a program is built for.
type platform struct{ system, architecture string }

func (p platform) String() string { return p.system + "/" + p.architecture }

// goBuild builds a static program: the package called path, within the module in dir.
type goBuild struct {
	dir, path, output string
	platform          platform
	temporary         string
}

func (b goBuild) run(ctx context.Context) error {
	arguments := append([]string{"build"}, buildFlags...)
	arguments = append(arguments, "-o", b.output, b.path)
	output, err := gocommand.Run(ctx, b.dir, goEnvironment(b.platform, b.temporary), arguments...)
	if err != nil {
		return fmt.Errorf("go build %s in %s: %w%s", b.path, b.dir, err, endOf(output))
	}
	return nil
}

// goVersion is the version of Go that builds the module in dir: "go1.26.0".
func goVersion(ctx context.Context, dir string) (string, error) {
	output, err := gocommand.Run(ctx, dir, goEnvironment(platform{}, ""), "env", "GOVERSION")
	switch {
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("the program \"go\" was not found: install Go (https://go.dev/doc/install) and put it into PATH")
	case err != nil:
		return "", fmt.Errorf("go env in %s: %w%s", dir, err, endOf(output))
	}
	return strings.TrimSpace(output), nil
}

// goEnvironment is ours but for what would make the result another one.
func goEnvironment(target platform, temporary string) []string {
	overridden := []string{"CGO_ENABLED", "GOWORK", "GOFLAGS", "GOOS", "GOARCH", gocommand.TemporaryVariable}
	environment := slices.DeleteFunc(os.Environ(), func(variable string) bool {
		name, _, _ := strings.Cut(variable, "=")
		return slices.Contains(overridden, name)
	})
	environment = append(environment, "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=")
	if target.system != "" {
		environment = append(environment, "GOOS="+target.system, "GOARCH="+target.architecture)
	}
	if temporary != "" {
		environment = append(environment, gocommand.TemporaryVariable+"="+temporary)
	}
	return environment
}

// endOf is the end of what a compiler said, for an error.
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

// hostPlatform is what programs of the process runtime are built for.
func hostPlatform() platform { return platform{goruntime.GOOS, goruntime.GOARCH} }

// goPrograms builds programs, each called by its key, into one folder of the cache called name.
func (t *task) goPrograms(ctx context.Context, name string, target platform, programs map[string]goBuild) (string, error) {
	return t.cache.folder(ctx, name, t.progress, func(dir string) error {
		what := fmt.Sprintf("building %s for %s (the first time takes minutes)", t.candidate.FullName(), target)
		return t.during(what, func() error {
			for program, build := range programs {
				build.output, build.platform, build.temporary = filepath.Join(dir, program), target, dir
				if err := build.run(ctx); err != nil {
					return err
				}
			}
			return nil
		})
	})
}
