package runtime

import (
	"reflect"
	"strings"
)

// ConfigurationLabel is the label of an image that says where, in its containers, the server's configuration stands.
const ConfigurationLabel = "msc4014.configuration"

// Artifact is a candidate made ready to start: what the command line prepares once and hands to the suite's binary.
type Artifact struct {
	Candidate string `json:"candidate"` // as on the command line: "dendrite@0.13.8"
	Version   string `json:"version"`
	// Image and Digest are set for the docker runtime.
	Image  string `json:"image,omitempty"`
	Digest string `json:"digest,omitempty"`
	// Program is the entry point of the process runtime; it keeps the same contract as the image's, with the folders
	// of the contract given in its environment (runtime/process).
	Program string `json:"program,omitempty"`
	// Configuration is the name, below the data folder, of the configuration that Program writes; "" if it is not known.
	// Images say it by the label ConfigurationLabel.
	Configuration string `json:"configuration,omitempty"`
	// Environment has variables, "NAME=value", for every server that is made of this, in both runtimes: what one program
	// serves in several ways is chosen by. Nothing but the contract's own variables overrides them.
	Environment []string `json:"environment,omitempty"`
}

// Artifacts are what the servers of a run are made of: each of Main, but for those at the hosts in ByHost.
type Artifacts struct {
	Main   Artifact
	ByHost map[string]Artifact // "hs2": of another candidate
}

// For is what the server at a host ("hs1") is made of.
func (a Artifacts) For(host string) Artifact {
	if other, named := a.ByHost[strings.ToLower(host)]; named {
		return other
	}
	return a.Main
}

// All are the artifacts in no order, those of hosts beside Main, which may be used by no server.
func (a Artifacts) All() []Artifact {
	all := []Artifact{a.Main}
	for _, other := range a.ByHost {
		all = append(all, other)
	}
	return all
}

// Mixed tells whether two servers of one deployment, hs1 and hs2, are made of different artifacts.
func (a Artifacts) Mixed() bool { return !reflect.DeepEqual(a.For("hs1"), a.For("hs2")) }
