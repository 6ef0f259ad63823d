package suite

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/tidwall/gjson"

	"msc4014/helpers/check"
	"msc4014/helpers/packed"
	"msc4014/helpers/plan"
	"msc4014/helpers/transcript"
	"msc4014/helpers/verdict"
)

// TestSharedEvidenceIsWrittenOnce: of checks that exchanged nothing of their own it is the transcript; others name it.
func TestSharedEvidenceIsWrittenOnce(t *testing.T) {
	folder := t.TempDir()
	keep := keeper(plan.Plan{Results: folder})
	exchanges := packed.Of([]transcript.Exchange{{Direction: transcript.ClientRequest, Method: "GET", URL: "/sync", Started: time.Now()}})
	shared := []check.Shared{{Name: "a room/of a peer", Exchanges: exchanges}}
	result := func(name string) verdict.CheckResult {
		return verdict.CheckResult{Name: name, Verdict: verdict.Fail, Reason: "seen"}
	}
	var files []string
	for _, name := range []string{"a", "b"} {
		log, har, err := keep(result(name), false, check.Evidence{Shared: shared})
		require.NoError(t, err)
		assert.Equal(t, "checks/"+name+".log", log)
		files = append(files, har)
	}
	assert.Equal(t, files[0], files[1])
	assert.Regexp(t, `^checks/shared-a-room-of-a-peer-[0-9a-f]{8}\.har$`, files[0])
	_, har, err := keep(result("own"), false, check.Evidence{Exchanges: exchanges, Shared: shared})
	require.NoError(t, err)
	assert.Equal(t, "checks/own.har", har)
	data, err := os.ReadFile(filepath.Join(folder, har))
	require.NoError(t, err)
	assert.Equal(t, "fail: seen; it rests on "+files[0], gjson.GetBytes(data, "log.comment").String())
	assert.Equal(t, "own", gjson.GetBytes(data, "log.pages.0.title").String())
}
