package main

// The catalogue, as package report needs it.

import (
	"msc4014/report"
	"msc4014/requirements"
)

// mscNumber is the number of the proposal that the suite tests.
const mscNumber = 4014

// catalogueOf returns the parts of the catalogue that the report needs.
func catalogueOf(catalogue *requirements.Catalogue) report.Catalogue {
	needed := report.Catalogue{Version: catalogue.Version, MSCNumber: mscNumber}
	if text, ok := catalogue.Text("MSC4014"); ok {
		needed.MSCCommit = text.Commit
	}
	for _, requirement := range catalogue.All() {
		needed.Requirements = append(needed.Requirements, report.CatalogueEntry{
			ID: requirement.ID, Chapter: requirement.Chapter, Kind: string(requirement.Kind),
			Own: requirement.Own(), Since: requirement.Since, Demand: requirement.Demand, Source: requirement.Source,
		})
	}
	return needed
}
