// The engine's side of cleaning up: objects whose run is gone, leftovers of builds.

package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
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

// removeOrphans removes labelled objects whose run has no folder: what the engine made after the cleaner of their run
// had looked for the last time. A run's folder is there before its first object and until its last is gone, so an object
// that was listed and has no folder is nobody's. Only this machine and this state folder can tell, unless foreignToo.
func removeOrphans(ctx context.Context, cli client.APIClient, state string, foreignToo bool, progress func(string)) error {
	objects, err := engine.List(ctx, cli, LabelRun)
	if err != nil {
		return err
	}
	var problems []error
	for _, run := range orphans(objects, state, foreignToo) {
		removed, err := engine.Remove(ctx, cli, LabelRun+"="+run)
		progress(fmt.Sprintf("removed %d containers, networks and volumes of the unknown run %s", removed, run))
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// orphans are the runs among the objects' that have no folder in state, in order.
func orphans(objects []engine.Object, state string, foreignToo bool) []string {
	var runs []string
	for _, object := range objects {
		run := object.Labels[LabelRun]
		ours := object.Labels[LabelHost] == HostIdentity() && object.Labels[LabelState] == state
		if run == "" || !ours && !foreignToo || slices.Contains(runs, run) {
			continue
		}
		if _, err := os.Stat(filepath.Join(runsDir(state), filepath.Base(run))); errors.Is(err, os.ErrNotExist) {
			runs = append(runs, run)
		}
	}
	slices.Sort(runs)
	return runs
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
