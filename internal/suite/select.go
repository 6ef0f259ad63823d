package suite

// Which checks run, and in which order they start.

import (
	"cmp"
	"math/rand/v2"
	"slices"

	"msc4014/helpers/check"
	"msc4014/helpers/plan"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
)

// choose returns the checks that a plan selects, in the order in which they start: the slowest first, then those that the plan
// wants first.
func choose(all []*check.Check, wanted plan.Plan) ([]*check.Check, error) {
	selected, err := selection.New(wanted.Run, wanted.Shard, wanted.Second != nil)
	if err != nil {
		return nil, err
	}
	picked, err := selected.Choose(described(all))
	if err != nil {
		return nil, err
	}
	byName := map[string]*check.Check{}
	for _, one := range all {
		byName[one.Name] = one
	}
	chosen := make([]*check.Check, len(picked))
	for i, one := range picked {
		chosen[i] = byName[one.Name]
	}
	if wanted.Shuffle != 0 {
		random := rand.New(rand.NewPCG(uint64(wanted.Shuffle), 0))
		random.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	}
	first := map[string]int{}
	for i, name := range wanted.First {
		first[name] = i - len(wanted.First)
	}
	slices.SortStableFunc(chosen, func(a, b *check.Check) int {
		return cmp.Or(cmp.Compare(b.Slow, a.Slow), cmp.Compare(first[a.Name], first[b.Name]))
	})
	return repeated(chosen, wanted.Repeat), nil
}

// repeated returns checks, followed by those that run again, so that the times of one are far apart. The closing checks judge the whole
// run once.
func repeated(chosen []*check.Check, times int) []*check.Check {
	all := slices.Clone(chosen)
	for time := 2; time <= times; time++ {
		for _, one := range chosen {
			if one.Closing {
				continue
			}
			again := *one
			again.Name = verdict.Repeat(one.Name, time, times)
			all = append(all, &again)
		}
	}
	return all
}

// described returns checks as the command line sees them. Mixed deployments run the checks that need two servers, and the closing
// ones.
func described(checks []*check.Check) []selection.Check {
	all := make([]selection.Check, len(checks))
	for i, one := range checks {
		all[i] = selection.Check{
			Name: one.Name, Requirements: one.Requires, Path: one.Path, File: one.File(),
			Mixed: one.TwoServers || one.Closing, Closing: one.Closing, Containers: one.Containers || one.Clients,
		}
	}
	return all
}

// reserve returns the checks that were not selected, but may be drawn into the run when a step finds their requirement broken. In a
// mixed deployment those are checks of mixed deployments only.
func reserve(all, chosen []*check.Check, wanted plan.Plan) []*check.Check {
	if wanted.Only {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(all), func(one *check.Check) bool {
		return one.Closing || slices.Contains(chosen, one) || wanted.Second != nil && !one.TwoServers
	})
}
