// Tests that the oracle shares no code with the servers that it judges, nor with the rest of the suite.

package pseudoid

import (
	"go/parser"
	"go/token"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOracleIsIndependent(t *testing.T) {
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	for _, file := range files {
		if name := file.Name(); !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, parser.ImportsOnly)
		require.NoError(t, err)
		for _, imported := range parsed.Imports {
			path, err := strconv.Unquote(imported.Path.Value)
			require.NoError(t, err)
			host, _, _ := strings.Cut(path, "/")
			standard := !strings.Contains(host, ".") && host != "msc4014"
			assert.True(t, standard || path == "filippo.io/edwards25519", "%s imports %s", file.Name(), path)
		}
	}
}
