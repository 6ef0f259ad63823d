// A working tree of Dendrite: built where it is, as its own go.mod says, and rebuilt when any file of the program changes.

package candidate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"msc4014/runtime/gocommand"
)

const (
	dendriteSoftware = "dendrite"
	// treePrefix begins the name of a candidate that is a working tree of Dendrite.
	treePrefix = dendriteSoftware + ":"
	// treeProgram is the package of the server in a working tree, whatever the path of its module is.
	treeProgram = "./cmd/dendrite"
)

// parseTree returns the candidate in the folder dir, which may be relative to the working directory.
func parseTree(name, dir string) (Candidate, error) {
	wrong := func(format string, arguments ...any) (Candidate, error) {
		return Candidate{}, fmt.Errorf("candidate %q: %s; name the root folder of a working tree of Dendrite: %sDIR",
			name, fmt.Sprintf(format, arguments...), treePrefix)
	}
	if dir == "" {
		return wrong("it names no folder")
	}
	tree, err := filepath.Abs(dir)
	if err != nil {
		return wrong("%v", err)
	}
	var unread *fs.PathError // its own text has the path as it is
	switch info, err := os.Stat(tree); {
	case errors.Is(err, fs.ErrNotExist):
		return wrong("there is no folder %q", tree)
	case errors.As(err, &unread):
		return wrong("cannot read %q: %v", tree, unread.Err)
	case err != nil:
		return wrong("%v", err)
	case !info.IsDir():
		return wrong("%q is a file, not a folder", tree)
	}
	if info, err := os.Stat(filepath.Join(tree, "go.mod")); err != nil || !info.Mode().IsRegular() {
		return wrong("%q has no go.mod", tree)
	}
	if sources, _ := filepath.Glob(filepath.Join(globLiteral(tree), "cmd", "dendrite", "*.go")); len(sources) == 0 {
		return wrong("%q is not Dendrite: it has no Go files in cmd/dendrite", tree)
	}
	return Candidate{Name: treePrefix + tree, Software: dendriteSoftware, Tree: tree}, nil
}

// globLiteral returns a pattern that matches path alone.
func globLiteral(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// treePackage is what the go command says of a package (go help list).
type treePackage struct {
	Dir, ImportPath string
	Standard        bool
	Module          *treeModule

	GoFiles, CgoFiles, CFiles, CXXFiles, MFiles, HFiles, FFiles, SFiles, SwigFiles, SwigCXXFiles, SysoFiles, EmbedFiles []string
}

// files returns the names of the files that the package is built from.
func (p treePackage) files() []string {
	return slices.Concat(p.GoFiles, p.CgoFiles, p.CFiles, p.CXXFiles, p.MFiles, p.HFiles, p.FFiles, p.SFiles, p.SwigFiles, p.SwigCXXFiles,
		p.SysoFiles, p.EmbedFiles)
}

// treeModule is what the go command says of a module.
type treeModule struct {
	Path, GoMod string
	Main        bool
	Replace     *treeModule
}

// treeFields are the fields of treePackage, for go list -json.
const treeFields = "Dir,ImportPath,Standard,Module,GoFiles,CgoFiles,CFiles,CXXFiles,MFiles,HFiles,FFiles,SFiles,SwigFiles,SwigCXXFiles," +
	"SysoFiles,EmbedFiles"

// addTree adds the files that a program is built from: of its own module, of modules that its go.mod replaces by a folder, and of
// its vendor folder, wherever they are. Modules of the module cache never change; go.mod and go.sum say which they are.
func (f *fingerprint) addTree(ctx context.Context, build goBuild) error {
	environment := goEnvironment(build.platform, build.temporary, build.c)
	cached, err := goOutput(ctx, build.dir, environment, "env", "GOMODCACHE")
	if err != nil {
		return err
	}
	cache := strings.TrimSpace(string(cached)) + string(filepath.Separator)
	arguments := slices.Concat([]string{"list", "-deps", "-json=" + treeFields}, build.flags(), []string{build.path})
	listed, err := goOutput(ctx, build.dir, environment, arguments...)
	if err != nil {
		return err
	}
	modFiles := map[string]string{} // by path of the module
	for decoder := json.NewDecoder(bytes.NewReader(listed)); ; {
		var each treePackage
		if err := decoder.Decode(&each); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return fmt.Errorf("what go list says of the packages in %s: %w", build.dir, err)
		}
		if each.Standard || strings.HasPrefix(each.Dir+string(filepath.Separator), cache) {
			continue
		}
		for _, name := range each.files() {
			path := name
			if !filepath.IsAbs(path) {
				path = filepath.Join(each.Dir, name)
			}
			if err := f.addFile(each.ImportPath+"/"+filepath.ToSlash(name), path); err != nil {
				return err
			}
		}
		if module := each.Module; module != nil {
			file := module.GoMod
			if module.Replace != nil {
				file = module.Replace.GoMod
			}
			modFiles[module.Path] = file
		}
	}
	for _, module := range slices.Sorted(maps.Keys(modFiles)) {
		if modFiles[module] == "" { // in a vendor folder
			continue
		}
		if err := f.addFile("go.mod of "+module, modFiles[module]); err != nil {
			return err
		}
	}
	for _, name := range []string{"go.sum", filepath.Join("vendor", "modules.txt")} {
		err := f.addFile(filepath.ToSlash(name), filepath.Join(build.dir, name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// goOutput returns the standard output of a go command in dir. Its error has the end of what the command said.
func goOutput(ctx context.Context, dir string, environment []string, arguments ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, "go", arguments...)
	command.Dir, command.Env = dir, environment
	var output, complaints bytes.Buffer
	command.Stdout, command.Stderr = &output, &complaints
	if err := gocommand.RunGroup(command); err != nil {
		return nil, fmt.Errorf("go %s in %s: %w%s", arguments[0], dir, err, endOf(complaints.String()))
	}
	return output.Bytes(), nil
}

// treeVersion returns the commit of a working tree, with "+changes" if tracked files differ from it, or "" if git does not say: sources that
// were unpacked inside another repository have no commit.
func treeVersion(ctx context.Context, dir string) string {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if err := exec.CommandContext(ctx, "git", "-C", dir, "ls-files", "--error-unmatch", "--", "go.mod").Run(); err != nil {
		return ""
	}
	output, err := exec.CommandContext(ctx, "git", "-C", dir, "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+changes").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(output))
}
