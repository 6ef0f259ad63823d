package resilience

// Hostile input: member events, mappings, EDUs, queries and answers that no honest server writes (helpers/hostile), delivered along the
// paths by which a server receives them. Whatever becomes of them, the server stays up: after each batch it serves the rooms that
// they were delivered in, and others, to clients and to peers. What breaks that is reported in its smallest form.

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/delivery"
	"msc4014/helpers/hostile"
	"msc4014/helpers/stage"
)

const (
	staysUp = "resilience/stays-up"
	// shrinkingLimit is how many smaller lists of inputs are tried.
	shrinkingLimit = 30
	// shrinkingTime is how much of the check's time must be left for another try.
	shrinkingTime = 12 * time.Second
	// shownEvent is how much of the smallest event is noted, in bytes; all of it is attached.
	shownEvent = 1500
)

// hostilePath is a delivery path along which hostile input is delivered.
type hostilePath struct {
	delivery.Path
	carries string // "member events"
	inputs  int
	// batch is how many inputs are delivered before the server's health is checked, where one answer can carry them in one. If the
	// server refuses an answer because of some of them, each is delivered by itself.
	batch int
	// learnt says that Uses are those that worked before the first input, and given the client views that Alice was given then.
	learnt bool
	given  map[string]bool
}

var hostilePaths = []hostilePath{
	{Path: delivery.Send, carries: "member events", inputs: 160, batch: 40},
	{Path: delivery.SendJoin, carries: "member events", inputs: 100, batch: 50},
	{Path: delivery.StateOfSendJoin, carries: "member events", inputs: 80, batch: 40}, // most join a room each
	{Path: delivery.GetMissingEvents, carries: "member events", inputs: 160, batch: 40},
	{Path: delivery.CompletedInvite, carries: "member events", inputs: 40, batch: 40},
	{Path: delivery.MembershipEndpoints, carries: "member events", inputs: 60, batch: 30},
	{Path: delivery.EDUs, carries: "EDUs", inputs: 280, batch: 70},
	{Path: delivery.Queries, carries: "queries", inputs: 200, batch: 100},
	{Path: delivery.Answers, carries: "answers to queries", inputs: 200, batch: 100},
}

func init() {
	for i, path := range hostilePaths {
		check.Register(check.Check{
			Name:     "hostile " + path.carries + ", by " + path.Name,
			Requires: []string{staysUp},
			Path:     path.Name,
			Expends:  true,
			Slow:     30 * time.Second,
			Body: func(c *check.C) {
				path := path
				path.run(c, path.generate(c.Seed(), uint64(i)))
			},
		})
	}
}

func (p *hostilePath) generate(seed, stream uint64) []hostile.Input {
	if p.Documents != nil {
		return hostile.DocumentInputs(p.Documents, seed, stream, p.inputs)
	}
	return hostile.Inputs(seed, stream, p.inputs)
}

// opens makes the rooms of an attack. Before the first it finds out what works; what does not is not tried again. Then all of it must work
// in the rooms of the others, too, as the server has received hostile input meanwhile.
func (p *hostilePath) opens(s *stage.Stage) (*delivery.Attack, error) {
	a, err := delivery.OpenAttack(s)
	if err != nil {
		return a, err
	}
	if p.learnt {
		a.Uses, a.Given = p.Uses, p.given
	} else {
		a.Given = viewsGiven(a)
		p.Uses, p.given, p.learnt = a.LearnUses(p.Uses), a.Given, true
	}
	return a, nil
}

