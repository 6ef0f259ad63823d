package csapi

import "github.com/tidwall/gjson"

// Events returns what was seen so far, oldest first. An event can stand there twice: as state and in the timeline.
func (t *Timeline) Events() []gjson.Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]gjson.Result(nil), t.events...)
}
