// The configuration of Dendrite.

package main

import (
	_ "embed"
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed dendrite.yaml.tmpl
var configurationTemplate string

// databasePragmas: data must survive a crash of the process, but not of the machine; data passed to the kernel does. So no
// write waits for the disk, and readers do not wait for writers. Go's database/sql gives a connection to one user at a time,
// so SQLite in C needs no locks for several, which saves a twelfth of the server's work. The other pragmas are given twice:
// for the driver with SQLite in Go and for that with SQLite in C. Each ignores those of the other.
const databasePragmas = "?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)" +
	"&_journal_mode=WAL&_synchronous=OFF&_busy_timeout=10000&_mutex=no"

// writeConfiguration writes the effective configuration into the data folder and returns its path.
func writeConfiguration(s settings) (string, error) {
	functions := template.FuncMap{
		"quote": quote,
		"path":  func(name string) string { return quote(filepath.Join(s.DataDir, name)) },
		// Dendrite decodes the path of the URI and passes it to the SQLite driver, which interprets what follows the
		// question mark; an unescaped question mark would start the URI's query, which is dropped.
		"database": func(name string) string {
			path := filepath.Join(s.DataDir, "dendrite_"+name+".db") + databasePragmas
			return quote((&url.URL{Scheme: "file", Path: path}).String())
		},
	}
	parsed, err := template.New("dendrite.yaml").Funcs(functions).Parse(configurationTemplate)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	if err := parsed.Execute(&text, s); err != nil {
		return "", err
	}
	path := filepath.Join(s.DataDir, "dendrite.yaml")
	return path, os.WriteFile(path, []byte(text.String()), 0o644)
}

// quote returns a JSON string, which is also a double-quoted YAML scalar.
func quote(text string) string {
	var quoted strings.Builder
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false) // keep ampersands readable
	if err := encoder.Encode(text); err != nil {
		panic(err) // a string always marshals
	}
	return strings.TrimSuffix(quoted.String(), "\n")
}
