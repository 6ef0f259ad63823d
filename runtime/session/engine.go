// The engine's side of cleaning up: the connection, leftovers of builds.

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

// lazyEngine is the connection to the engine: made when it is first needed, tried once.
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

// removeBuildLeftovers removes containers of the steps of builds that were interrupted. An engine ends them when the
// client of the build is gone, so few are ever left. Nothing but age tells them from those of a build that is going on.
func removeBuildLeftovers(ctx context.Context, cli client.APIClient, progress func(string)) error {
	steps, err := cli.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", candidate.Label)),
	})
	if err != nil {
		return fmt.Errorf("list the containers of interrupted builds: %w", err)
	}
	var problems []error
	for _, step := range steps {
		// Servers are made from labelled images and so carry the label too, beside that of their run; so does what people
		// start from such an image, by its name.
		if step.Labels[LabelRun] != "" || candidate.IsImage(step.Image) || time.Since(time.Unix(step.Created, 0)) < longestStep {
			continue
		}
		progress("removing the container " + step.ID[:12] + " of an interrupted build")
		problems = append(problems, engine.RemoveObject(ctx, cli,
			engine.Object{Kind: "container", ID: step.ID, Name: step.ID[:12]}))
	}
	return errors.Join(problems...)
}

// longestStep is more than any step of a build takes.
const longestStep = 2 * time.Hour
