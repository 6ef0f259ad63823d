package prove

// What changed since a commit: faults whose rows changed, and checks whose source changed.

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"msc4014/faults"
)

// Changes are the differences between the project and one of its commits.
type Changes struct {
	Files  []string       // below tests/, relative to the root
	Faults []faults.Fault // the rows that changed or are new
}

// Since returns what changed in the project at root since a commit, in files that git tracks. Its error is for the user, unless ctx is
// done.
func Since(ctx context.Context, root, commit string) (changes Changes, err error) {
	defer func() {
		if err != nil && ctx.Err() == nil {
			err = fmt.Errorf("--changed-since %q: %w", commit, err)
		}
	}()
	git := func(arguments ...string) (string, error) { return git(ctx, root, arguments...) }
	base, err := git("rev-parse", "--verify", "--quiet", "--end-of-options", commit+"^{commit}")
	if silent := (*exec.ExitError)(nil); errors.As(err, &silent) && silent.ExitCode() == 1 {
		return changes, fmt.Errorf("git knows no such commit of %s", root)
	}
	if err != nil {
		return changes, err
	}
	base = strings.TrimSpace(base)
	listed, err := git("diff", "--name-only", "--relative", "-z", base, "--", "tests", "faults/data")
	if err != nil {
		return changes, err
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
		return changes, err
	}
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == 0 }) {
		text, err := git("show", base+":./"+name)
		if err != nil {
			return changes, err
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

// gitSaid is the number of characters of git's messages that an error has.
const gitSaid = 300

// git runs git in the project at root, and returns its output. Its error has git's own words, or the cause of ctx.
func git(ctx context.Context, root string, arguments ...string) (string, error) {
	output, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, arguments...)...).Output()
	failed := (*exec.ExitError)(nil)
	switch {
	case err == nil:
		return string(output), nil
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return "", errors.New("git is not installed, or not in PATH")
	case errors.As(err, &failed):
		said := []rune(oneLine(string(failed.Stderr)))
		return "", fmt.Errorf("git %s in %s: %w: %s", arguments[0], root, err, strconv.QuoteToGraphic(string(said[:min(gitSaid, len(said))])))
	}
	return "", fmt.Errorf("git cannot be run: %w", err)
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
