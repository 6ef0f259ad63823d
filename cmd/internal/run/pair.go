package run

// --pair: two candidates in one deployment, each once as hs1 and once as hs2.

import (
	"errors"
	"fmt"
	"strings"
)

// pair returns the tasks of --pair A,B: A as hs1 with B as hs2, then the other way round.
func (r *Runner) pair(options Options) ([]task, error) {
	if len(options.Candidates) > 0 {
		return nil, fmt.Errorf("--pair %s already names the candidates; omit %s, or run without --pair", options.Pair,
			strings.Join(options.Candidates, " "))
	}
	if len(r.Images) > 0 {
		return nil, fmt.Errorf("--pair %s and %s both select a server's image; omit one of them", options.Pair, r.Images[0].Variable)
	}
	if options.Baseline != "" && options.UpdateBaseline {
		return nil, errors.New("--update-baseline writes one baseline for each direction of --pair; omit --baseline, which names a single file")
	}
	typed := strings.Split(options.Pair, ",")
	if len(typed) != 2 || typed[0] == "" || typed[1] == "" {
		return nil, fmt.Errorf("--pair %q: must be A,B, two candidates separated by a comma and no space, such as "+
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
		return nil, fmt.Errorf("--pair %s: both are %s; to test two servers of it, run ./run.sh %s", options.Pair, first.Name, typed[0])
	}
	one, err := r.task(options, typed[0]+","+typed[1], first, second)
	if err != nil {
		return nil, err
	}
	other, err := r.task(options, typed[1]+","+typed[0], second, first)
	return []task{one, other}, err
}
