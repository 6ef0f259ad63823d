// The certificate authority of a run, in a volume that all of its containers share. Copying it into each container would
// take as long as starting the container.

package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/docker/docker/api/types/container"
	"github.com/docker/docker/api/types/mount"
	"github.com/docker/docker/api/types/volume"
)

// authorityFolder is where the image contract requires the authority's files.
const authorityFolder = "/complement/ca"

// makeAuthority creates the volume with ca.crt and ca.key, and fills it through a container that is never started, since
// the engine may not have access to this process's files (Docker Desktop, a test process in a container).
func (r *Runtime) makeAuthority(ctx context.Context) error {
	packed, err := packAuthority(r.options.Authority.Dir())
	if err != nil {
		return err
	}
	name := "msc4014-" + r.options.Session.ID + "-authority"
	fail := func(err error) error { return fmt.Errorf("copy the certificate authority to the engine: %w", err) }
	made, err := r.options.Session.Making(name)
	if err != nil {
		return err
	}
	defer made()
	if _, err := r.engine.VolumeCreate(ctx, volume.CreateOptions{Name: name, Labels: r.labels()}); err != nil {
		return fail(err)
	}
	courier := name + "-courier"
	delivered, err := r.options.Session.Making(courier)
	if err != nil {
		return err
	}
	defer delivered()
	created, err := r.engine.ContainerCreate(ctx, &container.Config{Image: r.artifacts.Main.Image, Labels: r.labels()},
		&container.HostConfig{NetworkMode: "none", Mounts: []mount.Mount{authorityMount(name, false)}}, nil, nil, courier)
	if err != nil {
		return fail(err)
	}
	// Into the folder itself: not every engine follows a path in the archive from the container's root into its volumes.
	err = r.engine.CopyToContainer(ctx, created.ID, authorityFolder, bytes.NewReader(packed), container.CopyToContainerOptions{})
	if err := errors.Join(err, r.removeContainer(ctx, created.ID, courier)); err != nil {
		return fail(err)
	}
	r.authority = name
	return nil
}

// authorityMount mounts the volume called name where the image contract requires it.
func authorityMount(name string, readOnly bool) mount.Mount {
	return mount.Mount{
		Type: mount.TypeVolume, Source: name, Target: authorityFolder, ReadOnly: readOnly,
		VolumeOptions: &mount.VolumeOptions{NoCopy: true},
	}
}

// packAuthority returns an archive of the authority's two files.
func packAuthority(dir string) ([]byte, error) {
	var files []packed
	for _, name := range []string{"ca.crt", "ca.key"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return nil, fmt.Errorf("read the certificate authority: %w", err)
		}
		files = append(files, packed{name, data})
	}
	archive, err := pack(".", files)
	if err != nil {
		return nil, fmt.Errorf("pack the certificate authority: %w", err)
	}
	return archive, nil
}
