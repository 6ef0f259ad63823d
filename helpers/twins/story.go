package twins

// Telling a difference.

import (
	"fmt"
	"strings"
)

// Story tells a difference in a few lines: the shortest session that shows it, what each room has, and where else.
func (f *Found) Story() string {
	var text strings.Builder
	fmt.Fprintf(&text, "%s\n", f.Name())
	for _, step := range f.Shortest.Steps {
		fmt.Fprintf(&text, "  %d. %s\n", step.ID, step)
	}
	who := names[f.User]
	fmt.Fprintf(&text, "  ordinary room:  %s gets %s\n", who, f.Ordinary)
	fmt.Fprintf(&text, "  pseudo-ID room: %s gets %s", who, f.Pseudo)
	if others := len(f.Names) - 1; others > 0 {
		fmt.Fprintf(&text, "\n  in %d more places: %s", others, strings.Join(f.Names[1:min(len(f.Names), mostPlaces+1)], "; "))
	}
	return text.String()
}

// mostPlaces bounds how many other places a story lists.
const mostPlaces = 3
