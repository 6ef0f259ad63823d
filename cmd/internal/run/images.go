package run

// Complement's variables say what single servers are made of. Results name the candidate, so those images must be its own,
// unless the variables say what the candidate is as well.

import "fmt"

// refuseOtherImages returns an error if a server would be made of another image than the candidate that results, and the
// baseline, are named by. Plain processes are made of no image.
func (r *Runner) refuseOtherImages(m *made) error {
	if m.runtimeName != "docker" || m.Pair != "" {
		return nil
	}
	for _, image := range r.Images {
		other, err := r.Parse("image:" + image.Image)
		if err != nil {
			return fmt.Errorf("%s: %w", image.Variable, err)
		}
		for _, one := range m.tasks {
			candidate := one.candidates[0]
			switch {
			case candidate.Image == other.Image:
			case !m.OfVariables:
				return fmt.Errorf("%s=%s makes %s something else than %s, by which results would be named; unset it, or leave the "+
					"candidate to COMPLEMENT_BASE_IMAGE, or judge the two side by side: --pair %s,%s", image.Variable, image.Image, image.Host,
					candidate.Typed, candidate.Typed, other.Typed)
			case m.UpdateBaseline && m.Baseline == "":
				return fmt.Errorf("--update-baseline: %s=%s stands beside %s, whose baseline must not expect what comes of both; unset "+
					"it, or name another file by --baseline", image.Variable, image.Image, candidate.Typed)
			}
		}
	}
	return nil
}
