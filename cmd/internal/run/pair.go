package run

// --pair: two candidates in one deployment, each of them once on hs1 and once on hs2.

import (
	"errors"
	"fmt"
	"strings"
)

// pair makes the tasks of --pair A,B: hs1 of A with hs2 of B, then the other way round.
func (r *Runner) pair(options Options) ([]task, error) {
	if len(options.Candidates) > 0 {
		return nil, fmt.Errorf("--pair %s names its candidates itself; leave out %s, or run it without --pair", options.Pair,
			strings.Join(options.Candidates, " "))
	}
	if len(r.Images) > 0 {
		return nil, fmt.Errorf("--pair %s and %s both say what a server is; leave one of them out", options.Pair, r.Images[0].Variable)
	}
	if options.Baseline != "" && options.UpdateBaseline {
		return nil, errors.New("--update-baseline writes a baseline for each side of a --pair; leave out --baseline, which names one")
	}
	typed := strings.Split(options.Pair, ",")
	if len(typed) != 2 || typed[0] == "" || typed[1] == "" {
		return nil, fmt.Errorf("--pair %q: it is A,B, two candidates with a comma and no space between them, such as "+
			"dendrite@0.13.8,synapse", options.Pair)
	}
	first, err := r.Parse(typed[0])
	if err != nil {
		return nil, fmt.Errorf("--pair %s: %w", options.Pair, err)
	}
	second, err := r.Parse(typed[1])
	if err != nil {
		return nil, fmt.Errorf("--pair %s: %w", options.Pair, err)
	}
	if first.Name == second.Name {
		return nil, fmt.Errorf("--pair %s: both are %s, whose two servers are judged by ./run.sh %s", options.Pair, first.Name, typed[0])
	}
	one, err := r.task(options, typed[0]+","+typed[1], first, second)
	if err != nil {
		return nil, err
	}
	other, err := r.task(options, typed[1]+","+typed[0], second, first)
	return []task{one, other}, err
}
