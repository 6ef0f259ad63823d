package main

// The catalogue, handed to the report.

import (
	"msc4014/report"
	"msc4014/requirements"
)

// mscNumber is the proposal that the suite judges by.
const mscNumber = 4014

// catalogueOf returns what the report needs of the catalogue.
func catalogueOf(catalogue *requirements.Catalogue) report.Catalogue {
	needed := report.Catalogue{Version: catalogue.Version, MSCNumber: mscNumber}
	if text, ok := catalogue.Text("MSC4014"); ok {
		needed.MSCCommit = text.Commit
	}
	for _, requirement := range catalogue.All() {
		needed.Requirements = append(needed.Requirements, report.CatalogueEntry{
			ID: requirement.ID, Chapter: requirement.Chapter, Kind: string(requirement.Kind), Since: requirement.Since,
		})
	}
	return needed
}
