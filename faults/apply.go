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

// Apply patches the source of the project at root by faults, and returns the patched files by their paths relative to root.
// The files on disk stay as they are. Each hunk is found in the original file, so that the order of faults does not matter.
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

// patch makes all edits of one file.
func patch(file string, original []byte, edits []edit) ([]byte, error) {
	for i := range edits {
		one := &edits[i]
		found := places(original, lines(one.Find))
		if len(found) != 1 {
			return nil, fmt.Errorf("fault %s: the lines to find, from %q on, stand %s in %s, and must stand there once", one.fault,
				strings.TrimSpace(first(one.Find)), times(len(found)), file)
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
	result, err := tidied(file, original, text.Bytes(), edits)
	if err != nil {
		return nil, fmt.Errorf("fault %s: %s is no Go any more: %w", strings.Join(names(edits), ", "), file, err)
	}
	return result, nil
}

// tidied adds the imports that edits need, drops those that are not used any more, and formats the file.
func tidied(file string, original, text []byte, edits []edit) ([]byte, error) {
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
		// UsesImport guesses the package's name from its path. Where it guesses wrong, it did so before, too.
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
	return format.Source(result.Bytes()) // where imports came or went, lines may be left to align
}

// parts are an import's own name, "" for none, and its path.
func parts(spec *ast.ImportSpec) (name, imported string) {
	if spec.Name != nil {
		name = spec.Name.Name
	}
	imported, _ = strconv.Unquote(spec.Path.Value) // the parser has done so, too
	return name, imported
}

type place struct{ begin, end int }

// places returns where whole lines stand in a text: at any depth, if the first of them is not indented.
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

// prefixed returns how long the beginning of a text is that has the wanted lines, all with a prefix but the empty ones; 0 if
// it begins with others.
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

// lines is a text with a line break at its end, as whole lines have; the empty text has no lines.
func lines(text string) string {
	if text == "" || strings.HasSuffix(text, "\n") {
		return text
	}
	return text + "\n"
}

// first is the first line of a text.
func first(text string) string {
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

func times(n int) string {
	if n == 0 {
		return "nowhere"
	}
	return fmt.Sprintf("%d times", n)
}
