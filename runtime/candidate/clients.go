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
	return t.onDebian(ctx, bookworm, func(engine *engine, tag string, build imageBuild) error {
		files, err := build.files(ctx)
		if err != nil {
			return err
		}
		return t.during("building the image "+tag+" (the first time takes minutes)", func() error {
			return engine.run(ctx, t, tag, files, build.arguments)
		})
	})
}
