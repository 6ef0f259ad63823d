// The engine's side of cleaning up: objects whose run is gone, leftovers of builds, images.

package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/image"
	"github.com/docker/docker/client"

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
	orphans := map[string]bool{}
	for _, object := range objects {
		run := object.Labels[LabelRun]
		ours := object.Labels[LabelHost] == HostIdentity() && object.Labels[LabelState] == state
		if run == "" || !ours && !foreignToo {
			continue
		}
		if _, err := os.Stat(filepath.Join(runsDir(state), filepath.Base(run))); errors.Is(err, os.ErrNotExist) {
			orphans[run] = true
		}
	}
	var problems []error
	for run := range orphans {
		removed, err := engine.Remove(ctx, cli, LabelRun+"="+run, 1)
		progress(fmt.Sprintf("removed %d containers, networks and volumes of the unknown run %s", removed, run))
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// removeBuildLeftovers removes what an interrupted build left: containers of its steps, and images that never got a
// name. Nothing tells them from those of a build that is going on, so nothing is done while another run is alive.
func removeBuildLeftovers(ctx context.Context, cli client.APIClient, state string, progress func(string)) error {
	release, err := lockState(ctx, state)
	if err != nil {
		return err
	}
	defer release()
	if busy, err := othersAlive(state); err != nil || busy {
		return err
	}
	steps, err := cli.ContainerList(ctx, container.ListOptions{
		All: true, Filters: filters.NewArgs(filters.Arg("label", LabelCandidate)),
	})
	if err != nil {
		return fmt.Errorf("list the containers of interrupted builds: %w", err)
	}
	var problems []error
	for _, step := range steps {
		// Servers are made from labelled images and so carry the label too, beside that of their run.
		if step.Labels[LabelRun] != "" {
			continue
		}
		progress("removing the container " + step.ID[:12] + " of an interrupted build")
		problems = append(problems, engine.RemoveObject(ctx, cli, engine.Object{Kind: "container", ID: step.ID, Name: step.ID[:12]}))
	}
	problems = append(problems, removeImages(ctx, cli, true, progress))
	return errors.Join(problems...)
}

// removeImages removes the images that the suite built and that no container uses: all, or only those without a name.
func removeImages(ctx context.Context, cli client.APIClient, namelessOnly bool, progress func(string)) error {
	selected := filters.NewArgs(filters.Arg("label", LabelCandidate))
	if namelessOnly {
		selected.Add("dangling", "true")
	}
	images, err := cli.ImageList(ctx, image.ListOptions{Filters: selected})
	if err != nil {
		return fmt.Errorf("list the images that the suite built: %w", err)
	}
	var problems []error
	for _, found := range images {
		// By name, so that an image of several names goes without force; a nameless one by its ID.
		references := found.RepoTags
		if len(references) == 0 || references[0] == "<none>:<none>" {
			references = []string{found.ID}
		}
		for _, reference := range references {
			_, err := cli.ImageRemove(ctx, reference, image.RemoveOptions{PruneChildren: true})
			switch {
			case err == nil:
				progress("removed the image " + reference)
			case errdefs.IsNotFound(err):
			case errdefs.IsConflict(err):
				progress("kept the image " + reference + ": a container uses it")
			default:
				problems = append(problems, fmt.Errorf("remove the image %s: %w", reference, err))
			}
		}
	}
	return errors.Join(problems...)
}
