// Package resilience judges chapter resilience: rooms outlive restarts and partitions, many joins at once end as each alone
// would, and nothing that the suite does brings a server down.
package resilience
