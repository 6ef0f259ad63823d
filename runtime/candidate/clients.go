// The image of real clients: software that people use, unmodified, as Debian packages it.

package candidate

import (
	"context"

	"msc4014/runtime"
)

// clients is the folder in dockerfiles/ of the image of real clients.
const clients = "clients"

// PrepareClients builds the image of real clients, or finds it, as Prepare does for candidates. bootstrapBase allows building its base
// image from Debian's packages.
func PrepareClients(ctx context.Context, root string, bootstrapBase bool, progress func(line string)) (runtime.Artifact, error) {
	if progress == nil {
		progress = func(string) {}
	}
	software := Candidate{Name: clients, Software: clients, BootstrapBase: bootstrapBase}
	return prepare(ctx, root, software, docker, makeClients, progress)
}

func makeClients(ctx context.Context, t *task) (runtime.Artifact, error) {
	engine, err := openEngine(ctx)
	if err != nil {
		return runtime.Artifact{}, err
	}
	defer engine.close()
	base, err := engine.debianBase(ctx, t, bookworm)
	if err != nil {
		return runtime.Artifact{}, err
	}
	tag, build, err := buildOn(t, base)
	if err != nil {
		return runtime.Artifact{}, err
	}
	err = t.cache.once(ctx, imageLock(tag), t.progress, engine.hasImage(ctx, tag), func() error {
		arguments, err := debianArguments(ctx, t.root)
		if err != nil {
			return err
		}
		arguments["BASE"] = base // by ID, as its name may have moved to another image
		files, err := build.files(ctx)
		if err != nil {
			return err
		}
		return t.during("building the image "+tag+" (the first time takes minutes)", func() error {
			return engine.run(ctx, t, tag, files, arguments)
		})
	})
	if err != nil {
		return runtime.Artifact{}, err
	}
	return engine.artifact(ctx, tag)
}
