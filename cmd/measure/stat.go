package main

// The CPU times of the whole machine, from /proc/stat.

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of /proc/stat, the same on every architecture that Go supports.
const tick = time.Second / 100

// times are the CPU times of all processors together since the machine started.
type times struct {
	busy  time.Duration // user and system, interrupts included
	idle  time.Duration // waiting for disks included
	steal time.Duration // taken by other virtual machines
}

// readTimes reads the machine's current CPU times.
func readTimes() (times, error) {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return times{}, err
	}
	return parseTimes(string(data))
}

// parseTimes reads the first line of /proc/stat: "cpu", then ticks spent in user, nice, system, idle, iowait, irq, softirq,
// steal, guest and guest_nice. The first two include the last two.
func parseTimes(text string) (times, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return times{}, fmt.Errorf("/proc/stat begins with %q, not with the times of all processors", line)
	}
	var spent [8]time.Duration
	for i := range spent {
		ticks, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return times{}, fmt.Errorf("/proc/stat: %w", err)
		}
		spent[i] = time.Duration(ticks) * tick
	}
	const user, nice, system, idle, iowait, irq, softirq, steal = 0, 1, 2, 3, 4, 5, 6, 7
	return times{
		busy: spent[user] + spent[nice] + spent[system] + spent[irq] + spent[softirq],
		idle: spent[idle] + spent[iowait], steal: spent[steal],
	}, nil
}

// since returns the times spent since earlier.
func (t times) since(earlier times) times {
	return times{busy: t.busy - earlier.busy, idle: t.idle - earlier.idle, steal: t.steal - earlier.steal}
}

// part returns of as a percentage of all times.
func (t times) part(of time.Duration) float64 {
	if all := t.busy + t.idle + t.steal; all > 0 {
		return 100 * float64(of) / float64(all)
	}
	return 0
}
