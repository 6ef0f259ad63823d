package requirements_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/requirements"
)

// TestSourcesHaveLinks: each source that names a proposal leads to lines of it.
func TestSourcesHaveLinks(t *testing.T) {
	catalogue, err := requirements.Load()
	require.NoError(t, err)
	for _, requirement := range catalogue.All() {
		links := catalogue.Links(requirement.Source)
		withoutLine := strings.Contains(requirement.Source, "MSC4014, discussion") || strings.Contains(requirement.Source, "Discussion of")
		if strings.Contains(requirement.Source, "MSC") && !strings.Contains(requirement.Source, "MSC2175") && !withoutLine {
			assert.NotEmpty(t, links, "%s: %s", requirement.ID, requirement.Source)
		}
		if !strings.Contains(requirement.Source, "MSC") {
			assert.Empty(t, links, "%s: %s", requirement.ID, requirement.Source)
		}
	}
}

func TestLinks(t *testing.T) {
	catalogue, err := requirements.Load()
	require.NoError(t, err)
	const at = "https://github.com/matrix-org/matrix-spec-proposals/blob/"
	const proposal = at + "85b59630d03e6b56b1a03c5d129a3a2ab222f68f/proposals/4014-pseudonymous-identities.md"
	const parent = at + "17a9253c482c6e87e63be2dffca6aaa58bd3afb4/proposals/1228-removing-mxids-from-events.md"
	for source, want := range map[string][]requirements.Link{
		"MSC4014, Proposal 4.1": {{"MSC4014, Proposal 4.1", proposal + "?plain=1#L40"}},
		"MSC4014, Proposal 4; Changes from MSC1228 3": {
			{"MSC4014, Proposal 4", proposal + "?plain=1#L39"}, {"MSC4014, Changes from MSC1228 3", proposal + "?plain=1#L48"},
		},
		`MSC4014, Proposal 4 ("member events") against MSC1228, Proposal ("invite and join events")`: {
			{"MSC4014, Proposal 4", proposal + "?plain=1#L39"}, {"MSC1228, Proposal", parent + "?plain=1#L33"},
		},
		"MSC1228, Handling the mxid mapping, Implementation": {{"MSC1228, Handling the mxid mapping, Implementation", parent + "?plain=1#L183"}},
		"MSC4014, Background; MSC1228":                       {{"MSC4014, Background", proposal + "?plain=1#L10"}, {"MSC1228", parent}},
		"MSC4014, Hard requirements 1; Client-server API":    {{"MSC4014, Hard requirements 1", proposal + "?plain=1#L23"}},
		"Server-server API, make_join":                       nil,
		"common sense":                                       nil,
	} {
		assert.Equal(t, want, catalogue.Links(source), source)
	}
}
