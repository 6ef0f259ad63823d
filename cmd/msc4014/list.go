package main

// list: the requirements by chapter, with the checks that cover them.

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"msc4014/cmd/internal/suitebinary"
	"msc4014/faults"
	"msc4014/internal/selection"
	"msc4014/report"
	"msc4014/requirements"
)

// listed is one requirement with its checks, as list --json writes it.
type listed struct {
	ID       string                 `json:"id"`
	Chapter  string                 `json:"chapter"`
	Kind     requirements.Kind      `json:"kind"`
	Source   string                 `json:"source"`
	Demand   string                 `json:"demand"`
	Readings []requirements.Reading `json:"readings,omitempty"`
	Checks   []listedCheck          `json:"checks"`
}

type listedCheck struct {
	Name string `json:"name"`
	Path string `json:"path,omitempty"`
}

// newListCommand returns the command that lists requirements and checks.
func newListCommand() *cobra.Command {
	var asJSON bool
	command := &cobra.Command{
		Use:   "list [faults] [REGEX]",
		Short: "List requirements and the checks that cover them, or the faults of the reference",
		Long: `Lists the requirements whose identifier or demand matches REGEX, or one of whose checks does by its name; without REGEX, all. "list faults"
lists the deviations of the reference that ./run.sh reference --fault ID builds, and the requirements that each makes fail.`,
		Args: func(command *cobra.Command, arguments []string) error {
			if len(arguments) > 0 && arguments[0] == "faults" {
				arguments = arguments[1:]
			}
			if len(arguments) > 1 {
				return fmt.Errorf("%s takes one regular expression, got %q, too", command.CommandPath(), arguments[1])
			}
			return nil
		},
		RunE: func(command *cobra.Command, arguments []string) error {
			ofFaults := len(arguments) > 0 && arguments[0] == "faults"
			if ofFaults {
				arguments = arguments[1:]
			}
			pattern, err := regexp.Compile(strings.Join(arguments, ""))
			if err != nil {
				return fmt.Errorf("%q is not a valid regular expression: %w", arguments[0], err)
			}
			if ofFaults {
				return listFaults(os.Stdout, pattern, asJSON)
			}
			root, err := projectRoot()
			if err != nil {
				return err
			}
			catalogue, err := requirements.Load()
			if err != nil {
				return err
			}
			binary, err := suitebinary.Build(command.Context(), root)
			if err != nil {
				return err
			}
			checks, err := suitebinary.List(command.Context(), binary)
			if err != nil {
				return err
			}
			all := cover(catalogue, checks)
			all = slices.DeleteFunc(all, func(one listed) bool { return !one.matches(pattern) })
			if len(all) == 0 {
				return fmt.Errorf("no requirement or check matches %q", pattern)
			}
			if asJSON {
				return writeJSON(os.Stdout, all)
			}
			return writeList(os.Stdout, catalogue, all)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "write JSON, with demands, sources and readings")
	return command
}

// matches reports whether a pattern matches a requirement or one of its checks.
func (l listed) matches(pattern *regexp.Regexp) bool {
	return pattern.MatchString(l.ID) || pattern.MatchString(l.Demand) ||
		slices.ContainsFunc(l.Checks, func(one listedCheck) bool { return pattern.MatchString(one.Name) })
}

// listFaults lists the faults that match a pattern.
func listFaults(w io.Writer, pattern *regexp.Regexp, asJSON bool) error {
	all, err := faults.All()
	if err != nil {
		return err
	}
	type listedFault struct {
		ID           string   `json:"id"`
		Does         string   `json:"does"`
		Requirements []string `json:"requirements"`
	}
	chosen := []listedFault{}
	for _, one := range all {
		if pattern.MatchString(one.ID) || pattern.MatchString(one.Does) || slices.ContainsFunc(one.Requirements, pattern.MatchString) {
			chosen = append(chosen, listedFault{one.ID, one.Does, one.Requirements})
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("no fault matches %q", pattern)
	}
	if asJSON {
		return writeJSON(w, chosen)
	}
	for _, one := range chosen {
		if _, err := fmt.Fprintf(w, "%s\n    %s\n    makes fail: %s\n", one.ID, one.Does, strings.Join(one.Requirements, ", ")); err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(w, "%d of %d faults\n", len(chosen), len(all))
	return err
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}

// cover pairs each requirement of the catalogue with the checks that name it.
func cover(catalogue *requirements.Catalogue, checks []selection.Check) []listed {
	covering := map[string][]listedCheck{}
	for _, check := range checks {
		for _, id := range check.Requirements {
			covering[id] = append(covering[id], listedCheck{Name: check.Name, Path: check.Path})
		}
	}
	var all []listed
	for _, requirement := range catalogue.All() {
		one := listed{
			ID: requirement.ID, Chapter: requirement.Chapter, Kind: requirement.Kind, Source: requirement.Source,
			Demand: requirement.Demand, Readings: requirement.Readings, Checks: covering[requirement.ID],
		}
		if one.Checks == nil {
			one.Checks = []listedCheck{}
		}
		all = append(all, one)
	}
	return all
}

// writeList writes the list for people.
func writeList(w io.Writer, catalogue *requirements.Catalogue, all []listed) error {
	total, checks := 0, map[string]bool{}
	for _, chapter := range catalogue.Chapters() {
		var lines []string
		covered, in := 0, 0
		for _, one := range all {
			if one.Chapter != chapter.Name {
				continue
			}
			in++
			if len(one.Checks) == 0 {
				lines = append(lines, fmt.Sprintf("  %-6s %s  (no check yet)", one.Kind, one.ID), "           "+one.Demand)
				continue
			}
			covered++
			lines = append(lines, fmt.Sprintf("  %-6s %s", one.Kind, one.ID), "           "+one.Demand)
			for _, check := range one.Checks {
				checks[check.Name] = true
				lines = append(lines, "           - "+report.CheckTitle(check.Name, check.Path))
			}
		}
		total += covered
		if in == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "%s: %d of %d requirements have a check\n", chapter.Name, covered, in); err != nil {
			return err
		}
		for _, line := range lines {
			if _, err := fmt.Fprintln(w, line); err != nil {
				return err
			}
		}
		if _, err := fmt.Fprintln(w); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d of %d requirements have a check; %d checks cover them. Catalogue version %d.\n",
		total, len(all), len(checks), catalogue.Version)
	return err
}

// noArguments rejects arguments with a one-line error.
func noArguments(command *cobra.Command, arguments []string) error {
	if len(arguments) > 0 {
		return fmt.Errorf("%s takes no argument, got %q", command.CommandPath(), arguments[0])
	}
	return nil
}
