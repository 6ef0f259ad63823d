package run

// Complement's variables select the images of single servers. Results name the candidate, so those images must be the
// candidate's, unless the variables select the candidate too.

import "fmt"

// refuseOtherImages returns an error if a server would run another image than the candidate that results and baseline are
// named after. Plain processes use no image.
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
				return fmt.Errorf("%s=%s would run another image as %s, but name the results after %s; unset it, or select the candidate "+
					"with COMPLEMENT_BASE_IMAGE, or test the two together: --pair %s,%s", image.Variable, image.Image, image.Host,
					candidate.Typed, candidate.Typed, other.Typed)
			case m.UpdateBaseline && m.Baseline == "":
				return fmt.Errorf("--update-baseline: the baseline of %[3]s cannot hold results of a run together with %[1]s=%[2]s; unset "+
					"that variable, or name another file with --baseline", image.Variable, image.Image, candidate.Typed)
			}
		}
	}
	return nil
}
