// Package mapping judges chapter mapping: where member events carry mxid_mapping and what is in it, and that a mapping is
// honoured only if the server of the user signed it for this very key.
package mapping
