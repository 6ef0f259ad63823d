// Package eventformat judges chapter event-format: events as a federated peer receives them. A peer collects the events of one
// room once on a deployment (scenes.CollectWire), and each check judges them. The judges take collected events alone, so that
// each is tested with events that break what it judges.
package eventformat
