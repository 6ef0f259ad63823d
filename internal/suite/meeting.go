package suite

// Before the first check, each candidate is started and asked what it is.

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"msc4014/blueprints"
	"msc4014/helpers/check"
	"msc4014/helpers/formats"
	"msc4014/helpers/plan"
	"msc4014/helpers/stage"
	"msc4014/helpers/verdict"
	"msc4014/runtime"
)

// meeting finds out what the candidates of a run are.
type meeting struct {
	runner *check.Runner
	world  *blueprints.World
	wanted plan.Plan
	chosen []*check.Check
	warn   func(string)
}

// hold starts the first deployments and returns what their candidates are, by server. If hs1 and hs2 run different candidates and any
// check needs two servers, it asks hs2, too: such checks depend on what hs1 and hs2 have in common, others only on hs1.
func (m *meeting) hold(ctx context.Context) (verdict.Candidate, error) {
	blueprint, prefix := blueprints.OneServer, ""
	if m.wanted.Second != nil {
		blueprint = blueprints.TwoServers
	}
	two := m.wanted.Second != nil || slices.ContainsFunc(m.chosen, func(one *check.Check) bool { return one.TwoServers })
	mixed := two && m.world.Artifacts.Mixed()
	if mixed {
		prefix = "hs1-"
	}
	first, err := m.meet(ctx, blueprint, 0, prefix)
	if err != nil {
		return verdict.Candidate{}, err
	}
	candidate := m.wanted.Candidate()
	candidate.Servers = []verdict.Server{first}
	switch {
	case mixed:
		second, err := m.meet(ctx, blueprints.TwoServers, 1, "hs2-")
		if err != nil {
			return verdict.Candidate{}, err
		}
		candidate.Servers = append(candidate.Servers, second)
	case two: // of the same candidate
		second := first
		second.Host, second.Configuration = "hs2", ""
		candidate.Servers = append(candidate.Servers, second)
	}
	if m.wanted.Second == nil {
		candidate.Configuration, candidate.Digest = first.Configuration, first.Digest
		if candidate.Version == "" {
			candidate.Version = first.Version
		}
	}
	if m.world.Lacks(blueprint) == "" {
		candidate.Dialect, candidate.RoomVersion = first.Dialect, m.world.Facts().Format.RoomVersion
	}
	return candidate, nil
}

// meet learns what the candidate at a place of a blueprint is, and saves its configuration under a name that begins with
// prefix.
func (m *meeting) meet(ctx context.Context, blueprint stage.Blueprint, place int, prefix string) (verdict.Server, error) {
	deployment, err := m.runner.Prepare(ctx, blueprint.Name)
	if err != nil {
		return verdict.Server{}, err
	}
	facts, err := m.world.Learn(ctx, deployment, place)
	if err != nil {
		return verdict.Server{}, err
	}
	server := m.world.Servers(deployment)[place]
	configuration, err := keepConfiguration(ctx, server, m.wanted.Results, prefix)
	if err != nil {
		m.warn("keeping the configuration failed: " + err.Error())
	}
	artifact := m.world.Artifacts.For(server.Host())
	if imaged, of := server.(runtime.Imaged); of {
		if artifact.Digest, err = imaged.ImageDigest(ctx); err != nil {
			return verdict.Server{}, err
		}
	}
	met := verdict.Server{
		Host: server.Host(), Name: artifact.Candidate, Version: artifact.Version, Image: artifact.Image, Digest: artifact.Digest,
		Configuration: configuration,
	}
	if met.Version == "" {
		met.Version = facts.Software
	}
	if facts.Supported {
		met.Format = facts.Learnt
		if facts.Unseen[formats.Dialect] == "" {
			met.Dialect = string(facts.Format.Dialect)
		}
		for _, part := range slices.Sorted(maps.Keys(facts.Unseen)) {
			m.warn(fmt.Sprintf("no event of %s showed its %s: %s; what depends on it is unsupported", artifact.Candidate, part, facts.Unseen[part]))
		}
	}
	return met, nil
}
