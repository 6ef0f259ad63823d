package delivery

import (
	"fmt"
	"strconv"

	"msc4014/helpers/hostile"
)

// Use is what honest servers and clients do by a path. What worked before an attack must work after it.
type Use struct {
	Name string
	Try  func(a *Attack) error
}

// LearnUses returns those uses of a path that work. If none of several does, an attack may reach nothing, and the check is inconclusive.
func (a *Attack) LearnUses(uses []Use) []Use {
	a.Uses = nil
	for _, use := range uses {
		if err := use.Try(a); err != nil {
			a.C.NotJudged(use.Name, "it does not work before hostile input: %v", err)
			continue
		}
		a.Uses = append(a.Uses, use)
	}
	if len(uses) > 0 && len(a.Uses) == 0 {
		a.C.Inconclusive("nothing worked of what hostile input is sent to, before it was")
	}
	return a.Uses
}

// StillWorks returns an error if a use does not work any more.
func (a *Attack) StillWorks() error {
	for _, use := range a.Uses {
		if err := use.Try(a); err != nil {
			return fmt.Errorf("%s, which worked before: %w", use.Name, err)
		}
	}
	return nil
}

// Write returns the document of an input, about Carol in the attacked room. The given placeholders come first. No sender key of the
// server is among the others: what clients are shown of them is not a finding.
func (a *Attack) Write(input hostile.Input, placeholders ...string) []byte {
	return input.Document().Write(input, append(placeholders, a.placeholders()...)...)
}

func (a *Attack) placeholders() []string {
	create, _ := a.Room.StateEvent("m.room.create", "")
	key := string(a.Carol.KeyIn(a.Room.ID()).Public)
	return []string{
		"{peer}", a.Origin.Name(), "{server}", a.ServerName(1), "{room}", a.Room.ID(), "{event}", create.ID(), "{user}", a.Carol.ID(),
		"{key}", key, "{own key}", key, "{own}", a.Alice.UserID, "{device}", a.Alice.DeviceID, "{number}", a.number(),
	}
}

// number returns another number each time.
func (a *Attack) number() string {
	a.numbers++
	return strconv.Itoa(a.numbers)
}
