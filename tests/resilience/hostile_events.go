package resilience

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
	"msc4014/helpers/delivery"
	"msc4014/helpers/hostile"
	"msc4014/helpers/stage"
)

const (
	staysUp = "resilience/stays-up"
	// shrinkingLimit is how many smaller inputs are tried.
	shrinkingLimit = 30
	// shrinkingTime is what must be left of the check's time for another try.
	shrinkingTime = 12 * time.Second
	// shownEvent is how much of the smallest event is shown, in bytes; all of it is kept in a file.
	shownEvent = 1500
)

// hostilePath is a delivery path along which hostile events come.
type hostilePath struct {
	delivery.Path
	inputs int
	// batch is how many inputs a server is told before it is looked at. Told in one answer, each may have the others refused.
	batch int
}

var hostilePaths = []hostilePath{
	{delivery.Send, 160, 40},
	{delivery.SendJoin, 100, 50},
	{delivery.StateOfSendJoin, 160, 20},
	{delivery.GetMissingEvents, 160, 20},
	{delivery.CompletedInvite, 40, 40},
}

func init() {
	for i, path := range hostilePaths {
		check.Register(check.Check{
			Name:     "hostile member events, by " + path.Name,
			Requires: []string{staysUp},
			Path:     path.Name,
			Expends:  true,
			Slow:     30 * time.Second,
			Body:     func(c *check.C) { path.play(c, hostile.Inputs(c.Seed(), uint64(i), path.inputs)) },
		})
	}
}

// play tells the server one batch after the other, and looks for the smallest input that does it harm.
func (p hostilePath) play(c *check.C, inputs []hostile.Input) {
	c.Notef("%d hostile inputs from seed %d", len(inputs), c.Seed())
	s, fresh := stage.OpenExpendable(c, blueprints.AttackedServer, false)
	told, harm := p.tellAll(s, inputs)
	if harm == nil {
		c.HandOn(s.Deployment)
		return
	}
	c.Discard(s.Deployment, false)
	if !fresh {
		// Others told that server hostile events before: what does it harm may take some of theirs.
		before := harm
		s, _ = stage.OpenExpendable(c, blueprints.AttackedServer, true)
		if told, harm = p.tellAll(s, inputs); harm == nil {
			c.HandOn(s.Deployment)
			c.Failf("%v, after hostile member events by %s, on a server that had been told others by other paths; on a fresh one they do no harm (seed %d)",
				before, p.Name, c.Seed())
			return
		}
		c.Discard(s.Deployment, false)
	}
	culprits := inputs[:told]
	smallest, itsHarm := p.shrink(c, culprits, harm)
	events, again := p.show(c, smallest)
	if again == nil {
		c.Notef("%s does no harm to a server that was told nothing else before: all that did are shown", named(smallest))
		smallest, itsHarm = culprits, harm
		events, _ = p.show(c, smallest)
	}
	p.fail(c, smallest, itsHarm, events)
}

// tellAll tells inputs to a server, and returns how many, and the harm that they did.
func (p hostilePath) tellAll(s *stage.Stage, inputs []hostile.Input) (told int, harm error) {
	for told < len(inputs) {
		batch := inputs[told:min(told+p.batch, len(inputs))]
		told += len(batch)
		a, err := delivery.OpenAttack(s)
		if err == nil {
			p.Attack(a, batch)
			err = isServed(a)
		}
		if err != nil {
			return told, err
		}
	}
	if !s.C.Survives(s.Deployment) {
		return told, fmt.Errorf("the server died: %s", s.Deployment.Death().Cause)
	}
	return told, nil
}

// trial is a server of the check's own on which one list of inputs is tried after the other. One that came to harm is
// replaced; one that did not goes on, though it is not what it was before.
type trial struct {
	path  hostilePath
	c     *check.C
	stage *stage.Stage // nil: a fresh one is needed
}

