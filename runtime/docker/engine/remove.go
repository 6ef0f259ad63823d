// Removing everything that carries a label: containers with their volumes, networks, and named volumes.

package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/filters"
	"github.com/docker/docker/api/types/network"
	"github.com/docker/docker/api/types/volume"
	"github.com/docker/docker/client"
)

// Object is a container, network or volume of the engine.
type Object struct {
	Kind   string // "container", "network" or "volume"
	ID     string
	Name   string
	Labels map[string]string
	// Created is when it was created, or the zero time if the engine does not say.
	Created time.Time
	// Running is set for a container whose process runs.
	Running bool
}

// List returns every container, running or not, every network and every volume that carries label: "key", or
// "key=value". Containers come first, since networks and volumes can be removed only after them.
func List(ctx context.Context, cli client.APIClient, label string) ([]Object, error) {
	selected := filters.NewArgs(filters.Arg("label", label))
	var objects []Object
	containers, err := cli.ContainerList(ctx, container.ListOptions{All: true, Filters: selected})
	if err != nil {
		return nil, fmt.Errorf("list the containers labelled %s: %w", label, err)
	}
	for _, found := range containers {
		object := Object{
			Kind: "container", ID: found.ID, Labels: found.Labels,
			Created: time.Unix(found.Created, 0), Running: found.State == container.StateRunning,
		}
		if len(found.Names) > 0 {
			object.Name = strings.TrimPrefix(found.Names[0], "/")
		}
		objects = append(objects, object)
	}
	networks, err := cli.NetworkList(ctx, network.ListOptions{Filters: selected})
	if err != nil {
		return nil, fmt.Errorf("list the networks labelled %s: %w", label, err)
	}
	for _, found := range networks {
		objects = append(objects, Object{
			Kind: "network", ID: found.ID, Name: found.Name, Labels: found.Labels, Created: found.Created,
		})
	}
	volumes, err := cli.VolumeList(ctx, volume.ListOptions{Filters: selected})
	if err != nil {
		return nil, fmt.Errorf("list the volumes labelled %s: %w", label, err)
	}
	for _, found := range volumes.Volumes {
		created, _ := time.Parse(time.RFC3339, found.CreatedAt)
		objects = append(objects, Object{
			Kind: "volume", ID: found.Name, Name: found.Name, Labels: found.Labels, Created: created,
		})
	}
	return objects, nil
}

// awaitedTime is how long a requested object may take to appear.
const awaitedTime = 15 * time.Second

// Remove removes everything that carries label ("key=value"), including what appears meanwhile, until a listing is empty.
// It waits up to 15 s for the awaited objects, by name, to appear. Others may remove objects at the same time. If the engine
// considers a network in use although it has no containers, Remove leaves it after some seconds. It returns how many objects
// it saw, without those that it left; if ctx ends, the error names what is left.
func Remove(ctx context.Context, cli client.APIClient, label string, awaited ...string) (removed int, err error) {
	seen := map[string]bool{}
	missing := func(name string) bool { return !seen[name] }
	wait, deadline, strandings := 20*time.Millisecond, time.Now().Add(awaitedTime), 0
	var left error // of the last attempt that ctx did not cut short, or of the first
	for {
		objects, err := List(ctx, cli, label)
		if err != nil {
			return removed, errors.Join(err, left)
		}
		for _, object := range objects {
			if !seen[object.Name] {
				removed++
			}
			seen[object.Name] = true // names are unique in a run, whatever the kind
		}
		complete := !slices.ContainsFunc(awaited, missing) || time.Now().After(deadline)
		if len(objects) == 0 {
			if complete {
				return removed, nil
			}
		} else if err = removeAll(ctx, cli, objects); err == nil {
			left = nil
			continue // list again immediately
		}
		if ctx.Err() == nil || left == nil {
			left = err
		}
		if stranded(err, objects) {
			if strandings++; strandings >= strandedTries && complete {
				slog.Warn("an empty network cannot be removed until the container engine is restarted", "network", objects[0].Name, "problem", err)
				return removed - len(objects), nil
			}
		}
		select {
		case <-time.After(wait):
			wait = min(2*wait, time.Second)
		case <-ctx.Done():
			return removed, errors.Join(fmt.Errorf("remove objects labelled %s: %w", label, ctx.Err()), left)
		}
	}
}

// errStranded says that the engine considers a network in use although it has no containers. Engines may miscount when many
// containers start and end at the same time, and only a restart corrects it.
var errStranded = errors.New("the engine considers it in use")

// strandedTries is how often to try such a network, over some seconds, before leaving it, which is harmless.
const strandedTries = 9

// stranded reports whether only such networks are left.
func stranded(err error, objects []Object) bool {
	if slices.ContainsFunc(objects, func(object Object) bool { return object.Kind != "network" }) {
		return false
	}
	joined, ok := err.(interface{ Unwrap() []error })
	return ok && !slices.ContainsFunc(joined.Unwrap(), func(each error) bool { return !errors.Is(each, errStranded) })
}

// removeAll tries each object once: containers a few at a time, then networks, then volumes.
func removeAll(ctx context.Context, cli client.APIClient, objects []Object) error {
	var (
		group    sync.WaitGroup
		places   = make(chan struct{}, 4) // engines serialize much of a removal, so more would only wait there
		problems = make([]error, len(objects))
	)
	for _, kind := range []string{"container", "network", "volume"} {
		for i, object := range objects {
			if object.Kind != kind {
				continue
			}
			group.Go(func() {
				places <- struct{}{}
				defer func() { <-places }()
				problems[i] = RemoveObject(ctx, cli, object)
			})
		}
		group.Wait()
	}
	return errors.Join(problems...)
}

// RemoveObject removes one object. It is not an error if the object does not exist.
func RemoveObject(ctx context.Context, cli client.APIClient, object Object) error {
	var err error
	switch object.Kind {
	case "container":
		err = cli.ContainerRemove(ctx, object.ID, container.RemoveOptions{Force: true, RemoveVolumes: true})
	case "network":
		err = removeNetwork(ctx, cli, object.ID)
	case "volume":
		err = cli.VolumeRemove(ctx, object.ID, true)
	}
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	return fmt.Errorf("remove the %s %s: %w", object.Kind, object.Name, err)
}

// removeNetwork removes a network. If containers of others are connected to it, it disconnects them first.
func removeNetwork(ctx context.Context, cli client.APIClient, id string) error {
	err := cli.NetworkRemove(ctx, id)
	if err == nil || errdefs.IsNotFound(err) {
		return nil
	}
	details, inspectErr := cli.NetworkInspect(ctx, id, network.InspectOptions{})
	if inspectErr == nil && len(details.Containers) == 0 && strings.Contains(err.Error(), "active endpoints") {
		return fmt.Errorf("%w: %w", errStranded, err)
	}
	if inspectErr != nil || len(details.Containers) == 0 {
		return err
	}
	for endpoint := range details.Containers {
		_ = cli.NetworkDisconnect(ctx, id, endpoint, true)
	}
	return cli.NetworkRemove(ctx, id)
}
