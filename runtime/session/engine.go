// Cleaning up in the engine: the connection, and leftovers of builds.

package session

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/client"

	"msc4014/runtime/candidate"
	"msc4014/runtime/docker/engine"
)

// lazyEngine connects to the engine when first needed, and tries only once.
type lazyEngine struct {
	ctx context.Context
	cli *client.Client
	err error
}

func newLazyEngine(ctx context.Context) *lazyEngine { return &lazyEngine{ctx: ctx} }

func (e *lazyEngine) connect() (*client.Client, error) {
	if e.cli == nil && e.err == nil {
		e.cli, e.err = engine.Connect(e.ctx)
	}
	return e.cli, e.err
}

func (e *lazyEngine) close() {
	if e.cli != nil {
		_ = e.cli.Close()
	}
}

// removeBuildLeftovers removes containers of the steps of interrupted builds. An engine usually removes them when the
// build's client disconnects. Only their age distinguishes them from those of a running build.
func removeBuildLeftovers(ctx context.Context, cli client.APIClient, progress func(string)) error {
	steps, err := cli.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", candidate.Label)),
	})
	if err != nil {
		return fmt.Errorf("list the containers of interrupted builds: %w", err)
	}
	var problems []error
	for _, step := range steps {
		// Servers carry the label of their images, too, in addition to that of their run; so do containers that users start
		// from such an image.
		if step.Labels[LabelRun] != "" || candidate.IsImage(step.Image) || time.Since(time.Unix(step.Created, 0)) < longestStep {
			continue
		}
		progress("removing the container " + step.ID[:12] + " of an interrupted build")
		problems = append(problems, engine.RemoveObject(ctx, cli,
			engine.Object{Kind: "container", ID: step.ID, Name: step.ID[:12]}))
	}
	return errors.Join(problems...)
}

// longestStep is longer than any step of a build takes.
const longestStep = 2 * time.Hour
