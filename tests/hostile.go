package main

// Chapter resilience, hostile input: member events and mappings that no honest server writes (helpers/hostile), told along
// the paths by which a server meets member events (hostile_paths.go). Whatever becomes of them, the server stays up: after
// each batch it serves the rooms that they were told in and others, to clients and to peers (hostile_health.go). What
// breaks that is told in its smallest form.

import (
	"encoding/json"
	"fmt"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/hostile"
	"msc4014/helpers/stage"
)

const (
	staysUp = "resilience/stays-up"
	// batchSize is how many hostile inputs a server is told before it is looked at.
	batchSize = 20
	// shrinkingLimit is how many smaller inputs are tried.
	shrinkingLimit = 30
	// shrinkingTime is what must be left of the check's time for another try.
	shrinkingTime = 12 * time.Second
	// shownEvent is how much of the smallest event is shown, in bytes; all of it is kept in a file.
	shownEvent = 1500
)

func init() {
	for i, path := range hostilePaths {
		check.Register("hostile member events, by "+path.name, check.Requires(staysUp), check.Path(path.name), check.Slow(30*time.Second),
			func(c *check.C) { path.play(c, hostile.Inputs(c.Seed(), uint64(i), path.inputs)) })
	}
}

// play tells the server one batch after the other, and looks for the smallest input that does it harm.
func (p hostilePath) play(c *check.C, inputs []hostile.Input) {
	c.Notef("%d hostile inputs from seed %d", len(inputs), c.Seed())
	told, harm := p.tellAll(stage.OpenExpendable(c, blueprints.AttackedServer, false), inputs)
	if harm == nil {
		return
	}
	// The server is shared with the other paths: it is not known whose harm it is.
	culprits, harm := p.alone(c, inputs[:told], false)
	if harm == nil {
		c.Notef("another path did the server harm; this one does not, alone")
		if _, harm = p.alone(c, inputs[told:], false); harm == nil {
			return
		}
		culprits = inputs[told:]
	}
	culprits, harm = p.shrink(c, culprits, harm)
	p.tellOf(c, culprits, harm)
}

// tellAll tells inputs to a server, and returns how many, and the harm that they did.
func (p hostilePath) tellAll(s *stage.Stage, inputs []hostile.Input) (told int, harm error) {
	for told < len(inputs) {
		batch := inputs[told:min(told+batchSize, len(inputs))]
		told += len(batch)
		a, err := opensAttack(s)
		if err == nil {
			p.tell(a, batch)
			err = a.isServed()
		}
		if err != nil {
			return told, err
		}
	}
	return told, nil
}

// alone tells inputs to a fresh server. It returns those of the batch that did harm, with those before it, and the harm.
func (p hostilePath) alone(c *check.C, inputs []hostile.Input, keepLog bool) ([]hostile.Input, error) {
	s := stage.OpenExpendable(c, blueprints.AttackedServer, true)
	told, harm := p.tellAll(s, inputs)
	c.Discard(s.Deployment, keepLog)
	return inputs[:told], harm
}

// shrink looks for fewer and smaller inputs that do harm: it halves the list, then takes from the one that is left.
func (p hostilePath) shrink(c *check.C, inputs []hostile.Input, harm error) ([]hostile.Input, error) {
	tries := 0
	worse := func(smaller []hostile.Input) bool {
		deadline, limited := c.Context().Deadline()
		if tries++; tries > shrinkingLimit || limited && time.Until(deadline) < shrinkingTime {
			return false
		}
		_, found := p.alone(c, smaller, false)
		if found != nil {
			inputs, harm = smaller, found
		}
		return found != nil
	}
	for len(inputs) > 1 {
		half := len(inputs) / 2
		if !worse(inputs[half:]) && !worse(inputs[:half]) {
			break
		}
	}
	for shrunk := true; shrunk && len(inputs) == 1; {
		shrunk = false
		for _, smaller := range inputs[0].Smaller() {
			if shrunk = worse([]hostile.Input{smaller}); shrunk {
				break
			}
		}
	}
	c.Notef("found in %d tries on fresh servers", tries)
	return inputs, harm
}

// tellOf fails the check, with the smallest inputs that do harm written out.
func (p hostilePath) tellOf(c *check.C, inputs []hostile.Input, harm error) {
	s := stage.OpenExpendable(c, blueprints.AttackedServer, true)
	a, err := opensAttack(s)
	var events []string
	if err == nil {
		for _, input := range inputs {
			forged := a.honest(a.room, a.mallory.User("liar"), nil).Forge(input)
			events = append(events, forged.Shown(len(forged.JSON)))
			if len(inputs) == 1 {
				c.Notef("such an event: %s", forged.Shown(shownEvent))
			}
		}
		p.tell(a, inputs)
		_ = a.isServed()
	}
	c.Discard(s.Deployment, true)
	kept, err := json.MarshalIndent(map[string]any{
		"seed": c.Seed(), "path": p.name, "harm": harm.Error(), "inputs": inputs, "events": events,
	}, "", "  ")
	if err != nil {
		c.SuiteError(err)
	}
	c.Attach("input.json", kept)
	what := inputs[0].String()
	if len(inputs) > 1 {
		what = fmt.Sprintf("%d events together, the last of them one where %s", len(inputs), inputs[len(inputs)-1])
	}
	c.Failf("%v, after a member event by %s in which %s (seed %d)", harm, p.name, what, c.Seed())
}
