// Package appservice pushes events to application services (application service API, "Pushing events"). Services are clients of a
// kind: they are interested in user IDs, as other clients are, and are shown user IDs. Nothing else of that API is here: services
// cannot act as their users, and are not asked for users and rooms that do not exist.
package appservice

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Registration is what an administrator registers of a service (application service API, "Registration").
type Registration struct {
	ID              string  `yaml:"id"`
	URL             *string `yaml:"url"`      // nil if nothing is pushed
	Token           string  `yaml:"hs_token"` // by which this server proves itself
	SenderLocalpart string  `yaml:"sender_localpart"`
	Namespaces      struct {
		Users   []Namespace `yaml:"users"`
		Aliases []Namespace `yaml:"aliases"`
		Rooms   []Namespace `yaml:"rooms"`
	} `yaml:"namespaces"`
}

// Namespace is a set of user IDs, aliases or room IDs.
type Namespace struct {
	Regex   string `yaml:"regex"`
	pattern *regexp.Regexp
}

// Load reads a registration file.
func Load(path string) (*Registration, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("an application service: %w", err)
	}
	r := &Registration{}
	if err := yaml.Unmarshal(text, r); err != nil {
		return nil, fmt.Errorf("the application service %s: %w", path, err)
	}
	if r.ID == "" || r.Token == "" || r.SenderLocalpart == "" {
		return nil, fmt.Errorf("the application service %s: id, hs_token or sender_localpart is missing", path)
	}
	if r.URL != nil && *r.URL == "" { // the specification has null alone, but nothing can be pushed to an empty URL
		r.URL = nil
	}
	if r.URL != nil {
		if at, err := url.Parse(*r.URL); err != nil || at.Scheme != "http" && at.Scheme != "https" || at.Host == "" {
			return nil, fmt.Errorf("the application service %s: the url %q is not an HTTP URL; write null if nothing is to be pushed", path, *r.URL)
		}
	}
	var problems []error
	for _, namespaces := range [][]Namespace{r.Namespaces.Users, r.Namespaces.Aliases, r.Namespaces.Rooms} {
		for i := range namespaces {
			namespaces[i].pattern, err = regexp.Compile("^(?:" + namespaces[i].Regex + ")")
			problems = append(problems, err)
		}
	}
	if err := errors.Join(problems...); err != nil {
		return nil, fmt.Errorf("the application service %s: %w", path, err)
	}
	return r, nil
}

// has reports whether one of the names is in one of the namespaces.
func has(namespaces []Namespace, names ...string) bool {
	return slices.ContainsFunc(namespaces, func(in Namespace) bool { return slices.ContainsFunc(names, in.pattern.MatchString) })
}
