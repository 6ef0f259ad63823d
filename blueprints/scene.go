package blueprints

import "sync"

// scene is something that is prepared once on a deployment, and only looked at afterwards.
type scene struct {
	once  sync.Once
	value any
	err   error
}

// Scene returns what prepare made when it was called for this name first, on this deployment. Checks that share a
// scene only look at it: it must not change after it was prepared.
func Scene[T any](d *Deployment, name string, prepare func() (T, error)) (T, error) {
	d.scenesMu.Lock()
	found := d.scenes[name]
	if found == nil {
		found = &scene{}
		d.scenes[name] = found
	}
	d.scenesMu.Unlock()
	found.once.Do(func() { found.value, found.err = prepare() })
	if found.err != nil {
		var none T
		return none, found.err
	}
	return found.value.(T), nil
}
