package twins

// Making a session from a seed. The generator keeps a rough model of the room, so that most steps make sense; some do not on purpose.

import (
	"math/rand/v2"
	"slices"
	"strings"
)

const (
	fewestSteps = 15
	mostSteps   = 40
	looks       = 3 // how often all views are compared
)

// Generate makes a session from a seed.
func Generate(cast Cast, seed uint64) Session {
	g := &generator{rand: rand.New(rand.NewPCG(seed, 4014)), cast: cast, rule: "public", named: nobody, member: make([]string, cast.size()), level: make([]int, cast.size())}
	g.member[0], g.level[0] = "join", 100
	switch g.rand.IntN(6) {
	case 0, 1:
		g.rule = "invite"
	case 2:
		g.rule = knocking
	}
	session := Session{Cast: cast, Seed: seed}
	steps := fewestSteps + g.rand.IntN(mostSteps-fewestSteps+1)
	session.Steps = append(session.Steps, Step{ID: 1, Kind: createKind, By: 0, Whom: nobody, Of: nothing, Arg: g.create()})
	for len(session.Steps) < steps {
		step := Step{ID: len(session.Steps) + 1, Whom: nobody, Of: nothing}
		chosen := g.kind(len(session.Steps))
		step.Kind = chosen.name
		if !chosen.choose(g, &step) || cast.guest(step.By) && !chosen.guests {
			continue
		}
		g.learn(chosen, step)
		session.Steps = append(session.Steps, step)
	}
	for i := 1; i <= looks; i++ {
		session.Steps[len(session.Steps)*i/looks-1].Look = true
	}
	return session
}

// createKind is the kind of the first step.
const createKind = "create room"

// what a room is created with, besides its preset
const (
	published = "published" // in the room directory
	direct    = "direct"    // with an invite of another user of its server (Cast.neighbour) to a direct chat
	knocking  = "knock"     // with this join rule
)

// create chooses the words of Step.Arg with which the room is created.
func (g *generator) create() string {
	words := []string{"private_chat"}
	switch g.rule {
	case "public":
		words = []string{"public_chat"}
	case knocking:
		words = append(words, knocking)
	}
	if g.rand.IntN(3) == 0 {
		words = append(words, published)
	}
	if g.rand.IntN(3) == 0 {
		words = append(words, direct)
		g.member[g.cast.neighbour()] = "invite"
	}
	return strings.Join(words, " ")
}

type generator struct {
	rand   *rand.Rand
	cast   Cast
	rule   string
	member []string // by user
	level  []int
	named  int // the user that was named last, or nobody: what is done to one user is often followed by more
	events []made
}

type made struct {
	step    int
	by      int
	message bool
}

// kind chooses a kind by weight; at the beginning, mostly joins and invites.
func (g *generator) kind(steps int) kind {
	if steps < 5 && g.rand.IntN(2) == 0 {
		if g.rule == "public" {
			return kindsByName["join"]
		}
		return kindsByName["invite"]
	}
	total := 0
	for _, each := range kinds {
		total += each.weight
	}
	at := g.rand.IntN(total)
	for _, each := range kinds {
		if at -= each.weight; at < 0 {
			return each
		}
	}
	return kinds[0]
}

// learn changes the model as a step that is allowed would.
func (g *generator) learn(kind kind, step Step) {
	if step.Whom != nobody {
		g.named = step.Whom
	}
	in := g.member[step.By] == "join"
	switch step.Kind {
	case "join", "join by alias":
		if g.member[step.By] == "invite" || g.member[step.By] != "ban" && (g.rule == "public" || g.rule == membersJoin) {
			g.member[step.By] = "join"
		}
	case "knock":
		if g.rule == "knock" && g.member[step.By] == "" {
			g.member[step.By] = "knock"
		}
	case "leave":
		if g.member[step.By] != "" && g.member[step.By] != "ban" {
			g.member[step.By] = "leave"
		}
	case "invite":
		if in && g.member[step.Whom] != "join" && g.member[step.Whom] != "ban" {
			g.member[step.Whom] = "invite"
		}
	case "kick", "ban", "unban":
		if in && g.level[step.By] >= 50 && g.level[step.By] > g.level[step.Whom] && g.member[step.Whom] != "" {
			g.member[step.Whom] = map[string]string{"kick": "leave", "ban": "ban", "unban": "leave"}[step.Kind]
		}
	case "power":
		if in && g.level[step.By] >= 50 && g.level[step.By] > g.level[step.Whom] {
			g.level[step.Whom] = map[string]int{"0": 0, "50": 50, "100": 100}[step.Arg]
		}
	case "join rule":
		if in && g.level[step.By] >= 50 {
			g.rule = step.Arg
		}
	}
	if kind.event && in {
		switch step.Kind {
		case "message", "emote", "mention", "mention of the room", "reply", "thread message", "edit":
			g.events = append(g.events, made{step.ID, step.By, true})
		case "redact":
		default:
			g.events = append(g.events, made{step.ID, step.By, false})
		}
	}
}

