// Package candidate goes from a candidate's name on the command line to something that can be started: an image for the
// docker runtime, programs for the process runtime.
//
// What there is, is data. Each folder of dockerfiles/ with a Dockerfile is a software; its folders whose names begin
// with a digit, and the lines of its file versions.txt, are its pinned versions, the newest of which is meant when none
// is named. A software with neither has one version, whatever its Dockerfile makes. How a software is built:
//
//   - by the entry in the table of prepare.go, where it has one (dendrite, reference: static programs, built by Go);
//   - else from its Dockerfile with its folder as the context and VERSION as a build argument, in docker only.
//
// What was built is used again until something that it is made from changes: its name carries a hash of all of it.
// docs/adding-a-candidate.md tells it with examples.
package candidate

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/distribution/reference"
)

// imagePrefix begins the name of a candidate that is any image.
const imagePrefix = "image:"

// Candidate is the software under test, one version of it.
type Candidate struct {
	// Name is what was asked for: "dendrite", "dendrite@0.13.8", "image:NAME:TAG".
	Name string
	// Software is the folder in dockerfiles/, or "image".
	Software string
	// Version is the pinned version that Name stands for; empty if the software has no pinned versions.
	Version string
	// Image is set if the candidate is any image: its name, with a tag or digest.
	Image string
	// Arguments and Environment are how the reference deviates (With).
	Arguments   string
	Environment []string
	// Overlay are files that the reference is built with in place of those on disk, their contents by their slash-separated
	// paths below the project's root. Each overlay makes another program, which is kept like others.
	Overlay map[string][]byte
	// BootstrapBase allows to make a base image from Debian's packages where no registry answers. In CI it is always allowed.
	BootstrapBase bool
}

// FullName names the version, too, where there is one: "dendrite@0.15.2" for "dendrite".
func (c Candidate) FullName() string {
	if c.Version == "" || c.Image != "" {
		return c.Name
	}
	full := c.Software + "@" + c.Version
	if c.Arguments != "" {
		full += " " + c.Arguments
	}
	return full
}

// SafeName is Name, spelled so that it is a safe file name everywhere. Different names have different safe names.
func (c Candidate) SafeName() string { return safeName(c.Name) }

func safeName(name string) string {
	const longest = 118 // of two such names, with a hash each, a + between them makes one still (255)
	safe := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.', r == '-', r == '_', r == '@':
			return r
		}
		return '_'
	}, name)
	if len(safe) > longest {
		safe = safe[:longest]
	}
	if strings.HasPrefix(safe, ".") {
		safe = "_" + safe[1:]
	}
	if safe == name {
		return safe
	}
	sum := sha256.Sum256([]byte(name))
	return safe + "-" + hex.EncodeToString(sum[:4])
}

// Parse finds the candidate that name stands for, in the project whose root folder is root. The error for a name that
// stands for none says which there are.
func Parse(root, name string) (Candidate, error) {
	if image, ok := strings.CutPrefix(name, imagePrefix); ok {
		return parseImage(name, image)
	}
	software, version, pinned := strings.Cut(name, "@")
	all, err := softwareNames(root)
	if err != nil {
		return Candidate{}, err
	}
	if !slices.Contains(all, software) {
		known, err := List(root)
		if err != nil {
			return Candidate{}, err
		}
		return Candidate{}, fmt.Errorf("there is no candidate %q; there are %s, and image:NAME[:TAG] for any image that "+
			"keeps Complement's image contract", name, strings.Join(known, ", "))
	}
	versions, err := versionsOf(root, software)
	if err != nil {
		return Candidate{}, err
	}
	candidate := Candidate{Name: name, Software: software, Version: version}
	switch {
	case !pinned && len(versions) > 0:
		candidate.Version = versions[0]
	case pinned && !slices.Contains(versions, version):
		there := "it has no pinned versions"
		if len(versions) > 0 {
			there = "there are " + strings.Join(versions, ", ")
		}
		return Candidate{}, fmt.Errorf("candidate %q: no version %q of %s is pinned; %s (docs/adding-a-candidate.md tells "+
			"how to add one)", name, version, software, there)
	}
	return candidate, nil
}

func parseImage(name, image string) (Candidate, error) {
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return Candidate{}, fmt.Errorf("candidate %q: %q is not the name of an image: %w; write image:NAME[:TAG]",
			name, image, err)
	}
	return Candidate{Name: name, Software: "image", Image: reference.FamiliarString(reference.TagNameOnly(parsed))}, nil
}

// List names every candidate that there is, each software with the version that is meant when none is named first.
func List(root string) ([]string, error) {
	all, err := softwareNames(root)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, software := range all {
		names = append(names, software)
		versions, err := versionsOf(root, software)
		if err != nil {
			return nil, err
		}
		for _, version := range versions {
			names = append(names, software+"@"+version)
		}
	}
	return names, nil
}

// softwareNames are the folders of dockerfiles/ with a Dockerfile.
func softwareNames(root string) ([]string, error) {
	dir := filepath.Join(root, "dockerfiles")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot find the candidates, is %s the project's root folder? %w", root, err)
	}
	var names []string
	for _, entry := range entries {
		if _, err := os.Stat(filepath.Join(dir, entry.Name(), "Dockerfile")); err == nil {
			names = append(names, entry.Name())
		}
	}
	return names, nil
}
