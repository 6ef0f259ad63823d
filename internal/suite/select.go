package suite

// Which checks run, and in which order they start.

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"msc4014/helpers/check"
	"msc4014/helpers/plan"
)

// choose returns the checks that a plan selects, in the order in which they start: those that wait for a server's own
// time-outs first. Closing checks belong to every run: a crash that no check is blamed for has no other verdict.
func choose(all []*check.Check, wanted plan.Plan) ([]*check.Check, error) {
	pattern, err := regexp.Compile(wanted.Run)
	if err != nil {
		return nil, fmt.Errorf("--run %q is not a valid regular expression: %w", wanted.Run, err)
	}
	var chosen, closing, asked []*check.Check
	for _, one := range all {
		matches := one.Matches(pattern) && (wanted.Second == nil || one.Mixed())
		switch {
		case one.Closing:
			closing = append(closing, one)
			if matches {
				asked = append(asked, one)
			}
		case matches:
			chosen = append(chosen, one)
		}
	}
	if len(chosen) == 0 {
		chosen, closing = asked, nil
	}
	if len(chosen) == 0 && wanted.Second != nil {
		return nil, fmt.Errorf("--run %q matches no check that stands on two servers, which --pair runs", wanted.Run)
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("--run %q matches no check and no requirement that has one (./run.sh list shows them)", wanted.Run)
	}
	if chosen, err = share(chosen, wanted.Shard); err != nil {
		return nil, err
	}
	chosen = append(chosen, closing...)
	if wanted.Shuffle != 0 {
		random := rand.New(rand.NewPCG(uint64(wanted.Shuffle), 0))
		random.Shuffle(len(chosen), func(i, j int) { chosen[i], chosen[j] = chosen[j], chosen[i] })
	}
	slices.SortStableFunc(chosen, func(a, b *check.Check) int { return cmp.Compare(b.Slow, a.Slow) })
	return chosen, nil
}

// share returns the I-th of N parts of the checks; "" means all of them.
func share(all []*check.Check, shard string) ([]*check.Check, error) {
	if shard == "" {
		return all, nil
	}
	mistake := fmt.Errorf("--shard %q: expected I/N with 1 <= I <= N", shard)
	first, second, found := strings.Cut(shard, "/")
	if !found {
		return nil, mistake
	}
	part, err := strconv.Atoi(first)
	if err != nil {
		return nil, mistake
	}
	parts, err := strconv.Atoi(second)
	if err != nil || part < 1 || part > parts {
		return nil, mistake
	}
	var chosen []*check.Check
	for i, one := range all {
		if i%parts == part-1 {
			chosen = append(chosen, one)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("--shard %s has no check: %d are selected, so there are at most as many parts", shard, len(all))
	}
	return chosen, nil
}
