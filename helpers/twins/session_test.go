package twins

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestGenerate(t *testing.T) {
	seen, looked := map[string]int{}, 0
	for seed := range uint64(300) {
		for _, cast := range []Cast{OneServer, TwoServers} {
			session := Generate(cast, seed)
			require.Equal(t, session, Generate(cast, seed), "the seed decides")
			assert.GreaterOrEqual(t, len(session.Steps), fewestSteps)
			assert.LessOrEqual(t, len(session.Steps), mostSteps)
			assert.True(t, session.Steps[len(session.Steps)-1].Look, "all views are compared in the end")
			for i, step := range session.Steps {
				assert.Equal(t, i+1, step.ID)
				assert.Less(t, step.Of, step.ID, "events are made before they are named")
				assert.Less(t, max(step.By, step.Whom), len(cast.Users))
				seen[step.Kind]++
				if step.Look {
					looked++
				}
			}
		}
	}
	assert.Equal(t, 600*looks, looked)
	assert.GreaterOrEqual(t, len(kinds), 40)
	for _, each := range kinds {
		assert.NotZero(t, seen[each.name], "%s is made", each.name)
	}
}

// Each room, and each follow-up, is tried soon: those who look for faults play few sessions.
func TestGenerateSoon(t *testing.T) {
	words, followed := map[string]bool{}, map[string]bool{}
	for seed := range uint64(60) {
		session := Generate([]Cast{OneServer, TwoServers, WithPeer}[seed%3], seed)
		for _, word := range session.words() {
			words[word] = true
		}
		for i, step := range session.Steps[1:] {
			if before := session.Steps[i]; before.By == step.By || before.Whom == step.By || before.By == step.Whom || before.Whom == step.Whom {
				followed[before.Kind+", "+step.Kind] = true
			}
		}
	}
	for _, word := range []string{
		"public_chat", "private_chat", knocking, membersJoin, published, direct, guarded, history + "joined", history + "invited", history + "world_readable",
	} {
		assert.True(t, words[word], "a room is made with %s", word)
	}
	for kind, then := range followUps {
		for _, each := range then {
			assert.Contains(t, kindsByName, each)
			assert.True(t, followed[kind+", "+each], "%s is followed by %s", kind, each)
		}
	}
}

func steps(made ...Step) Session {
	session := Session{Cast: OneServer}
	for i, step := range made {
		step.ID = i + 1
		session.Steps = append(session.Steps, step)
	}
	return session
}

func TestWithout(t *testing.T) {
	session := steps(
		Step{Kind: createKind, Of: nothing}, Step{Kind: "message", Of: nothing}, Step{Kind: "reply", Of: 2}, Step{Kind: "edit", Of: 3},
		Step{Kind: "topic", Of: nothing},
	)
	var left []string
	for _, step := range session.without(2).Steps {
		left = append(left, step.Kind)
	}
	assert.Equal(t, []string{createKind, "topic"}, left, "what names its event goes, too")
	assert.Len(t, session.Steps, 5)
	assert.Len(t, session.until(3).Steps, 3)
}

func TestShrink(t *testing.T) {
	session := steps(
		Step{Kind: createKind, Of: nothing}, Step{Kind: "join", By: 1, Of: nothing}, Step{Kind: "message", By: 2, Of: nothing},
		Step{Kind: "topic", Of: nothing}, Step{Kind: "join", By: 2, Of: nothing}, Step{Kind: "name", Of: nothing}, Step{Kind: "kick", Whom: 2, Of: nothing},
	)
	plays := 0
	shortest := shrink(session, 40, func(shorter Session) (bool, error) {
		plays++
		joined := map[int]bool{}
		for _, step := range shorter.Steps {
			if step.Kind == "join" {
				joined[step.By] = true
			}
		}
		last := shorter.Steps[len(shorter.Steps)-1]
		return last.Kind == "kick" && joined[last.Whom], nil
	})
	var left []string
	for _, step := range shortest.Steps {
		left = append(left, step.String())
	}
	assert.Equal(t, []string{"alice: create room alice", "bob: join alice", "alice: kick bob"}, left)
	assert.LessOrEqual(t, plays, 40)

	shrink(session, 3, func(Session) (bool, error) { plays = plays*0 + 3; return true, nil })
	assert.Equal(t, 3, plays)
}
