// A hash of everything that something is made from.

package candidate

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"hash"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// module is the path of this project's Go module.
const module = "msc4014"

// fingerprint hashes everything that something is made from; equal sums mean equal results.
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
	_, err := f.addText(name, path, nil)
	return err
}

// addText adds a file, with an overlay's text in place of its own if that is not nil, and returns the text that it added.
func (f *fingerprint) addText(name, path string, text []byte) ([]byte, error) {
	if text == nil {
		var err error
		if text, err = os.ReadFile(path); err != nil {
			return nil, err
		}
	}
	f.add("file "+name, string(text))
	return text, nil
}

// addFolder adds every file below dir except those for which skip, called with slash-separated paths relative to dir,
// returns true.
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

// sum returns twelve hexadecimal digits: enough to tell builds apart, short enough for a tag.
func (f *fingerprint) sum() string { return hex.EncodeToString(f.hash.Sum(nil))[:12] }

var goDirectives = regexp.MustCompile(`(?m)^(go|toolchain|godebug) .*$`)

// addPackage adds a Go package of this module, and the packages of this module that it imports: all files in their folders,
// including embedded ones, except tests. If packages of other modules are imported, it adds go.mod and go.sum. overlay holds
// texts that replace files, or add some, by path relative to root; it is an error if such a file is not part of the build, since
// the text would change nothing.
func (f *fingerprint) addPackage(root, path string, overlay map[string][]byte) error {
	goMod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	if err != nil {
		return err
	}
	for _, directive := range goDirectives.FindAllString(string(goMod), -1) {
		f.add("go.mod", directive)
	}
	seen, replaced := map[string]bool{}, map[string]bool{}
	foreign := false
	for queue := []string{path}; len(queue) > 0; {
		next := queue[0]
		queue = queue[1:]
		if seen[next] {
			continue
		}
		seen[next] = true
		imports, err := f.addPackageFolder(root, next, overlay, replaced)
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
	for name := range overlay {
		if !replaced[name] {
			return fmt.Errorf("the overlay replaces %s, but %s is not built from it", name, path)
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

// addPackageFolder adds one package and returns what it imports. It records in replaced what it took from the overlay.
func (f *fingerprint) addPackageFolder(root, path string, overlay map[string][]byte, replaced map[string]bool) (imports []string, err error) {
	below := strings.TrimPrefix(path, module+"/")
	dir := filepath.Join(root, filepath.FromSlash(below))
	names, err := packageFiles(dir, below, overlay)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		file := filepath.Join(dir, name)
		text, isReplaced := overlay[below+"/"+name]
		if isReplaced {
			replaced[below+"/"+name] = true
		}
		if text, err = f.addText(path+"/"+name, file, text); err != nil {
			return nil, err
		}
		if filepath.Ext(name) != ".go" {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.ImportsOnly)
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

// packageFiles returns the names of a package's files, without tests: those in its folder, and those that the overlay adds. With
// these, there may be no folder.
func packageFiles(dir, below string, overlay map[string][]byte) (names []string, err error) {
	for file := range overlay {
		if path.Dir(file) == below {
			names = append(names, path.Base(file))
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil && (!errors.Is(err, fs.ErrNotExist) || len(names) == 0) {
		return nil, err
	}
	for _, entry := range entries {
		if name := entry.Name(); entry.Type().IsRegular() && !strings.HasSuffix(name, "_test.go") {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}
