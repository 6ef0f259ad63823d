// The reference: a static program of this module, whose environment selects a dialect and readings. Each overlay of its
// source gives its own program.

package candidate

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"msc4014/runtime"
)

const (
	referenceSoftware      = "reference"
	referenceProgram       = "reference"
	referenceConfiguration = "reference.json" // written by the program
	referencePackage       = module + "/dockerfiles/reference"
	// dialectVariable is the environment variable that selects the program's dialect (reference/choice).
	dialectVariable = "MSC4014_REFERENCE_DIALECT"
)

// With returns the candidate, which must be the reference, with more environment variables for its servers. The arguments
// that requested this become part of its name, so that its results are not confused with others.
func (c Candidate) With(arguments string, environment []string) (Candidate, error) {
	if c.Software != referenceSoftware {
		return Candidate{}, fmt.Errorf("%s works only with the candidate reference, not with %s", arguments, c.Name)
	}
	c.Name += " " + arguments
	c.Arguments, c.Environment = arguments, environment
	return c, nil
}

// prepareReference builds the program or its image. All versions share one: a version of the reference is a dialect, which
// the environment selects. Each overlay has its own.
func prepareReference(ctx context.Context, t *task) (runtime.Artifact, error) {
	build := *t
	build.candidate = Candidate{Name: referenceSoftware, Software: referenceSoftware, Overlay: t.candidate.Overlay}
	artifact, err := build.reference(ctx)
	artifact.Environment = slices.Concat([]string{dialectVariable + "=" + t.candidate.Version}, t.candidate.Environment)
	return artifact, err
}

func (t *task) reference(ctx context.Context) (runtime.Artifact, error) {
	if t.runtime == process {
		built, err := t.referenceProgram(ctx, hostPlatform())
		if err != nil {
			return runtime.Artifact{}, err
		}
		dir, err := built.folder(ctx)
		return runtime.Artifact{Program: filepath.Join(dir, referenceProgram), Configuration: referenceConfiguration}, err
	}
	engine, err := openEngine(ctx)
	if err != nil {
		return runtime.Artifact{}, err
	}
	defer engine.close()
	built, err := t.referenceProgram(ctx, engine.platform)
	if err != nil {
		return runtime.Artifact{}, err
	}
	return engine.build(ctx, t, imageBuild{
		fingerprint: built.sum, // includes the Dockerfile, which is in the program's folder
		programs:    built.name,
		files: func(ctx context.Context) (map[string]string, error) {
			dir, err := built.folder(ctx)
			return map[string]string{
				"Dockerfile":     filepath.Join(t.dir(), "Dockerfile"),
				referenceProgram: filepath.Join(dir, referenceProgram),
			}, err
		},
	})
}

// referenceProgram returns the program for a platform.
func (t *task) referenceProgram(ctx context.Context, target platform) (programs, error) {
	version, err := goVersion(ctx, t.root)
	if err != nil {
		return programs{}, err
	}
	made := newFingerprint("program")
	made.add("go", version)
	made.add("flags", fmt.Sprint(buildFlags))
	made.add("platform", target.String())
	if err := made.addPackage(t.root, referencePackage, t.candidate.Overlay); err != nil {
		return programs{}, err
	}
	name := referenceSoftware + "-" + made.sum()
	return programs{name: name, sum: made.sum(), folder: func(ctx context.Context) (string, error) {
		return t.goPrograms(ctx, name, target, map[string]goBuild{
			referenceProgram: {dir: t.root, path: referencePackage, overlay: t.candidate.Overlay},
		}, nil)
	}}, nil
}