// hasTime tells whether the check has time for another try.
func (l *trial) hasTime() bool {
	deadline, limited := l.c.Context().Deadline()
	return !limited || time.Until(deadline) >= shrinkingTime
}

// tellOneByOne tells inputs and looks at the server after each. It returns the one that did harm, and the harm.
func (l *trial) tellOneByOne(inputs []hostile.Input) (one []hostile.Input, harm error) {
	a, harm := delivery.OpenAttack(l.open())
	for i := 0; harm == nil && i < len(inputs) && l.hasTime(); i++ {
		l.path.Attack(a, inputs[i:i+1])
		if harm = isServed(a); harm != nil {
			one = inputs[i : i+1]
		}
	}
	l.closeAfter(harm)
	return one, harm
}

// tellAll tells inputs as the path does, and returns the harm that they did.
func (l *trial) tellAll(inputs []hostile.Input) (harm error) {
	_, harm = l.path.tellAll(l.open(), inputs)
	l.closeAfter(harm)
	return harm
}

func (l *trial) open() *stage.Stage {
	if l.stage == nil {
		l.stage, _ = stage.OpenExpendable(l.c, blueprints.AttackedServer, true)
	}
	return l.stage
}

func (l *trial) closeAfter(harm error) {
	if harm != nil {
		l.c.Discard(l.stage.Deployment, false)
		l.stage = nil
	}
}

// shrink looks for fewer and smaller inputs that do harm. It tells those of the last batch one by one; if none of them does
// harm so, it halves the list. From the one that is left it takes what it can.
func (p hostilePath) shrink(c *check.C, inputs []hostile.Input, harm error) ([]hostile.Input, error) {
	laboratory := &trial{path: p, c: c}
	lastBatch := inputs[(len(inputs)-1)/p.batch*p.batch:]
	if one, found := laboratory.tellOneByOne(lastBatch); one != nil {
		inputs, harm = one, found
	}
	tries := 1
	worse := func(smaller []hostile.Input) bool {
		if tries++; tries > shrinkingLimit || !laboratory.hasTime() {
			return false
		}
		found := laboratory.tellAll(smaller)
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
	if laboratory.stage != nil {
		c.HandOn(laboratory.stage.Deployment)
	}
	c.Notef("found by telling %d lists", tries)
	return inputs, harm
}

// show tells inputs to a fresh server, whose log is kept, and returns the events that were told and the harm.
func (p hostilePath) show(c *check.C, inputs []hostile.Input) (events []string, harm error) {
	s, _ := stage.OpenExpendable(c, blueprints.AttackedServer, true)
	a, err := delivery.OpenAttack(s)
	if err == nil {
		for _, input := range inputs {
			forged := a.Honest(a.Room, a.Origin.User("liar"), nil).Forge(input)
			events = append(events, forged.Shown(len(forged.JSON)))
			if len(inputs) == 1 {
				c.Notef("such an event: %s", forged.Shown(shownEvent))
			}
		}
		p.Attack(a, inputs)
		err = isServed(a)
	}
	c.Discard(s.Deployment, true)
	return events, err
}

// fail fails the check, with the inputs that did harm written out.
func (p hostilePath) fail(c *check.C, inputs []hostile.Input, harm error, events []string) {
	kept, err := json.MarshalIndent(map[string]any{
		"seed": c.Seed(), "path": p.Name, "harm": harm.Error(), "inputs": inputs, "events": events,
	}, "", "  ")
	if err != nil {
		c.SuiteError(err)
	}
	c.Attach("input.json", kept)
	c.Failf("%v, after a member event by %s in which %s (seed %d)", harm, p.Name, named(inputs), c.Seed())
}

// named says what inputs are.
func named(inputs []hostile.Input) string {
	last := inputs[len(inputs)-1]
	if len(inputs) == 1 {
		return last.String()
	}
	return fmt.Sprintf("%d events together, the last of them one where %s", len(inputs), last)
}
