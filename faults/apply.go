package faults

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/tools/go/ast/astutil"
)

// edit is a hunk with its place in the original file.
type edit struct {
	Hunk
	fault      string
	begin, end int
}

// Apply patches the source of the project at root with faults, and returns the patched files by path relative to root. It
// does not change the files on disk. Each hunk is found in the original file, so the order of faults does not matter.
func Apply(root string, faults []Fault) (map[string][]byte, error) {
	edits := map[string][]edit{}
	for _, fault := range faults {
		for _, hunk := range fault.Hunks {
			edits[hunk.File] = append(edits[hunk.File], edit{Hunk: hunk, fault: fault.ID})
		}
	}
	patched := map[string][]byte{}
	var problems []error
	for file, all := range edits {
		original, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(file)))
		if err != nil {
			problems = append(problems, fmt.Errorf("fault %s: %w", all[0].fault, err))
			continue
		}
		if patched[file], err = patch(file, original, all); err != nil {
			problems = append(problems, err)
		}
	}
	if len(problems) > 0 {
		slices.SortFunc(problems, func(a, b error) int { return cmp.Compare(a.Error(), b.Error()) })
		return nil, errors.Join(problems...)
	}
	return patched, nil
}

// patch applies all edits of one file.
func patch(file string, original []byte, edits []edit) ([]byte, error) {
	for i := range edits {
		one := &edits[i]
		found := places(original, lines(one.Find))
		if len(found) != 1 {
			return nil, fmt.Errorf("fault %s: the lines to find, beginning with %q, occur %d times in %s, but must occur exactly once", one.fault,
				strings.TrimSpace(firstLine(one.Find)), len(found), file)
		}
		one.begin, one.end = found[0].begin, found[0].end
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.begin, b.begin) })
	var text bytes.Buffer
	done := 0
	for i, one := range edits {
		if one.begin < done {
			before := edits[i-1]
			if before.fault == one.fault {
				return nil, fmt.Errorf("fault %s changes the same place of %s twice", one.fault, file)
			}
			return nil, fmt.Errorf("faults %s and %s change the same place of %s", before.fault, one.fault, file)
		}
		text.Write(original[done:one.begin])
		text.WriteString(lines(one.Replace))
		done = one.end
	}
	text.Write(original[done:])
	result, err := tidy(file, original, text.Bytes(), edits)
	if err != nil {
		return nil, fmt.Errorf("fault %s: the patched %s is not valid Go: %w", strings.Join(names(edits), ", "), file, err)
	}
	return result, nil
}

// tidy adds the imports that edits need, removes those that are no longer used, and formats the file.
func tidy(file string, original, text []byte, edits []edit) ([]byte, error) {
	before, err := parser.ParseFile(token.NewFileSet(), file, original, 0)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	after, err := parser.ParseFile(set, file, text, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	for _, spec := range slices.Clone(after.Imports) {
		// UsesImport guesses the package's name from its path. A wrong guess is the same before and after.
		if name, imported := parts(spec); astutil.UsesImport(before, imported) && !astutil.UsesImport(after, imported) {
			astutil.DeleteNamedImport(set, after, name, imported)
		}
	}
	for _, one := range edits {
		for _, imported := range one.Imports {
			astutil.AddImport(set, after, imported)
		}
	}
	var result bytes.Buffer
	if err := format.Node(&result, set, after); err != nil {
		return nil, err
	}
	return format.Source(result.Bytes()) // again, as changed imports may need to be aligned
}

// parts returns an import's name, or "" if it has none, and its path.
func parts(spec *ast.ImportSpec) (name, imported string) {
	if spec.Name != nil {
		name = spec.Name.Name
	}
	imported, _ = strconv.Unquote(spec.Path.Value) // the parser has checked it
	return name, imported
}

type place struct{ begin, end int }

// places returns where the wanted lines occur in a text: at any indentation, if the first of them is not indented.
func places(text []byte, wanted string) (found []place) {
	fixed := strings.HasPrefix(wanted, "\t") || strings.HasPrefix(wanted, " ")
	for begin := 0; begin < len(text); begin = lineEnd(text, begin) {
		rest := text[begin:]
		depth := 0
		if !fixed {
			depth = len(rest) - len(bytes.TrimLeft(rest, "\t"))
		}
		if length := prefixed(rest, wanted, string(rest[:depth])); length > 0 {
			found = append(found, place{begin, begin + length})
		}
	}
	return found
}

// prefixed returns the length of the wanted lines at the beginning of a text, where all except empty ones have a prefix. It
// returns 0 if the text does not begin with them.
func prefixed(text []byte, wanted, prefix string) int {
	length := 0
	for line := range strings.Lines(wanted) {
		if line != "\n" {
			line = prefix + line
		}
		if !bytes.HasPrefix(text[length:], []byte(line)) {
			return 0
		}
		length += len(line)
	}
	return length
}

func lineEnd(text []byte, begin int) int {
	if end := bytes.IndexByte(text[begin:], '\n'); end >= 0 {
		return begin + end + 1
	}
	return len(text)
}

// lines returns a text with a line break at its end. It returns the empty text unchanged.
func lines(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// firstLine returns the first line of a text.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}

func names(edits []edit) (ids []string) {
	for _, one := range edits {
		ids = append(ids, one.fault)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}