// run delivers one batch after the other, and looks for the smallest input that does harm.
func (p *hostilePath) run(c *check.C, inputs []hostile.Input) {
	c.Notef("%d hostile inputs from seed %d", len(inputs), c.Seed())
	// What must work after hostile documents is learnt before: on a server that has received nothing hostile yet.
	s, fresh := stage.OpenExpendable(c, blueprints.AttackedServer, p.Documents != nil)
	delivered, idle, harm := p.deliverAll(s, inputs)
	if harm == nil {
		c.HandOn(s.Deployment)
		if idle > 0 {
			c.Inconclusive("the server asked for none of %d hostile answers", idle)
		}
		return
	}
	c.Discard(s.Deployment, false)
	if !fresh {
		// That server had received hostile events of other checks before: the harm may take some of those.
		before := harm
		s, _ = stage.OpenExpendable(c, blueprints.AttackedServer, true)
		if delivered, _, harm = p.deliverAll(s, inputs); harm == nil {
			c.HandOn(s.Deployment)
			c.Failf("%v, after hostile %s by %s, on a server that had received others by other paths; on a fresh one they do no harm (seed %d)",
				before, p.carries, p.Name, c.Seed())
			return
		}
		c.Discard(s.Deployment, false)
	}
	p.fail(c, inputs[:delivered], harm)
}

// deliverAll delivers inputs to a server, and returns how many it delivered, how many gaps or answers there were in batches in which the
// server asked for nothing, and an error if the inputs did harm.
func (p *hostilePath) deliverAll(s *stage.Stage, inputs []hostile.Input) (delivered, idle int, harm error) {
	for delivered < len(inputs) {
		batch := inputs[delivered:min(delivered+p.batch, len(inputs))]
		delivered += len(batch)
		a, err := p.opens(s)
		if err == nil {
			p.Attack(a, batch)
			err = isHealthy(a)
		}
		if err != nil {
			return delivered, idle, err
		}
		if a.Taken == 0 {
			idle += a.Chances
		}
	}
	if !s.C.Survives(s.Deployment) {
		return delivered, idle, fmt.Errorf("the server died: %s", s.Deployment.Death().Cause)
	}
	return delivered, idle, nil
}

// shrinker tries one list of inputs after the other on servers of the check's own. A server that came to harm is replaced; one
// that did not is used again, although it has received events before.
type shrinker struct {
	path  *hostilePath
	c     *check.C
	stage *stage.Stage // nil: a fresh one is needed
}

// hasTime reports whether the check has time for another try.
func (l *shrinker) hasTime() bool {
	deadline, limited := l.c.Context().Deadline()
	return !limited || time.Until(deadline) >= shrinkingTime
}

// deliverEach delivers inputs one by one and checks the server's health after each. It returns the one that did harm, and the
// error.
func (l *shrinker) deliverEach(inputs []hostile.Input) (one []hostile.Input, harm error) {
	a, harm := l.path.opens(l.open())
	for i := 0; harm == nil && i < len(inputs) && l.hasTime(); i++ {
		l.path.Attack(a, inputs[i:i+1])
		if harm = isHealthy(a); harm != nil {
			one = inputs[i : i+1]
		}
	}
	l.closeAfter(harm)
	return one, harm
}

// deliverAll delivers inputs as the check does, and returns an error if they did harm.
func (l *shrinker) deliverAll(inputs []hostile.Input) (harm error) {
	_, _, harm = l.path.deliverAll(l.open(), inputs)
	l.closeAfter(harm)
	return harm
}

func (l *shrinker) open() *stage.Stage {
	if l.stage == nil {
		l.stage, _ = stage.OpenExpendable(l.c, blueprints.AttackedServer, true)
	}
	return l.stage
}

func (l *shrinker) closeAfter(harm error) {
	if harm != nil {
		l.c.Discard(l.stage.Deployment, false)
		l.stage = nil
	}
}

