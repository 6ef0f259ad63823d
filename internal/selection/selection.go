// Package selection selects the checks of a run by --run, --shard and --pair.
package selection

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Check describes a registered check, as the suite's binary lists it (--list).
type Check struct {
	Name         string   `json:"name"`
	Requirements []string `json:"requirements"`
	Path         string   `json:"path,omitempty"`
	File         string   `json:"file,omitempty"`       // that registers it, relative to the project's root
	Mixed        bool     `json:"mixed,omitempty"`      // it runs in mixed deployments
	Closing      bool     `json:"closing,omitempty"`    // the runner judges it, after all others
	Containers   bool     `json:"containers,omitempty"` // it needs containers: it cuts servers off, or uses real clients
}

// Selection is a subset of the checks. The zero Selection is all of them.
type Selection struct {
	Pattern *regexp.Regexp // --run; nil for everything
	Shard   string         // --shard, "I/N"; "" for all
	Pair    bool           // --pair: only checks of mixed deployments
}

// New validates a selection.
func New(run, shard string, pair bool) (Selection, error) {
	s := Selection{Shard: shard, Pair: pair}
	if run != "" {
		pattern, err := regexp.Compile(run)
		if err != nil {
			return Selection{}, fmt.Errorf("--run %q is not a valid regular expression: %w", run, err)
		}
		s.Pattern = pattern
	}
	_, _, err := s.shard()
	return s, err
}

// shard parses Shard; "" is part 1 of 1.
func (s Selection) shard() (part, parts int, err error) {
	if s.Shard == "" {
		return 1, 1, nil
	}
	first, second, found := strings.Cut(s.Shard, "/")
	part, err = strconv.Atoi(first)
	parts, err2 := strconv.Atoi(second)
	if !found || err != nil || err2 != nil || part < 1 || part > parts {
		return 0, 0, fmt.Errorf("--shard %q: must be I/N, the I-th of N parts, counted from 1, such as 2/3", s.Shard)
	}
	return part, parts, nil
}

// Whole reports whether the selection is all checks.
func (s Selection) Whole() bool { return s == Selection{} }

// Matches reports whether --run matches a check, by its name or one of its requirements.
func (s Selection) Matches(check Check) bool {
	return s.Pattern == nil || s.Pattern.MatchString(check.Name) || slices.ContainsFunc(check.Requirements, s.Pattern.MatchString)
}

// Choose returns the selected checks in order, followed by the closing ones, which are part of every run: a crash that no check is
// blamed for has no other verdict. If --run matches only closing checks, it returns those. It returns an error if the selection is
// empty.
func (s Selection) Choose(all []Check) ([]Check, error) {
	part, parts, err := s.shard()
	if err != nil {
		return nil, err
	}
	var chosen, closing, asked []Check
	for _, check := range all {
		matches := s.Matches(check) && (!s.Pair || check.Mixed)
		switch {
		case check.Closing:
			closing = append(closing, check)
			if matches {
				asked = append(asked, check)
			}
		case matches:
			chosen = append(chosen, check)
		}
	}
	if len(chosen) == 0 {
		chosen, closing = asked, nil
	}
	switch {
	case len(chosen) == 0 && s.Pair:
		return nil, fmt.Errorf("--run %q matches none of the checks that use two servers, and --pair runs only those", s.run())
	case len(chosen) == 0:
		return nil, fmt.Errorf("--run %q matches no check and no requirement that has one; ./run.sh list shows them", s.run())
	case part > len(chosen):
		return nil, fmt.Errorf("--shard %s has no check: %d selected, so there can be at most as many parts", s.Shard, len(chosen))
	}
	var share []Check
	for i := part - 1; i < len(chosen); i += parts {
		share = append(share, chosen[i])
	}
	return append(share, closing...), nil
}

func (s Selection) run() string {
	if s.Pattern == nil {
		return ""
	}
	return s.Pattern.String()
}

// Exactly returns the --run that matches exactly these names; without names "", which matches all.
func Exactly(names []string) string {
	if len(names) == 0 {
		return ""
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = regexp.QuoteMeta(name)
	}
	return "^(?:" + strings.Join(quoted, "|") + ")$"
}
