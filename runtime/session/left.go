// What ended runs left behind, without removing it.

package session

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/docker/docker/client"

	"msc4014/runtime/docker/engine"
)

// Leftovers are what ended runs left behind. Runs are given by their IDs.
type Leftovers struct {
	// Dead runs were killed. The next run removes what they left, and so does Clean.
	Dead []string
	// Kept runs used --keep. Only Clean removes what they left.
	Kept []string
	// Elsewhere are dead runs with other state folders, or on other machines, that left something in the engine. Only Clean with
	// CleanOptions.All removes it.
	Elsewhere []string
}

// Left returns what ended runs left behind on this machine and, unless cli is nil, in the engine. It removes nothing.
func Left(ctx context.Context, cli client.APIClient) (Leftovers, error) {
	state, err := StateDir()
	if err != nil {
		return Leftovers{}, err
	}
	var left Leftovers
	ended, err := claimDead(ctx, state, true)
	for _, run := range ended {
		if isKept(run.dir) {
			left.Kept = append(left.Kept, run.id)
		} else {
			left.Dead = append(left.Dead, run.id)
		}
		_ = run.lock.Close()
	}
	if cli == nil {
		return left, err
	}
	objects, listErr := engine.List(ctx, cli, LabelRun)
	all := orphans(objects, state, true)
	for _, each := range orphans(objects, state, false) {
		left.Dead = append(left.Dead, each.run)
		all = slices.DeleteFunc(all, func(other remains) bool { return other.run == each.run })
	}
	for _, each := range all {
		dead, _, release := each.isDead(state, time.Now())
		if dead {
			left.Elsewhere = append(left.Elsewhere, each.run)
		}
		release()
	}
	return left, errors.Join(err, listErr)
}
