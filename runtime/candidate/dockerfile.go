// Software that consists only of a Dockerfile.

package candidate

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"msc4014/runtime"
)

// fromDockerfile builds the image of a software that consists only of a Dockerfile: its folder, without the folders of
// other versions, is the context; VERSION and CANDIDATE are build arguments.
func fromDockerfile(ctx context.Context, t *task) (runtime.Artifact, error) {
	engine, err := openEngine(ctx)
	if err != nil {
		return runtime.Artifact{}, err
	}
	defer engine.close()
	build, err := folderBuild(t)
	if err != nil {
		return runtime.Artifact{}, err
	}
	return engine.build(ctx, t, build)
}

// folderBuild returns the image build of the candidate's folder.
func folderBuild(t *task) (imageBuild, error) {
	otherVersion := func(path string) bool {
		first, _, _ := strings.Cut(path, "/")
		if first[0] < '0' || first[0] > '9' || first == t.candidate.Version {
			return path == versionsFile
		}
		info, err := os.Stat(filepath.Join(t.dir(), first))
		return err == nil && info.IsDir()
	}
	made := newFingerprint("image")
	made.add("version", t.candidate.Version)
	if err := made.addFolder(t.dir(), otherVersion); err != nil {
		return imageBuild{}, err
	}
	return imageBuild{
		fingerprint: made.sum(),
		arguments:   map[string]string{"VERSION": t.candidate.Version},
		files: func(context.Context) (map[string]string, error) {
			files := map[string]string{}
			err := filepath.WalkDir(t.dir(), func(path string, entry fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				below, err := filepath.Rel(t.dir(), path)
				below = filepath.ToSlash(below)
				switch {
				case err != nil:
					return err
				case below != "." && otherVersion(below) && entry.IsDir():
					return filepath.SkipDir
				case below != "." && !otherVersion(below) && entry.Type().IsRegular():
					files[below] = path
				}
				return nil
			})
			if len(files) == 0 {
				err = errors.Join(err, errors.New("there are no files in "+t.dir()))
			}
			return files, err
		},
	}, nil
}
