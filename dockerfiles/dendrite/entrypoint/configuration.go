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

// databasePragmas: data must outlive the death of the process, not that of the machine; what was handed to the kernel
// does. So no write waits for the disk, and readers do not wait for writers. Go's database/sql gives a connection to one
// user at a time, so the locks that SQLite in C has for several are left out: a twelfth of the server's work. The rest is
// said twice: to the driver with SQLite in Go, and to that with SQLite in C. Each overlooks what is meant for the other.
const databasePragmas = "?_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)" +
	"&_journal_mode=WAL&_synchronous=OFF&_busy_timeout=10000&_mutex=no"

// writeConfiguration writes the configuration in effect into the data folder and returns its path.
func writeConfiguration(s settings) (string, error) {
	functions := template.FuncMap{
		"quote": quote,
		"path":  func(name string) string { return quote(filepath.Join(s.DataDir, name)) },
		// Dendrite takes the path out of the URI, decoded, and hands it to the SQLite driver, which reads what follows
		// the question mark; an undecoded one would be dropped as the URI's query.
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

// quote makes a JSON string, which is a double-quoted YAML scalar too.
func quote(text string) string {
	var quoted strings.Builder
	encoder := json.NewEncoder(&quoted)
	encoder.SetEscapeHTML(false) // an ampersand stays readable
	if err := encoder.Encode(text); err != nil {
		panic(err) // a string always marshals
	}
	return strings.TrimSuffix(quoted.String(), "\n")
}
