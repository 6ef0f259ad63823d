// Dendrite: two static programs, plain or in an image.

package candidate

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"msc4014/runtime"
)

// Dendrite is two static programs: its own, built in the module of the version's folder, and our entry point.
const (
	dendriteProgram       = "dendrite"
	entryPointProgram     = "entrypoint"
	dendriteConfiguration = "dendrite.yaml" // written by the entry point
	dendriteEntryPoint    = module + "/dockerfiles/dendrite/entrypoint"
)

func prepareDendrite(ctx context.Context, t *task) (runtime.Artifact, error) {
	if t.runtime == process {
		built, err := dendritePrograms(ctx, t, hostPlatform())
		if err != nil {
			return runtime.Artifact{}, err
		}
		dir, err := built.folder(ctx)
		return runtime.Artifact{Program: filepath.Join(dir, entryPointProgram), Configuration: dendriteConfiguration}, err
	}
	engine, err := openEngine(ctx)
	if err != nil {
		return runtime.Artifact{}, err
	}
	defer engine.close()
	built, err := dendritePrograms(ctx, t, engine.platform)
	if err != nil {
		return runtime.Artifact{}, err
	}
	dockerfile := filepath.Join(t.dir(), "Dockerfile")
	made := newFingerprint("image")
	made.add("programs", built.sum)
	if err := made.addFile("Dockerfile", dockerfile); err != nil {
		return runtime.Artifact{}, err
	}
	return engine.build(ctx, t, imageBuild{
		fingerprint: made.sum(),
		programs:    built.name,
		files: func(ctx context.Context) (map[string]string, error) {
			dir, err := built.folder(ctx)
			return map[string]string{
				"Dockerfile":      dockerfile,
				dendriteProgram:   filepath.Join(dir, dendriteProgram),
				entryPointProgram: filepath.Join(dir, entryPointProgram),
			}, err
		},
	})
}

// dendritePrograms returns the programs for a platform.
func dendritePrograms(ctx context.Context, t *task, target platform) (programs, error) {
	dir := filepath.Join(t.dir(), t.candidate.Version)
	path, err := pinnedProgram(dir)
	if err != nil {
		return programs{}, err
	}
	version, err := goVersion(ctx, dir)
	if err != nil {
		return programs{}, err
	}
	// Dendrite includes SQLite in C and in Go; a run takes a seventh more time with the one in Go.
	server := goBuild{dir: dir, path: path, c: linksC(ctx, dir, target)}
	made := newFingerprint("programs")
	made.add("go", version)
	made.add("flags", fmt.Sprint(server.flags()))
	made.add("platform", target.String())
	if err := made.addFolder(dir, nil); err != nil {
		return programs{}, err
	}
	if err := made.addPackage(t.root, dendriteEntryPoint, nil); err != nil {
		return programs{}, err
	}
	name := safeName(t.candidate.FullName()) + "-" + made.sum()
	return programs{name: name, sum: made.sum(), folder: func(ctx context.Context) (string, error) {
		return t.goPrograms(ctx, name, target, map[string]goBuild{
			dendriteProgram:   server,
			entryPointProgram: {dir: t.root, path: dendriteEntryPoint},
		})
	}}, nil
}

var toolImport = regexp.MustCompile(`(?m)^\s*(?:import\s+)?_\s+"(\S+)"`)

// pinnedProgram returns the package that tools.go in a version's folder imports: the program to build. It is not a
// constant because Dendrite has changed its module path before.
func pinnedProgram(dir string) (string, error) {
	path := filepath.Join(dir, "tools.go")
	source, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot determine which program to build: %w", err)
	}
	imports := toolImport.FindAllStringSubmatch(string(source), -1)
	if len(imports) != 1 {
		return "", fmt.Errorf("%s imports %d packages, but must import exactly one: the program to build", path, len(imports))
	}
	return imports[0][1], nil
}
