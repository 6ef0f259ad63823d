package twins

// Making a session from a seed. The generator keeps a rough model of the room, so that most steps make sense; some do not on purpose.

import (
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
)

const (
	fewestSteps = 15
	mostSteps   = 40
	looks       = 3 // how often all views are compared
)

// Generate makes a session from a seed.
func Generate(cast Cast, seed uint64) Session {
	g := &generator{rand: rand.New(rand.NewPCG(seed, 4014)), cast: cast, named: cast.far(), member: make([]string, cast.size()), level: make([]int, cast.size())}
	g.member[0], g.level[0] = "join", 100
	g.rule = []string{"public", "public", "invite", "invite", knocking, membersJoin}[g.rand.IntN(6)]
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
		g.last = step
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
	knocking  = "knock"     // with this join rule, or with membersJoin
	guarded   = "guarded"   // with power to invite that only its creator has
	history   = "history:"  // with the history visibility that follows
)

// create chooses the words of Step.Arg with which the room is created.
func (g *generator) create() string {
	words := []string{"private_chat"}
	switch g.rule {
	case "public":
		words = []string{"public_chat"}
	case knocking, membersJoin:
		words = append(words, g.rule)
	}
	if g.rand.IntN(4) == 0 {
		words = append(words, guarded)
	}
	if g.rand.IntN(3) == 0 {
		words = append(words, history+[]string{"joined", "invited", "invited", "world_readable"}[g.rand.IntN(4)])
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
	last   Step
	follow bool // the step that is chosen follows up the last
}

type made struct {
	step    int
	by      int
	message bool
}

// followUps are the kinds that often come right after a kind: what becomes of a knock, who comes back after a kick, who tries what a new
// join rule or power level forbids.
var followUps = map[string][]string{
	"join":               {"message", "own member event", "display name", "invite", "kick", "leave", otherState},
	"leave":              {"join", "knock", "invite", "forget"},
	"invite":             {"message", "join", "leave", "kick", "knock"},
	"knock":              {"invite", "invite", "kick", "ban", "leave", "knock", "join"},
	"kick":               {"join", "knock", "invite"},
	"ban":                {"unban", "unban", "join", "knock", "invite"},
	"unban":              {"join", "knock", "invite"},
	"power":              {"kick", "ban", "unban", "power", "join rule"},
	"power defaults":     {"invite", "message", "name", redaction},
	"join rule":          {"join", "knock", "invite", "leave"},
	"history visibility": {"message", "invite", "join"},
}

// kind chooses a kind: half the time one that follows up the last step, if there are any, or at the beginning a way into the room; else by
// weight.
func (g *generator) kind(steps int) kind {
	often := followUps[g.last.Kind]
	if steps < 5 {
		often = map[string][]string{"public": {"join"}, knocking: {"knock", "invite", "join"}, membersJoin: {"join", "join", "invite"}}[g.rule]
		if often == nil {
			often = []string{"invite", "join"}
		}
	}
	g.follow = len(often) > 0 && g.rand.IntN(2) == 0
	if g.follow {
		return kindsByName[often[g.rand.IntN(len(often))]]
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
	in := g.member[step.By] == "join"
	switch step.Kind {
	case "join", "join by alias":
		if g.member[step.By] == "invite" || g.member[step.By] != "ban" && (g.rule == "public" || g.rule == membersJoin) {
			g.member[step.By] = "join"
		}
		g.named = step.By
	case "knock":
		if g.rule == knocking && g.is("", "leave", "knock")(step.By) {
			g.member[step.By] = "knock"
		}
		g.named = step.By
	case "leave":
		if g.member[step.By] != "" && g.member[step.By] != "ban" {
			g.member[step.By] = "leave"
		}
		g.named = step.By
	case "invite", "kick", "ban", "unban":
		g.moderate(step.Kind, step.By, step.Whom)
	case "member event of another":
		g.moderate(map[string]string{"invite": "invite", "leave": "kick", "ban": "ban"}[step.Arg], step.By, step.Whom)
	case "power":
		if in && g.level[step.By] >= 100 && g.level[step.By] > g.level[step.Whom] {
			g.level[step.Whom], _ = strconv.Atoi(step.Arg)
		}
	case "join rule":
		if in && g.level[step.By] >= 50 {
			g.rule = step.Arg
		}
	}
	if step.Whom != nobody {
		g.named = step.Whom
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

// moderate changes the model by what one user does to the membership of another.
func (g *generator) moderate(action string, by, whom int) {
	if g.member[by] != "join" {
		return
	}
	powerful := g.level[by] >= 50 && g.level[by] > g.level[whom]
	switch {
	case action == "invite" && g.is("", "leave", "knock")(whom):
		g.member[whom] = "invite"
	case action == "kick" && powerful && g.is("join", "invite", "knock")(whom):
		g.member[whom] = "leave"
	case action == "ban" && powerful:
		g.member[whom] = "ban"
	case action == "unban" && powerful && g.member[whom] == "ban":
		g.member[whom] = "leave"
	}
}

// fits reports whether there is a user for whom it holds, or, now and then, though there is none.
func (g *generator) fits(holds func(user int) bool) bool {
	for user := range g.cast.size() {
		if holds(user) {
			return true
		}
	}
	return g.rand.IntN(4) == 0
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
	if slices.Contains(fitting, g.named) && (g.follow || g.rand.IntN(2) == 0) {
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

// joining is a user outside, mostly, and one time in two one that may come in. The user that made the room stays.
func joining(g *generator, step *Step) bool {
	fit := g.is("", "leave", "invite", "knock", "ban")
	if g.rand.IntN(2) == 0 {
		fit = g.is("invite")
		if g.rule == "public" || g.rule == membersJoin {
			fit = g.is("", "leave", "invite")
		}
	}
	step.By = g.user(fit)
	return g.fits(fit)
}

// knocker is a user outside, mostly.
func knocker(g *generator, step *Step) bool {
	outside := g.is("", "leave", "knock", "ban")
	step.By = g.user(outside)
	return g.fits(outside)
}

func leaving(g *generator, step *Step) bool {
	step.By = g.user(g.is("join", "invite", "knock"))
	return step.By != 0
}

func outsider(g *generator, step *Step) bool {
	step.By = g.user(g.is("leave"))
	return step.By != 0
}

// moderator is a user in the room with power, or, one time in three, without.
func (g *generator) moderator() int {
	powerful := g.rand.IntN(3) > 0
	return g.user(func(user int) bool { return g.member[user] == "join" && (g.level[user] >= 50) == powerful })
}

// naming is a user that does something about another.
func naming(g *generator, step *Step) bool {
	step.By = g.moderator()
	step.Whom = g.user(func(user int) bool { return g.member[user] != "" && user != step.By })
	// Nobody bans or kicks themselves, which is another question; and whoever made the room stays in it.
	return step.Whom != step.By && step.Whom != 0
}

// removing is a user that kicks or bans another: whoever made the room, too, whose power nobody exceeds. Who was just given power tries it
// on somebody with as much.
func removing(g *generator, step *Step) bool {
	named := naming(g, step)
	if by := g.last.Whom; g.follow && g.last.Kind == "power" && g.level[by] >= 50 {
		step.By = by
		for user := range g.cast.size() {
			if user != by && g.member[user] == "join" && g.level[user] == g.level[by] {
				step.Whom = user
			}
		}
		return step.Whom != by
	}
	return named || step.Whom == 0 && step.By != 0
}

// powerless is a user without power that does something about another.
func powerless(g *generator, step *Step) bool {
	step.Whom = g.user(func(user int) bool { return g.member[user] != "" })
	step.By = g.user(func(user int) bool { return g.member[user] == "join" && g.level[user] < 50 && user != step.Whom })
	return step.Whom != step.By
}

// setting is a user that sets the membership of another by a state event.
func setting(g *generator, step *Step) bool {
	step.Arg = []string{"leave", "join", "invite", "ban"}[g.rand.IntN(4)]
	return naming(g, step)
}

func inviting(g *generator, step *Step) bool {
	outside := g.is("", "leave", "knock", "ban")
	step.By, step.Whom = g.user(g.is("join")), g.user(outside)
	return step.By != step.Whom && g.fits(outside)
}

// ignoring is a user that ignores another, or nobody any more. What the maker of the room is told, guests build on; and the first user of
// a server sends barriers.
func ignoring(g *generator, step *Step) bool {
	step.By = g.user(func(user int) bool { return user != 0 })
	step.Whom = g.user(func(user int) bool { return user != step.By && !g.cast.first(user) })
	if g.rand.IntN(3) == 0 {
		step.Arg = nobodyIgnored
	}
	return step.By != step.Whom && step.By != 0 && !g.cast.first(step.Whom)
}

// nobodyIgnored is the Step.Arg of who ignores nobody any more.
const nobodyIgnored = "nobody any more"

func unbanning(g *generator, step *Step) bool {
	step.By = g.moderator()
	step.Whom = g.user(g.is("ban"))
	return step.By != step.Whom && step.Whom != 0 && g.fits(g.is("ban"))
}

// empowering is a user that gives another power.
func empowering(g *generator, step *Step) bool {
	step.By = g.user(func(user int) bool { return g.member[user] == "join" && g.level[user] >= 50 })
	step.Whom = g.user(func(user int) bool { return g.member[user] == "join" && user != step.By })
	step.Arg = []string{"0", "50", "50", "100"}[g.rand.IntN(4)]
	return step.Whom != 0
}

func defaults(g *generator, step *Step) bool {
	step.Arg = []string{"events_default", "state_default", "invite", "invite", "redact", "users_default"}[g.rand.IntN(6)]
	step.By = g.moderator()
	return true
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
