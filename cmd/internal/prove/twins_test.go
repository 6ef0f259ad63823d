package prove

// Proofs of twin sessions, on a bench.

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/faults"
	"msc4014/helpers/verdict"
	"msc4014/internal/selection"
	"msc4014/runtime"
)

const someTwins = TwinSessions + "of some users"

// ofTwins returns a script and faults of which twin sessions notice some.
func ofTwins(noticed, unnoticed int) (script, []faults.Fault) {
	const demand, check = "client-view/sender-is-user-id", "senders are user IDs"
	s := script{Verdicts: verdicts{}, Checks: []selection.Check{
		{Name: check, Requirements: []string{demand}},
		{Name: someTwins, Requirements: []string{likeOrdinaryRooms}},
		{Name: "history is shown", Requirements: []string{likeOrdinaryRooms}},
	}}
	s.Checks = append(s.Checks, checks...)
	all := []faults.Fault{rows[0], row("no-history", likeOrdinaryRooms, "history is shown")}
	for i := range noticed + unnoticed {
		id := fmt.Sprintf("sender-%d", i)
		all = append(all, row(id, demand, check))
		s.Verdicts[id] = map[string]verdict.Verdict{check: verdict.Fail}
		if i < noticed {
			s.Verdicts[id][someTwins] = verdict.Fail
		}
	}
	s.Verdicts["no-history"] = map[string]verdict.Verdict{"history is shown": verdict.Fail}
	s.Verdicts["creator-join-unmapped"] = map[string]verdict.Verdict{someTwins: verdict.Fail, "a join has a mapping": verdict.Fail}
	return s, all
}

// TestTwins: only faults of client-view and membership count, and of the checks only twin sessions, as many as are asked for.
func TestTwins(t *testing.T) {
	for _, one := range []struct {
		noticed, unnoticed, status int
	}{{3, 1, StatusProven}, {2, 1, StatusUnproven}} {
		s, all := ofTwins(one.noticed, one.unnoticed)
		b := newBench(t, s)
		b.Faults = all
		status, err := b.Twins(context.Background(), TwinOptions{Sessions: 7})
		require.NoError(t, err)
		assert.Equal(t, one.status, status, b.out.String())
		data, err := os.ReadFile(filepath.Join(b.Root, "results", "prove-twins", TwinsFile))
		require.NoError(t, err)
		var proof TwinsProof
		require.NoError(t, json.Unmarshal(data, &proof))
		assert.Equal(t, Part{one.noticed, one.noticed + one.unnoticed + 1}, proof.Noticed)
		assert.Equal(t, 7, proof.Sessions)
		assert.Equal(t, "no-history", proof.Faults[0].ID)
		assert.False(t, proof.Faults[0].Noticed, "by a check that plays no sessions")
		assert.Equal(t, "because of sender-0, in 7 sessions", proof.Faults[1].Words)
		assert.Equal(t, someTwins, proof.Faults[1].By)
		assert.Contains(t, b.out.String(), fmt.Sprintf("faults that twin sessions notice      %s, 7 sessions with each", proof.Noticed))
	}
}

func TestTwinsOfNoFault(t *testing.T) {
	s, all := ofTwins(1, 0)
	b := newBench(t, s)
	b.Faults = all
	status, err := b.Twins(context.Background(), TwinOptions{Sessions: 1, Run: "^creator-join-unmapped$"})
	assert.Equal(t, StatusCannot, status)
	assert.ErrorContains(t, err, `--run "^creator-join-unmapped$" matches no fault of client-view or membership`)
}

func TestTwinsWithoutChecks(t *testing.T) {
	s, all := ofTwins(1, 0)
	s.Checks = slices.DeleteFunc(s.Checks, func(one selection.Check) bool { return one.Name == someTwins })
	b := newBench(t, s)
	b.Faults = all
	status, err := b.Twins(context.Background(), TwinOptions{Sessions: 4})
	assert.Equal(t, StatusCannot, status, "no checks would be all checks")
	assert.ErrorContains(t, err, `no check of client-view/like-ordinary-rooms has a name that begins with "twin sessions "`)
}

// TestTwinsWithoutVerdict: a session that could not be played is told, and no fault is noticed by it.
func TestTwinsWithoutVerdict(t *testing.T) {
	s, all := ofTwins(2, 0)
	s.Verdicts["sender-0"][someTwins] = verdict.Error
	b := newBench(t, s)
	b.Faults = all
	status, err := b.Twins(context.Background(), TwinOptions{Sessions: 1})
	require.NoError(t, err)
	assert.Equal(t, StatusCannot, status, "it could be noticed")
	assert.Contains(t, b.out.String(), "-    sender-0                        error: because of sender-0")
}

// TestTwinsThatDifferWithoutAFault: what they notice then proves nothing.
func TestTwinsThatDifferWithoutAFault(t *testing.T) {
	s, all := ofTwins(3, 0)
	s.Verdicts[""] = map[string]verdict.Verdict{someTwins: verdict.Fail}
	b := newBench(t, s)
	b.Faults = all
	status, err := b.Twins(context.Background(), TwinOptions{Sessions: 1})
	require.NoError(t, err)
	assert.Equal(t, StatusUnproven, status)
	assert.Contains(t, b.out.String(), "NOT  dialect msc4014   because of")
}

// TestTwinsOfAFaultThatCannotBeBuilt: the reason is told.
func TestTwinsOfAFaultThatCannotBeBuilt(t *testing.T) {
	s, all := ofTwins(1, 0)
	b := newBench(t, s)
	b.Faults = all
	prepare := b.Prepare
	b.Prepare = func(ctx context.Context, with []faults.Fault, progress func(string)) (runtime.Artifact, error) {
		if len(with) > 0 {
			return runtime.Artifact{}, errors.New("undefined: x")
		}
		return prepare(ctx, with, progress)
	}
	status, err := b.Twins(context.Background(), TwinOptions{Sessions: 1})
	require.NoError(t, err)
	assert.Equal(t, StatusCannot, status)
	assert.Contains(t, b.out.String(), "its reference cannot be made: undefined: x")
}

// TestWholeProofLetsTwinSessionsNotice: twin sessions may notice any fault, and no row need say so.
func TestWholeProofLetsTwinSessionsNotice(t *testing.T) {
	s, all := ofTwins(1, 0)
	s.Verdicts[twinFault] = map[string]verdict.Verdict{someTwins: verdict.Fail}
	for fault, seen := range exact() {
		if fault != rows[0].ID {
			s.Verdicts[fault] = seen
		}
	}
	b := newBench(t, s)
	b.Faults = append(all, row(twinFault, likeOrdinaryRooms, someTwins), rows[1], rows[2])
	status, proof := b.proof(t, Options{Whole: true})
	assert.Equal(t, StatusProven, status, proof.Problems)

	s.Verdicts["sender-0"]["history is shown"] = verdict.Fail
	b = newBench(t, s)
	b.Faults = append(all, row(twinFault, likeOrdinaryRooms, someTwins), rows[1], rows[2])
	status, proof = b.proof(t, Options{Whole: true})
	assert.Equal(t, StatusUnproven, status, "other checks of that requirement may not fail")
	assert.Contains(t, strings.Join(proof.Problems, "; "), "fault sender-0: client-view/like-ordinary-rooms must not fail, but does")
}

const twinFault = "shown-without-time"
