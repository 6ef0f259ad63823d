// What something is made from, as a hash.

package candidate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/parser"
	"go/token"
	"hash"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// module is the path of this project's Go module.
const module = "msc4014"

// fingerprint gathers everything that something is made from; equal sums mean equal results.
type fingerprint struct{ hash hash.Hash }

func newFingerprint(kind string) *fingerprint {
	f := &fingerprint{hash: sha256.New()}
	f.add("kind", kind)
	return f
}

func (f *fingerprint) add(name, value string) {
	fmt.Fprintf(f.hash, "%d:%s=%d:%s\n", len(name), name, len(value), value)
}

func (f *fingerprint) addFile(name, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	f.add("file "+name, string(data))
	return nil
}

// addFolder adds every file below dir but those that skip leaves out (it sees slash-separated paths below dir).
func (f *fingerprint) addFolder(dir string, skip func(path string) bool) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		below, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		below = filepath.ToSlash(below)
		if below != "." && skip != nil && skip(below) {
			if entry.IsDir() {
				return filepath.SkipDir
			}
			return nil
		}
		if !entry.Type().IsRegular() {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		f.add("mode", strconv.FormatBool(info.Mode()&0o111 != 0))
		return f.addFile(below, path)
	})
}

// sum is twelve hexadecimal digits: enough to tell builds apart, short enough for a tag.
func (f *fingerprint) sum() string { return hex.EncodeToString(f.hash.Sum(nil))[:12] }

var goDirectives = regexp.MustCompile(`(?m)^(go|toolchain|godebug) .*$`)

// addPackage adds a Go package of this module, and those of this module that it imports, with all files in their folders
// (embedded ones, too) but tests. Packages of other modules bring in go.mod and go.sum.
func (f *fingerprint) addPackage(root, path string) error {
	goMod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	for _, directive := range goDirectives.FindAllString(string(goMod), -1) {
		f.add("go.mod", directive)
	}
	seen := map[string]bool{}
	foreign := false
	for queue := []string{path}; len(queue) > 0; {
		next := queue[0]
		queue = queue[1:]
		if seen[next] {
			continue
		}
		seen[next] = true
		imports, err := f.addPackageFolder(next, filepath.Join(root, filepath.FromSlash(strings.TrimPrefix(next, module+"/"))))
		if err != nil {
			return err
		}
		for _, path := range imports {
			first, _, _ := strings.Cut(path, "/")
			switch {
			case first == module:
				queue = append(queue, path)
			case strings.Contains(first, "."):
				foreign = true
			}
		}
	}
	if !foreign {
		return nil
	}
	if err := f.addFile("go.mod", filepath.Join(root, "go.mod")); err != nil {
		return err
	}
	return f.addFile("go.sum", filepath.Join(root, "go.sum"))
}

func (f *fingerprint) addPackageFolder(path, dir string) (imports []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if !entry.Type().IsRegular() || strings.HasSuffix(name, "_test.go") {
			continue
		}
		file := filepath.Join(dir, name)
		if err := f.addFile(path+"/"+name, file); err != nil {
			return nil, err
		}
		if filepath.Ext(name) != ".go" {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return nil, err
		}
		for _, spec := range parsed.Imports {
			if path, err := strconv.Unquote(spec.Path.Value); err == nil {
				imports = append(imports, path)
			}
		}
	}
	slices.Sort(imports)
	return slices.Compact(imports), nil
}
