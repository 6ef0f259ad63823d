package check

// What judging needs of the world: deployments, readings, and where evidence goes.

import (
	"context"

	"msc4014/helpers/verdict"
)

// Deployment is what judging must know about the servers that a check touches. Its methods are safe for use by
// several goroutines.
type Deployment interface {
	// ID is unique in the run.
	ID() string
	// Died is closed as soon as a server of it ended unasked, or MarkDead was called.
	Died() <-chan struct{}
	// Death says, once Died is closed, what happened.
	Death() Death
	// MarkDead declares it dead although its processes run: it is silent.
	MarkDead(cause string)
	// Answers asks each server a question that takes no work, and returns an error when one does not answer.
	Answers(ctx context.Context) error
	// Health does what a healthy deployment can: users of an ordinary room of its own send and read.
	Health(ctx context.Context) error
	// Log returns the end of its servers' logs.
	Log(lines int) string
	// Close removes its servers.
	Close(ctx context.Context) error
}

// Death says how a deployment ended.
type Death struct {
	Cause   string // "hs1 exited with status 2"
	Outside bool   // ended by a signal from outside (SIGKILL): the machine's doing, unless it happens again
	Silent  bool   // its servers run, and were declared dead
	LogTail string
}

// Deployments makes deployments by the name of their blueprint. Every call makes a new one; the runner shares them.
type Deployments interface {
	New(ctx context.Context, blueprint string) (Deployment, error)
}

// Readings tells whether a reading is one of those that the catalogue lists for an open requirement.
type Readings func(requirement, reading string) error

// Leaving is a deployment at its end, with the checks that stood on it.
type Leaving struct {
	Deployment Deployment
	Blueprint  string
	Checks     []string // by name, in the order in which they came
	Failed     bool     // one of them failed or was an error, or the deployment died
}

// Keeper keeps the evidence of a check: it writes log and transcript and returns their paths,
// relative to the results folder.
type Keeper func(result verdict.CheckResult, evidence Evidence) (log, transcript string, err error)
