// Dendrite, of a pinned version or of a working tree: two static programs, plain or in an image.

package candidate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"

	"msc4014/runtime"
)

// Dendrite is two static programs: its own, built in the module of the version's folder or in the working tree, and our entry point.
const (
	dendriteProgram       = "dendrite"
	entryPointProgram     = "entrypoint"
	dendriteConfiguration = "dendrite.yaml" // written by the entry point
	dendriteEntryPoint    = module + "/dockerfiles/dendrite/entrypoint"
)

func prepareDendrite(ctx context.Context, t *task) (runtime.Artifact, error) {
	artifact, err := t.dendrite(ctx)
	if t.candidate.Tree != "" && artifact.Version == "" {
		artifact.Version = treeVersion(ctx, t.candidate.Tree)
	}
	return artifact, err
}

func (t *task) dendrite(ctx context.Context) (runtime.Artifact, error) {
	if t.runtime == process {
		built, err := t.dendritePrograms(ctx, hostPlatform())
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
	built, err := t.dendritePrograms(ctx, engine.platform)
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
func (t *task) dendritePrograms(ctx context.Context, target platform) (programs, error) {
	server, err := t.dendriteBuild(ctx, target)
	if err != nil {
		return programs{}, err
	}
	sum, err := t.dendriteSum(ctx, server)
	if err != nil {
		return programs{}, err
	}
	name := safeName(t.candidate.FullName()) + "-" + sum
	if t.candidate.Tree != "" {
		name = dendriteSoftware + "-tree-" + sum // the same wherever the tree is
	}
	return programs{name: name, sum: sum, folder: func(ctx context.Context) (string, error) {
		return t.goPrograms(ctx, name, target, map[string]goBuild{
			dendriteProgram:   server,
			entryPointProgram: {dir: t.root, path: dendriteEntryPoint},
		}, func() error {
			if t.candidate.Tree == "" {
				return nil
			}
			if now, err := t.dendriteSum(ctx, server); err != nil || now != sum {
				return errors.Join(fmt.Errorf("%s changed while it was built; run again", t.candidate.Tree), err)
			}
			return nil
		})
	}}, nil
}

// dendriteBuild returns the build of Dendrite's own program. Dendrite includes SQLite in C and in Go; a run takes a seventh more
// time with the one in Go.
func (t *task) dendriteBuild(ctx context.Context, target platform) (goBuild, error) {
	build := goBuild{dir: t.candidate.Tree, path: treeProgram, platform: target}
	if build.dir == "" {
		var err error
		build.dir = filepath.Join(t.dir(), t.candidate.Version)
		if build.path, err = pinnedProgram(build.dir); err != nil {
			return goBuild{}, err
		}
	}
	build.c = linksC(ctx, build.dir, target)
	return build, nil
}

// dendriteSum returns the fingerprint of both programs.
func (t *task) dendriteSum(ctx context.Context, server goBuild) (string, error) {
	version, err := goVersion(ctx, server.dir)
	if err != nil {
		return "", err
	}
	made := newFingerprint("programs")
	made.add("go", version)
	made.add("flags", fmt.Sprint(server.flags()))
	made.add("platform", server.platform.String())
	if t.candidate.Tree == "" {
		err = made.addFolder(server.dir, nil)
	} else {
		err = t.during("reading "+t.candidate.Tree, func() error { return made.addTree(ctx, server) })
	}
	if err != nil {
		return "", err
	}
	if err := made.addPackage(t.root, dendriteEntryPoint, nil); err != nil {
		return "", err
	}
	return made.sum(), nil
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
