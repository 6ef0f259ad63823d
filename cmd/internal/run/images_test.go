package run

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/report"
	"msc4014/runtime/complement"
)

func TestNoResultsUnderTheNameOfAnotherImage(t *testing.T) {
	first := complement.ServerImage{Host: "hs1", Image: "first:latest", Variable: "COMPLEMENT_BASE_IMAGE_HS1"}
	second := complement.ServerImage{Host: "hs2", Image: "second:latest", Variable: "COMPLEMENT_BASE_IMAGE_HS2"}
	named := func(candidates ...string) Options { return Options{Candidates: candidates, Runtime: "docker"} }
	ofVariables := func(candidate string) Options {
		return Options{Candidates: []string{candidate}, Runtime: "docker", OfVariables: true}
	}
	for _, each := range []struct {
		name   string
		images []complement.ServerImage
		asked  Options
		change func(*Options)
		says   string // "" if the run is made
	}{
		{name: "hs1 and a name", images: []complement.ServerImage{first}, asked: named("dendrite"),
			says: "COMPLEMENT_BASE_IMAGE_HS1=first:latest would run another image as hs1, but name the results after dendrite"},
		{name: "hs2 and a name", images: []complement.ServerImage{second}, asked: named("dendrite"), says: "--pair dendrite,image:second:latest"},
		{name: "hs2 and one of two names", images: []complement.ServerImage{second}, asked: named("image:second", "dendrite"), says: "name the results after dendrite"},
		{name: "hs2 and another image", images: []complement.ServerImage{second}, asked: named("image:first"), says: "name the results after image:first"},
		{name: "hs1 is the image that is named", images: []complement.ServerImage{first}, asked: named("image:first")},
		{name: "both are the image that is named", images: []complement.ServerImage{first, {Host: "hs2", Image: "first:latest"}}, asked: named("image:first")},
		{name: "plain processes have no images", images: []complement.ServerImage{first, second}, asked: named("dendrite"),
			change: func(o *Options) { o.Runtime = "process" }},
		{name: "hs1 is the candidate", images: []complement.ServerImage{first}, asked: ofVariables("image:first")},
		{name: "hs2 and the candidate", images: []complement.ServerImage{second}, asked: ofVariables("image:first")},
		{name: "a baseline of two", images: []complement.ServerImage{second}, asked: ofVariables("image:first"),
			change: func(o *Options) { o.UpdateBaseline = true }, says: "--update-baseline: the baseline of image:first cannot hold results of a run together with COMPLEMENT_BASE_IMAGE_HS2=second:latest"},
	} {
		t.Run(each.name, func(t *testing.T) {
			b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "pass"}})
			b.Engine = func(context.Context) error { return nil }
			b.Images = each.images
			if each.change != nil {
				each.change(&each.asked)
			}
			status, err := b.Run(context.Background(), each.asked)
			if each.says == "" {
				require.NoError(t, err)
				assert.Equal(t, StatusExpected, status, b.out.String())
				return
			}
			assert.Equal(t, StatusCannot, status)
			require.ErrorContains(t, err, each.says)
			assertNoVerdicts(t, filepath.Join(b.Root, "results"))
			assert.NoDirExists(t, filepath.Join(b.Root, "baselines"))
		})
	}
}

// TestBaselineOfTwoImages: a file named with --baseline belongs to no single candidate.
func TestBaselineOfTwoImages(t *testing.T) {
	b := newBench(t, script{Checks: two, Verdicts: verdicts{"check-a": "pass", "check-b": "fail"}})
	b.Engine = func(context.Context) error { return nil }
	b.Images = []complement.ServerImage{{Host: "hs2", Image: "second:latest", Variable: "COMPLEMENT_BASE_IMAGE_HS2"}}
	file := filepath.Join(b.Root, "both.json")
	status, err := b.Run(context.Background(), Options{
		Candidates: []string{"image:first"}, Runtime: "docker", OfVariables: true, UpdateBaseline: true, Baseline: file,
	})
	require.NoError(t, err)
	assert.Equal(t, StatusExpected, status, b.out.String())
	_, err = os.Stat(file)
	assert.NoError(t, err)
}

// assertNoVerdicts asserts that folder has results, that none has a verdict, and that each says why.
func assertNoVerdicts(t *testing.T, folder string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*", report.ResultsFile))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		results, err := report.Read(filepath.Dir(file))
		require.NoError(t, err)
		assert.NotEmpty(t, results.Incomplete)
		assert.Empty(t, results.Checks)
	}
}