// shrink looks for fewer and smaller inputs that do harm. It delivers those of the last batch one by one; if none of them
// alone does harm, it halves the list. From the one that is left it removes what it can.
func (p *hostilePath) shrink(c *check.C, inputs []hostile.Input, harm error) ([]hostile.Input, error) {
	try := &shrinker{path: p, c: c}
	lastBatch := inputs[(len(inputs)-1)/p.batch*p.batch:]
	if one, found := try.deliverEach(lastBatch); one != nil {
		inputs, harm = one, found
	}
	tries := 1
	doesHarm := func(smaller []hostile.Input) bool {
		if tries++; tries > shrinkingLimit || !try.hasTime() {
			return false
		}
		found := try.deliverAll(smaller)
		if found != nil {
			inputs, harm = smaller, found
		}
		return found != nil
	}
	for len(inputs) > 1 {
		half := len(inputs) / 2
		if !doesHarm(inputs[half:]) && !doesHarm(inputs[:half]) {
			break
		}
	}
	for shrunk := true; shrunk && len(inputs) == 1; {
		shrunk = slices.ContainsFunc(inputs[0].Smaller(), func(smaller hostile.Input) bool { return doesHarm([]hostile.Input{smaller}) })
	}
	if try.stage != nil {
		c.HandOn(try.stage.Deployment)
	}
	c.Notef("found by %d tries", tries)
	return inputs, harm
}

// reproduce delivers inputs to a fresh server with its default settings, whose log is kept, and starts it again if they end it. It returns
// the events or documents that were delivered, and an error if they did harm.
func (p *hostilePath) reproduce(c *check.C, inputs []hostile.Input) (events []string, harm error) {
	s, _ := stage.OpenExpendable(c, blueprints.DyingServer, true)
	a, err := p.opens(s)
	if err == nil {
		for _, input := range inputs {
			written := p.write(a, input)
			events = append(events, hostile.Shown(written, len(written)))
			if len(inputs) == 1 {
				c.Notef("such input: %s", hostile.Shown(written, shownEvent))
			}
		}
		p.Attack(a, inputs)
		err = isHealthy(a)
	}
	if s.Deployment.Death().Cause != "" {
		v := &restarted{elsewhere: elsewhere{Stage: s}, death: describe(inputs)}
		if again := v.startsAtLast(c.Context()); again != nil {
			c.Notef("the server does not start again on the same data: %v", again)
		} else {
			c.Notef("the server starts again on the same data, after %d starts in which it ended again", len(v.exits))
		}
	}
	c.Discard(s.Deployment, true)
	return events, err
}

// write returns the event or document of an input.
func (p *hostilePath) write(a *delivery.Attack, input hostile.Input) []byte {
	switch {
	case p.Placeholders != nil:
		return a.Write(input, p.Placeholders(a)...)
	case p.Documents != nil:
		return a.Write(input)
	}
	return a.Honest(a.Room, a.Origin.User("liar"), nil).Forge(input).JSON
}

// fail fails the check by the smallest inputs found that do harm on a fresh server, which are attached, or by all of them.
func (p *hostilePath) fail(c *check.C, all []hostile.Input, harm error) {
	inputs, itsHarm := p.shrink(c, all, harm)
	events, again := p.reproduce(c, inputs)
	if again == nil {
		c.Notef("%s does no harm to a server that has received nothing else before: all that did are attached", describe(inputs))
		inputs, itsHarm = all, harm
		events, _ = p.reproduce(c, inputs)
	}
	attached, err := json.MarshalIndent(map[string]any{
		"seed": c.Seed(), "path": p.Name, "harm": itsHarm.Error(), "inputs": inputs, "events": events,
	}, "", "  ")
	if err != nil {
		c.SuiteError(err)
	}
	c.Attach("input.json", attached)
	what := "a member event by " + p.Name + " in which "
	if p.Documents != nil {
		what = p.carries + " by " + p.Name + " in which "
	}
	c.Failf("%v, after %s%s (seed %d)", itsHarm, what, describe(inputs), c.Seed())
}

// describe describes inputs in one sentence.
func describe(inputs []hostile.Input) string {
	last := inputs[len(inputs)-1]
	if len(inputs) == 1 {
		return last.String()
	}
	return fmt.Sprintf("%d inputs together, the last of them one where %s", len(inputs), last)
}
