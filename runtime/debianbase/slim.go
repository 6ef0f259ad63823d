// From a root file system to a slim image: what Debian's own slim images leave out is left out here.

package debianbase

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"github.com/docker/docker/api/types/image"
)

// leftOut are the folders whose content nobody needs in a container.
var leftOut = []string{
	"/usr/share/doc", "/usr/share/groff", "/usr/share/info", "/usr/share/linda", "/usr/share/lintian",
	"/usr/share/locale", "/usr/share/man",
}

// makeSlim writes what makes later installations small and quick, as in Debian's own images: no manuals, no waiting for
// the disk, no services started.
func makeSlim(root string) error {
	var dpkg strings.Builder
	dpkg.WriteString("force-unsafe-io\n")
	for _, folder := range leftOut {
		dpkg.WriteString("path-exclude " + folder + "/*\n")
	}
	dpkg.WriteString("path-include /usr/share/doc/*/copyright\n")
	var problems []error
	for _, file := range []struct {
		path, text string
		mode       os.FileMode
	}{
		{"etc/dpkg/dpkg.cfg.d/docker", dpkg.String(), 0o644},
		{"etc/apt/apt.conf.d/docker", "Acquire::Languages \"none\";\nAPT::AutoRemove::SuggestsImportant \"false\";\n", 0o644},
		{"usr/sbin/policy-rc.d", "#!/bin/sh\nexit 101\n", 0o755},
		// The machine's own files, which debootstrap copies; the engine provides them.
		{"etc/hostname", "", 0o644},
		{"etc/resolv.conf", "", 0o644},
	} {
		problems = append(problems, os.WriteFile(filepath.Join(root, file.path), []byte(file.text), file.mode))
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("make the root file system slim: %w", err)
	}
	return nil
}

// importRoot imports the root file system as the image name.
func importRoot(ctx context.Context, engine Engine, root, name string, labels map[string]string) error {
	arguments := []string{"-C", root, "--numeric-owner", "--anchored", "--wildcards", "--wildcards-match-slash"}
	for _, folder := range append([]string{"/dev", "/proc", "/sys", "/run", "/var/lib/apt/lists", "/var/cache/apt"}, leftOut...) {
		arguments = append(arguments, "--exclude=."+folder+"/*")
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tar := exec.CommandContext(ctx, "tar", append(arguments, "-c", ".")...)
	var complaints strings.Builder
	tar.Stderr = &complaints
	reader, writer := io.Pipe()
	tar.Stdout = writer
	if err := tar.Start(); err != nil {
		return fmt.Errorf("pack the root file system: %w", err)
	}
	packed := make(chan error, 1)
	go func() {
		err := tar.Wait()
		if err != nil {
			err = fmt.Errorf("pack the root file system: %w: %s", err, lastLines(complaints.String(), 5))
		}
		_ = writer.CloseWithError(err) // an archive that is cut short must not become an image; never fails
		packed <- err
	}()

	stream, err := engine.ImageImport(ctx, image.ImportSource{Source: reader, SourceName: "-"}, name, image.ImportOptions{
		Message: "made from Debian's packages by debootstrap", Changes: changes(labels),
	})
	if err == nil {
		err = errors.Join(readMessages(stream, func(message) {}), stream.Close())
	}
	_ = reader.Close() // ends tar if the engine read only half; never fails
	cancel()
	if packErr := <-packed; err != nil {
		return fmt.Errorf("import %s: %w", name, errors.Join(err, packErr))
	}
	return nil
}

// changes are the lines of a Dockerfile that an import can carry.
func changes(labels map[string]string) []string {
	lines := []string{`CMD ["bash"]`}
	for name, value := range labels {
		lines = append(lines, "LABEL "+strconv.Quote(name)+"="+strconv.Quote(value))
	}
	sort.Strings(lines)
	return lines
}

func lastLines(text string, count int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-count):], "\n")
}
