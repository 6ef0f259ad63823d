package report

// results.schema.json describes what this package writes.

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/jsonschema-go/jsonschema"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/helpers/verdict"
)

func readSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	data, err := os.ReadFile("results.schema.json")
	require.NoError(t, err)
	var schema jsonschema.Schema
	require.NoError(t, json.Unmarshal(data, &schema))
	return &schema
}

func TestResultsFollowTheSchema(t *testing.T) {
	resolved, err := readSchema(t).Resolve(nil)
	require.NoError(t, err)
	validate := func(results Results) error {
		data, err := json.Marshal(results)
		require.NoError(t, err)
		var instance any
		require.NoError(t, json.Unmarshal(data, &instance))
		return resolved.Validate(instance)
	}
	full := sample()
	twice := judgedTwice()
	full.Checks = append(full.Checks, *twice.Result)
	full.Environment = &verdict.Environment{OS: "linux", Arch: "amd64", Go: "go1.26", Seed: 1, Parallel: 3, Variables: map[string]string{"COMPLEMENT_DEBUG": "1"}}
	full.Evidence = []EvidenceFile{{Path: "checks/a.log", SHA256: strings.Repeat("0", 64)}}
	assert.NoError(t, validate(full))
	assert.NoError(t, validate(Unmade(testRun(), testCatalogue, "the engine is gone")))

	for name, spoil := range map[string]func(*Results){
		"schema":  func(r *Results) { r.Schema = 1 },
		"verdict": func(r *Results) { r.Checks[0].Verdict = "passed" },
		"first":   func(r *Results) { r.Checks[len(r.Checks)-1].First = &verdict.CheckResult{} },
		"demand":  func(r *Results) { r.Requirements[0].Demand = "" },
		"path":    func(r *Results) { r.Checks[0].Log = "/etc/passwd" },
		"digest":  func(r *Results) { r.Evidence[0].SHA256 = "0" },
	} {
		spoilt := full
		spoilt.Checks, spoilt.Requirements, spoilt.Evidence = slices.Clone(full.Checks), slices.Clone(full.Requirements), slices.Clone(full.Evidence)
		spoil(&spoilt)
		assert.Error(t, validate(spoilt), name)
	}
}

// TestSchemaHasTheFieldsOfResults: no field is missing in the schema, and none is left over.
func TestSchemaHasTheFieldsOfResults(t *testing.T) {
	root := readSchema(t)
	seen := map[reflect.Type]bool{}
	var compare func(at string, of reflect.Type, schema *jsonschema.Schema)
	compare = func(at string, of reflect.Type, schema *jsonschema.Schema) {
		for schema.Ref != "" {
			schema = root.Defs[strings.TrimPrefix(schema.Ref, "#/$defs/")]
			require.NotNil(t, schema, at)
		}
		switch {
		case of.Kind() == reflect.Pointer:
			compare(at, of.Elem(), schema)
		case of.Kind() == reflect.Slice:
			require.NotNil(t, schema.Items, at)
			compare(at+"[]", of.Elem(), schema.Items)
		case of.Kind() == reflect.Struct && of != reflect.TypeFor[time.Time]() && !seen[of]:
			seen[of] = true
			var fields []string
			for i := range of.NumField() {
				field := of.Field(i)
				name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
				fields = append(fields, name)
				if schema.Properties[name] == nil {
					t.Errorf("%s has no property %s", at, name)
					continue
				}
				assert.Equal(t, options == "", slices.Contains(schema.Required, name), "%s.%s is required or not", at, name)
				compare(at+"."+name, field.Type, schema.Properties[name])
			}
			for name := range schema.Properties {
				assert.Contains(t, fields, name, at)
			}
		}
	}
	compare("results", reflect.TypeFor[Results](), root)
	assert.Greater(t, len(seen), 10)
}
