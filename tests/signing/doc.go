// Package signing judges chapter signing: events are signed by their own sender key, and so no server's keys are needed to
// verify them.
package signing
