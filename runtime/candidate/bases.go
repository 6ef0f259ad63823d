// Which base images there are, for a user who asks before a run.

package candidate

import (
	"context"
	"fmt"
)

// Base is a base image that images with Debian packages need.
type Base struct {
	// Image is its name: in the engine, if Found, else in registries.
	Image string
	// For is what is built on it.
	For   string
	Found bool
	// Registry is why no registry gives it, or nil. It is set if the engine does not have the image.
	Registry error
	// Plan is what building it from Debian's packages would do on this machine, or Problem is why it cannot be built. They are set if
	// neither the engine nor a registry has the image.
	Plan    string
	Problem error
}

// Bases returns the base images that images with Debian packages need, and where they could come from. It pulls and builds nothing.
func Bases(ctx context.Context, root string) ([]Base, error) {
	engine, err := openEngine(ctx)
	if err != nil {
		return nil, err
	}
	defer engine.close()
	var bases []Base
	for _, wanted := range []struct {
		suite suite
		use   string
	}{{sid, "synapse"}, {bookworm, "--with-clients"}} {
		base := Base{Image: wanted.suite.registryBase(), For: wanted.use}
		name, _, err := engine.findBase(ctx, wanted.suite)
		switch {
		case err != nil:
			return bases, err
		case name != "":
			base.Image, base.Found = name, true
		default:
			if base.Registry = engine.offered(ctx, base.Image); base.Registry != nil {
				base.Plan, base.Problem = basePlan(ctx, root, wanted.suite)
			}
		}
		bases = append(bases, base)
	}
	return bases, nil
}

// offered returns nil if a registry offers the image to the engine.
func (e *engine) offered(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, pullAnswers, fmt.Errorf("no registry answered within %s", pullAnswers))
	defer cancel()
	_, err := e.client.DistributionInspect(ctx, name, "")
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
