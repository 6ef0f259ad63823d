package prove

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"msc4014/faults/mutation"
	"msc4014/report"
)

func TestRecordOfMutants(t *testing.T) {
	place := Mutant{File: "reference/rooms/view.go", Function: "view", Rule: "call dropped", Outcome: Noticed}
	byCheck, bySight, survived := place, place, place
	byCheck.ID, byCheck.By = "1", &NoticedBy{What: report.WhatCheck, Check: "a check"}
	bySight.ID, bySight.By = "2", &NoticedBy{What: report.WhatMonitor, Check: "a check", Requirement: "mapping/a"}
	survived.ID, survived.Outcome = "3", Survived
	score := Mutants{
		Suite: report.Suite{Commit: "abc"}, Seed: 1, Started: time.Date(2026, 11, 30, 23, 0, 0, 0, time.UTC),
		Score: MutantScore{Outcomes: map[Outcome]int{Noticed: 2, Survived: 1}}, Mutants: []Mutant{byCheck, bySight, survived},
	}
	assert.Equal(t, mutation.Record{
		Suite: "abc", Day: "2026-11-30", Seed: 1, Counts: map[string]int{"noticed": 2, "survived": 1},
		Noticed: []mutation.Noticed{
			{ID: "1", Rule: "call dropped", Place: "reference/rooms/view.go, view", Check: "a check"},
			{ID: "2", Rule: "call dropped", Place: "reference/rooms/view.go, view", Requirement: "mapping/a"},
		},
	}, score.record())
	_, err := mutation.LastRecord()
	assert.NoError(t, err)
}
