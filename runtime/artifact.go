package runtime

import (
	"reflect"
	"strings"
)

// ConfigurationLabel is the label of an image that says where, in its containers, the server's configuration is.
const ConfigurationLabel = "msc4014.configuration"

// Artifact is a candidate that is ready to start. The command line prepares it once and passes it to the suite's binary.
type Artifact struct {
	Candidate string `json:"candidate"` // as on the command line: "dendrite@0.13.8"
	Version   string `json:"version"`
	// Image and Digest are set for the docker runtime.
	Image  string `json:"image,omitempty"`
	Digest string `json:"digest,omitempty"`
	// Program is the entry point for the process runtime; it follows the same contract as the image's entry point, with
	// the contract's folders given in its environment (runtime/process).
	Program string `json:"program,omitempty"`
	// Configuration is the path, relative to the data folder, of the configuration that Program writes; "" if unknown.
	// Images give it in the label ConfigurationLabel.
	Configuration string `json:"configuration,omitempty"`
	// Environment holds variables, "NAME=value", for every server made from this artifact, in both runtimes. They select
	// among the ways in which one program can behave. Only the contract's own variables override them.
	Environment []string `json:"environment,omitempty"`
}

// Artifacts are what the servers of a run are made from: Main, except for the hosts in ByHost.
type Artifacts struct {
	Main   Artifact
	ByHost map[string]Artifact // "hs2": of another candidate
}

// For returns what the server at a host ("hs1") is made from.
func (a Artifacts) For(host string) Artifact {
	if other, named := a.ByHost[strings.ToLower(host)]; named {
		return other
	}
	return a.Main
}

// All returns Main, which no server may be using, and the artifacts of ByHost, in no particular order.
func (a Artifacts) All() []Artifact {
	all := []Artifact{a.Main}
	for _, other := range a.ByHost {
		all = append(all, other)
	}
	return all
}

// Mixed reports whether the two servers of a deployment, hs1 and hs2, are made from different artifacts.
func (a Artifacts) Mixed() bool { return !reflect.DeepEqual(a.For("hs1"), a.For("hs2")) }
