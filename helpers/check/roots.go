package check

// The requirements that checks name for the steps of their preparation (roots: what blocks a check), and what a failed step means
// for them.

import (
	"context"
	"fmt"
	"slices"

	"msc4014/helpers/verdict"
)

// Blames declares requirements that steps may name. A step may name no others.
func Blames(requirements ...string) { registered.Blames(requirements...) }

// Blames declares requirements that steps may name.
func (r *Registry) Blames(requirements ...string) {
	for _, one := range requirements {
		if !slices.Contains(r.roots, one) {
			r.roots = append(r.roots, one)
		}
	}
}

// Roots returns the requirements that steps may name, in the order of their declaration.
func (r *Registry) Roots() []string { return slices.Clone(r.roots) }

// ValidateRoots returns an error for the first root that refuse returns an error for, and for the first that no check judges: a step that
// names it could block checks and fail nothing.
func (r *Registry) ValidateRoots(refuse func(requirement string) error) error {
	for _, root := range r.roots {
		if err := refuse(root); err != nil {
			return fmt.Errorf("steps of checks blame %s: %w", root, err)
		}
		if !slices.ContainsFunc(r.checks, func(one *Check) bool { return slices.Contains(one.Requires, root) }) {
			return fmt.Errorf("steps of checks blame %s, which no check judges", root)
		}
	}
	return nil
}

// knownRoot returns an error if a step must not blame a requirement.
func (r *Runner) knownRoot(requirement string) error {
	if r.options.Roots == nil {
		return nil
	}
	return r.options.Roots(requirement)
}

// drawIn runs the checks in reserve whose requirements a step found broken, until there are no more, and returns all attempts.
func (r *Runner) drawIn(ctx context.Context, attempts []*attempt) []*attempt {
	reserve := slices.Clone(r.options.Reserve)
	for ctx.Err() == nil {
		broken := map[string]bool{}
		for _, each := range attempts {
			if !each.metDeath() {
				broken[stepRoot(each.result)] = true
			}
		}
		var drawn []*Check
		reserve = slices.DeleteFunc(reserve, func(one *Check) bool {
			judges := slices.ContainsFunc(one.Requires, func(id string) bool { return broken[id] })
			if judges {
				drawn = append(drawn, one)
			}
			return judges
		})
		if len(drawn) == 0 {
			break
		}
		names := make([]string, len(drawn))
		for i, one := range drawn {
			names[i] = one.Name
		}
		r.emit(verdict.Event{Kind: verdict.KindPlan, Total: len(r.options.Checks) + len(r.options.Reserve) - len(reserve), Checks: names})
		r.emit(verdict.Event{Kind: verdict.KindNote, Message: fmt.Sprintf(
			"steps of the selected checks failed; %d checks of what they depend on ran, too", len(drawn))})
		attempts = append(attempts, r.firstRound(ctx, drawn)...)
	}
	return attempts
}

// metDeath reports whether a deployment of the attempt is dead, so that the check is judged again.
func (a *attempt) metDeath() bool {
	return a.interrupted || slices.ContainsFunc(a.instances, func(each *instance) bool { return isClosed(each.deployment.Died()) })
}

// stepRoot returns the requirement that a failed step of a check breaks, or "".
func stepRoot(result verdict.CheckResult) string {
	if result.Verdict != verdict.Blocked {
		return ""
	}
	return result.BlockedBy
}

// reportStep emits the finding of a check that is blocked: the step that failed, against the requirement that it names.
func (r *Runner) reportStep(result verdict.CheckResult) {
	if root := stepRoot(result); root != "" {
		r.emit(verdict.Event{Kind: verdict.KindFinding, Check: result.Name, Finding: &verdict.Finding{
			Requirement: root, Check: result.Name, Detail: result.Reason, Step: true,
		}})
	}
}