// user chooses a user; usually one for whom fits holds.
func (g *generator) user(fits func(user int) bool) int {
	var fitting []int
	for user := range g.cast.size() {
		if fits(user) {
			fitting = append(fitting, user)
		}
	}
	if len(fitting) == 0 || g.rand.IntN(8) == 0 {
		return g.rand.IntN(g.cast.size())
	}
	if slices.Contains(fitting, g.named) && g.rand.IntN(2) == 0 {
		return g.named
	}
	return fitting[g.rand.IntN(len(fitting))]
}

func (g *generator) is(membership ...string) func(int) bool {
	return func(user int) bool {
		for _, each := range membership {
			if g.member[user] == each {
				return true
			}
		}
		return false
	}
}

// anybody is a user in the room, mostly.
func anybody(g *generator, step *Step) bool {
	step.By = g.user(g.is("join"))
	return true
}

// joining is a user outside, mostly. The user that made the room stays.
func joining(g *generator, step *Step) bool {
	step.By = g.user(g.is("", "leave", "invite", "knock"))
	return true
}

func leaving(g *generator, step *Step) bool {
	step.By = g.user(g.is("join", "invite", "knock"))
	return step.By != 0
}

func outsider(g *generator, step *Step) bool {
	step.By = g.user(g.is("leave"))
	return step.By != 0
}

// naming is a user that does something about another.
func naming(g *generator, step *Step) bool {
	step.By = g.user(func(user int) bool { return g.member[user] == "join" && (g.level[user] >= 50 || g.rand.IntN(3) == 0) })
	step.Whom = g.user(func(user int) bool { return g.member[user] != "" && user != step.By })
	// The user that made the room stays in it, and nobody bans or kicks themselves, which is another question.
	return step.Whom != step.By && step.Whom != 0
}

// setting is a user that sets the membership of another by a state event.
func setting(g *generator, step *Step) bool {
	step.Arg = []string{"leave", "join", "invite", "ban"}[g.rand.IntN(4)]
	return naming(g, step)
}

func inviting(g *generator, step *Step) bool {
	step.By = g.user(g.is("join"))
	step.Whom = g.user(g.is("", "leave", "knock"))
	return step.By != step.Whom
}

// ignoring is a user that ignores another, or nobody any more. What the maker of the room is told, guests build on; and the first user of
// a server sends barriers.
func ignoring(g *generator, step *Step) bool {
	step.By, step.Whom = g.rand.IntN(g.cast.size()), g.rand.IntN(g.cast.size())
	if g.rand.IntN(3) == 0 {
		step.Arg = nobodyIgnored
	}
	return step.By != step.Whom && step.By != 0 && !g.cast.first(step.Whom)
}

// nobodyIgnored is the Step.Arg of who ignores nobody any more.
const nobodyIgnored = "nobody any more"

func unbanning(g *generator, step *Step) bool {
	step.By = g.user(func(user int) bool { return g.member[user] == "join" && g.level[user] >= 50 })
	step.Whom = g.user(g.is("ban"))
	return step.By != step.Whom && step.Whom != 0
}

// empowering is a user that gives another power.
func empowering(g *generator, step *Step) bool {
	step.By = g.user(func(user int) bool { return g.member[user] == "join" && g.level[user] >= 50 })
	step.Whom = g.user(func(user int) bool { return g.member[user] == "join" })
	step.Arg = []string{"0", "50", "50", "100"}[g.rand.IntN(4)]
	return step.Whom != 0
}

func defaults(g *generator, step *Step) bool {
	step.Arg = []string{"events_default", "state_default", "invite", "redact", "users_default"}[g.rand.IntN(5)]
	return anybody(g, step)
}

func oneOf(values ...string) func(*generator, *Step) bool {
	return func(g *generator, step *Step) bool {
		step.Arg = values[g.rand.IntN(len(values))]
		return anybody(g, step)
	}
}

// to is a step about an earlier event.
func (g *generator) to(step *Step, fits func(made) bool) bool {
	var fitting []made
	for _, each := range g.events {
		if fits(each) {
			fitting = append(fitting, each)
		}
	}
	if len(fitting) == 0 {
		return false
	}
	step.Of = fitting[g.rand.IntN(len(fitting))].step
	return anybody(g, step)
}

func toMessage(g *generator, step *Step) bool {
	return g.to(step, func(event made) bool { return event.message })
}

func toEvent(g *generator, step *Step) bool { return g.to(step, func(made) bool { return true }) }

func toOwnMessage(g *generator, step *Step) bool {
	chosen := toMessage(g, step)
	for _, event := range g.events {
		if chosen && event.step == step.Of && g.rand.IntN(5) > 0 {
			step.By = event.by
		}
	}
	return chosen
}
