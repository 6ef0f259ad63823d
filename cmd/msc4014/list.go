package main

// list: the requirements by chapter, with the checks that cover them.

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"msc4014/cmd/internal/suitebinary"
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
		Use:   "list",
		Short: "List requirements and the checks that cover them",
		Args:  noArguments,
		RunE: func(command *cobra.Command, _ []string) error {
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
			if asJSON {
				encoder := json.NewEncoder(os.Stdout)
				encoder.SetIndent("", "  ")
				encoder.SetEscapeHTML(false)
				return encoder.Encode(all)
			}
			return writeList(os.Stdout, catalogue, all)
		},
	}
	command.Flags().BoolVar(&asJSON, "json", false, "write JSON, with demands, sources and readings")
	return command
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
		covered := 0
		for _, one := range all {
			if one.Chapter != chapter.Name {
				continue
			}
			if len(one.Checks) == 0 {
				lines = append(lines, fmt.Sprintf("  %-6s %s  (no check yet)", one.Kind, one.ID))
				continue
			}
			covered++
			lines = append(lines, fmt.Sprintf("  %-6s %s", one.Kind, one.ID))
			for _, check := range one.Checks {
				checks[check.Name] = true
				lines = append(lines, "           "+report.CheckTitle(check.Name, check.Path))
			}
		}
		total += covered
		if _, err := fmt.Fprintf(w, "%s: %d of %d requirements have a check\n", chapter.Name, covered,
			len(chapter.Requirements)); err != nil {
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
