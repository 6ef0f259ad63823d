package check

// What the runner needs from its callers: deployments, readings, and a place for evidence.

import (
	"context"

	"msc4014/helpers/verdict"
)

// Deployment is what the runner needs to know about the servers that a check uses. Its methods are safe for concurrent use.
type Deployment interface {
	// ID returns an identifier that is unique in the run.
	ID() string
	// Died is closed as soon as one of its servers exits unexpectedly, or MarkDead is called.
	Died() <-chan struct{}
	// Death returns what happened, once Died is closed.
	Death() Death
	// MarkDead declares the deployment dead although its processes run: it does not answer.
	MarkDead(cause string)
	// Answers sends each server a request that costs next to nothing, and returns an error if one does not answer.
	Answers(ctx context.Context) error
	// Talks returns an error if a user of an ordinary room on one of its servers cannot send a message and read it back.
	Talks(ctx context.Context) error
	// Works is Talks in a pseudo-ID room instead, if the candidate has those.
	Works(ctx context.Context) error
	// Health is Talks, and the same in a pseudo-ID room.
	Health(ctx context.Context) error
	// Federates returns an error if one of its servers does not exchange messages with a healthy peer any more.
	Federates(ctx context.Context) error
	// Log returns the last lines of its servers' logs.
	Log(lines int) string
	// Close removes its servers.
	Close(ctx context.Context) error
}

// Death says how a deployment ended.
type Death struct {
	Cause   string // "hs1 exited with status 2"
	Outside bool   // a server was killed from outside (SIGKILL): the machine is to blame, unless it happens again
	Silent  bool   // the servers run, but do not answer
	LogTail string
}

// Deployments starts deployments by the names of their blueprints. Every call starts a new one; the runner shares them.
type Deployments interface {
	New(ctx context.Context, blueprint string) (Deployment, error)
}

// Readings returns an error if the catalogue does not list the reading for the open requirement.
type Readings func(requirement, reading string) error

// Retired is a deployment that no check will use any more, with the checks that used it.
type Retired struct {
	Deployment Deployment
	Blueprint  string
	Checks     []string // their names, in the order in which they began to use it
	Failed     bool     // a verdict of theirs is fail or error, or the deployment died
}

// Keeper writes the log and the transcript of a check and returns their paths, relative to the results folder. Of a check that was
// judged again it writes those of its first attempt beside the others.
type Keeper func(result verdict.CheckResult, first bool, evidence Evidence) (log, transcript string, err error)
