package report

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

// TestJUnitFollowsItsSchema: whatever servers say. The validator is xmllint, of libxml2.
func TestJUnitFollowsItsSchema(t *testing.T) {
	program, err := exec.LookPath("xmllint")
	if err != nil {
		t.Skip("xmllint is not installed (Debian: libxml2-utils)")
	}
	valid := func(document []byte) error {
		file := filepath.Join(t.TempDir(), JUnitFile)
		require.NoError(t, os.WriteFile(file, document, 0o644))
		return exec.Command(program, "--noout", "--nonet", "--schema", "junit.xsd", file).Run()
	}
	hostile := sample()
	for i := range hostile.Checks {
		hostile.Checks[i].Reason = "]]></failure><x a=\"&lt;\">\x00\x1b[31m\xff\ufffe"
		hostile.Checks[i].Details = []string{"]]>", "\x01"}
	}
	strict := sample()
	strict.Strict = true
	empty := Results{Candidate: verdict.Candidate{Name: "dendrite"}}
	for name, results := range map[string]Results{
		"sample": sample(), "hostile": hostile, "strict": strict, "empty": empty, "unmade": Unmade(testRun(), testCatalogue, "the engine is gone"),
	} {
		var document bytes.Buffer
		require.NoError(t, WriteJUnit(&document, results))
		assert.NoError(t, valid(document.Bytes()), name)
		for _, spoil := range []string{` tests="`, `<testsuites `} {
			assert.Error(t, valid(bytes.Replace(document.Bytes(), []byte(spoil), []byte(spoil[:1]+"x"+spoil[1:]), 1)), "%s without%s", name, spoil)
		}
	}
}
