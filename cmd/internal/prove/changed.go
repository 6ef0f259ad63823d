package prove

// What changed since a commit: faults whose rows changed, and checks whose source changed.

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path"
	"reflect"
	"slices"
	"strings"

	"msc4014/faults"
)

// Changes are the differences between the project and one of its commits.
type Changes struct {
	Files  []string       // below tests/, relative to the root
	Faults []faults.Fault // the rows that changed or are new
}

// Since returns what changed in the project at root since a commit, in files that git tracks. The error for an unknown commit
// is for the user.
func Since(ctx context.Context, root, commit string) (changes Changes, err error) {
	git := func(arguments ...string) (string, error) {
		output, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, arguments...)...).Output()
		return string(output), err
	}
	base, err := git("rev-parse", "--verify", "--quiet", "--end-of-options", commit+"^{commit}")
	if err != nil {
		return changes, fmt.Errorf("--changed-since %s: git knows no such commit of %s", commit, root)
	}
	base = strings.TrimSpace(base)
	listed, err := git("diff", "--name-only", "--relative", "-z", base, "--", "tests", "faults/data")
	if err != nil {
		return changes, fmt.Errorf("--changed-since %s: git cannot list the changed files: %w", commit, err)
	}
	all, err := faults.All()
	if err != nil {
		return changes, err
	}
	before := map[string]faults.Fault{}
	for _, name := range strings.FieldsFunc(listed, func(r rune) bool { return r == 0 }) {
		if strings.HasPrefix(name, "tests/") && !strings.HasSuffix(name, "_test.go") {
			changes.Files = append(changes.Files, name)
		}
	}
	text, err := git("ls-tree", "-r", "--name-only", "-z", base, "--", "faults/data")
	if err != nil {
		return changes, fmt.Errorf("--changed-since %s: git cannot list the faults: %w", commit, err)
	}
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == 0 }) {
		text, err := git("show", base+":./"+name)
		if err != nil {
			return changes, fmt.Errorf("--changed-since %s: git cannot show %s: %w", commit, name, err)
		}
		rows, err := faults.Parse([]byte(text))
		if err != nil {
			continue // written for another version of the suite: all its rows count as changed
		}
		for _, one := range rows {
			before[one.ID] = one
		}
	}
	for _, one := range all {
		if !reflect.DeepEqual(one, before[one.ID]) {
			changes.Faults = append(changes.Faults, one)
		}
	}
	return changes, nil
}

// changedChecks returns the checks whose source changed: the file that registers a check, or one of its folder, or of a folder
// below it, that registers none.
func (c coverage) changedChecks(changes Changes) []string {
	registering := map[string]bool{}
	for _, check := range c.registered {
		registering[check.File] = true
	}
	changed := map[string]bool{}
	for _, file := range changes.Files {
		for _, check := range c.registered {
			if file == check.File || !registering[file] && check.File != "" && below(path.Dir(file), path.Dir(check.File)) {
				changed[check.Name] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(changed))
}

// below reports whether a folder is another or below it.
func below(folder, other string) bool { return folder == other || strings.HasPrefix(folder, other+"/") }

// changedFaults returns the IDs of faults that changed, or that name a check that did.
func (c coverage) changedFaults(all []faults.Fault, changes Changes) map[string]bool {
	ids := map[string]bool{}
	for _, one := range changes.Faults {
		ids[one.ID] = true
	}
	checks := c.changedChecks(changes)
	for _, one := range all {
		for _, kill := range one.Kills {
			if slices.Contains(checks, kill.Check) {
				ids[one.ID] = true
			}
		}
	}
	return ids
}
