// Package candidate turns a candidate's name on the command line into something that can be started: an image for the
// docker runtime, programs for the process runtime.
//
// Each folder of dockerfiles/ with a Dockerfile is a software. Its subfolders whose names begin with a digit, and the
// lines of its versions.txt, are its pinned versions; the newest is the default. A software with neither has one version,
// whatever its Dockerfile builds. A software is built:
//
//   - by its entry in the table in prepare.go, if it has one (dendrite, reference: static programs, built by Go);
//   - in a working tree of Dendrite, from what is there (tree.go);
//   - else from its Dockerfile with its folder as the context and VERSION as a build argument, in docker only.
//
// What was built is reused until one of its inputs changes: its name includes a hash of all of them.
// docs/adding-a-candidate.md has examples.
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

// imagePrefix begins the name of a candidate that is an arbitrary image.
const imagePrefix = "image:"

// Candidate is the software under test, one version of it.
type Candidate struct {
	// Name is as requested: "dendrite", "dendrite@0.13.8", "image:NAME:TAG", "dendrite:DIR" with the absolute path of DIR.
	Name string
	// Software is the folder in dockerfiles/, or "image".
	Software string
	// Version is the pinned version that Name selects; empty if the software has no pinned versions.
	Version string
	// Image is set if the candidate is an arbitrary image: its name, with a tag or digest.
	Image string
	// Tree is set if the candidate is a working tree of Dendrite: the absolute path of its root folder.
	Tree string
	// Arguments and Environment are how the reference deviates (With).
	Arguments   string
	Environment []string
	// Overlay holds files that replace those on disk when the reference is built, or are added: their contents, by slash-separated
	// path relative to the project's root. Each overlay gives its own program, cached like any other.
	Overlay map[string][]byte
	// BootstrapBase allows building a base image from Debian's packages if no registry answers. In CI this is always allowed.
	BootstrapBase bool
}

// FullName returns the name with its version, if there is one: "dendrite@0.15.2" for "dendrite".
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

// SafeName returns Name as a file name that is safe everywhere. Different names have different safe names.
func (c Candidate) SafeName() string { return safeName(c.Name) }

func safeName(name string) string {
	const longest = 118 // two such names, each with a hash, joined by a "+", still fit into a file name (255)
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

// Parse returns the candidate called name, in the project whose root folder is root. The error for an unknown name lists
// the known ones.
func Parse(root, name string) (Candidate, error) {
	if image, ok := strings.CutPrefix(name, imagePrefix); ok {
		return parseImage(name, image)
	}
	if dir, ok := strings.CutPrefix(name, treePrefix); ok {
		return parseTree(name, dir)
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
		return Candidate{}, fmt.Errorf("unknown candidate %q; use one of %s, dendrite:DIR for a working tree of Dendrite, or "+
			"image:NAME[:TAG] for any image that follows Complement's image contract", name, strings.Join(known, ", "))
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
		available := "it has no pinned versions"
		if len(versions) > 0 {
			available = "use one of " + strings.Join(versions, ", ")
		}
		return Candidate{}, fmt.Errorf("candidate %q: version %q of %s is not pinned; %s (docs/adding-a-candidate.md says "+
			"how to add one)", name, version, software, available)
	}
	return candidate, nil
}

// Named returns a candidate that has only the name that Parse would give it, whether or not Parse knows it.
func Named(name string) Candidate {
	if dir, ok := strings.CutPrefix(name, treePrefix); ok && dir != "" {
		if tree, err := filepath.Abs(dir); err == nil {
			name = treePrefix + tree
		}
	}
	return Candidate{Name: name}
}

func parseImage(name, image string) (Candidate, error) {
	parsed, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return Candidate{}, fmt.Errorf("candidate %q: %q is not the name of an image: %w; write image:NAME[:TAG]",
			name, image, err)
	}
	return Candidate{Name: name, Software: "image", Image: reference.FamiliarString(reference.TagNameOnly(parsed))}, nil
}

// List returns the names of all candidates: for each software its plain name, then its versions, the default one first.
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

// suiteFolder is the folder in dockerfiles/ of the image of the suite itself.
const suiteFolder = "suite"

// softwareNames returns the folders of dockerfiles/ that have a Dockerfile, except those of real clients and of the suite.
func softwareNames(root string) ([]string, error) {
	dir := filepath.Join(root, "dockerfiles")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("cannot list the candidates: %w; is %s the project's root folder?", err, root)
	}
	var names []string
	for _, entry := range entries {
		name := entry.Name()
		if _, err := os.Stat(filepath.Join(dir, name, "Dockerfile")); err == nil && name != clients && name != suiteFolder {
			names = append(names, name)
		}
	}
	return names, nil
}
