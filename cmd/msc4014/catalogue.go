package main

// The catalogue, as package report needs it.

import (
	"msc4014/faults"
	"msc4014/report"
	"msc4014/requirements"
)

// mscNumber is the number of the proposal that the suite tests.
const mscNumber = 4014

// catalogueOf returns the parts of the catalogue that the report needs, with the faults that make each requirement fail.
func catalogueOf(catalogue *requirements.Catalogue, all []faults.Fault) report.Catalogue {
	needed := report.Catalogue{Version: catalogue.Version, MSCNumber: mscNumber}
	if text, ok := catalogue.Text("MSC4014"); ok {
		needed.MSCCommit = text.Commit
	}
	killed := map[string][]report.Fault{}
	for _, fault := range all {
		for _, id := range fault.Requirements {
			killed[id] = append(killed[id], report.Fault{ID: fault.ID, Does: fault.Does})
		}
	}
	for _, requirement := range catalogue.All() {
		entry := report.CatalogueEntry{
			ID: requirement.ID, Chapter: requirement.Chapter, Kind: string(requirement.Kind),
			Own: requirement.Own(), Since: requirement.Since, Demand: requirement.Demand, Source: requirement.Source,
			Faults: killed[requirement.ID], Consequence: requirement.Consequence,
		}
		for _, link := range catalogue.Links(requirement.Source) {
			entry.Links = append(entry.Links, report.Link{Text: link.Text, URL: link.URL})
		}
		for _, reading := range requirement.Readings {
			entry.Readings = append(entry.Readings, report.Reading{Reading: reading.Slug, Means: reading.Means})
		}
		needed.Requirements = append(needed.Requirements, entry)
	}
	return needed
}
