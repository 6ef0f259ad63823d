// Package complement reads the environment variables of Complement (github.com/matrix-org/complement, ENVIRONMENT.md).
// They have the same meaning as in Complement, so that a homeserver's existing Complement job runs this suite unchanged.
package complement

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

const baseImagePrefix = "COMPLEMENT_BASE_IMAGE_"

// Hosts are the servers of this suite's deployments; Complement's blueprints may have more.
var Hosts = []string{"hs1", "hs2"}

// Used are the variables that have an effect here.
var Used = []string{
	"COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS", "COMPLEMENT_BASE_IMAGE", "COMPLEMENT_BASE_IMAGE_HS1", "COMPLEMENT_BASE_IMAGE_HS2",
	"COMPLEMENT_CONTAINER_CPU_CORES", "COMPLEMENT_CONTAINER_MEMORY", "COMPLEMENT_DEBUG", "COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT",
	"COMPLEMENT_HOST_MOUNTS", "COMPLEMENT_POST_TEST_SCRIPT", "COMPLEMENT_SHARE_ENV_PREFIX", "COMPLEMENT_SPAWN_HS_TIMEOUT_SECS",
	"COMPLEMENT_VERSION_CHECK_ITERATIONS",
}

// Unused are the variables that have an effect in Complement, or in the scripts with which homeservers run it, but not here.
var Unused = []string{
	"COMPLEMENT_DIR", "COMPLEMENT_ENABLE_DIRTY_RUNS", "COMPLEMENT_KEEP_BLUEPRINTS", "COMPLEMENT_LINT_CONCURRENCY", "COMPLEMENT_REF",
}

// Options are the settings that the variables hold.
type Options struct {
	// BaseImage is the image of the homeserver under test (COMPLEMENT_BASE_IMAGE).
	BaseImage string
	// BaseImages are images for particular servers of a blueprint, by host: one of Hosts (COMPLEMENT_BASE_IMAGE_*).
	BaseImages map[string]string
	// SpawnTimeout is how long a server may take to become ready; 0 if not set (COMPLEMENT_SPAWN_HS_TIMEOUT_SECS).
	SpawnTimeout time.Duration
	// Hostname is the name of the test process from inside a container (COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT).
	Hostname string
	// Environment holds variables for every server, "NAME=value": those of the host that begin with the prefix in
	// COMPLEMENT_SHARE_ENV_PREFIX, with the prefix removed. Values may be secrets.
	Environment []string
	// AlwaysPrintLogs prints servers' logs on success, too (COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS).
	AlwaysPrintLogs bool
	// Debug prints requests and responses, and keeps the evidence of checks that passed, too (COMPLEMENT_DEBUG).
	Debug bool
	// HostMounts are folders of the host to mount in every container (COMPLEMENT_HOST_MOUNTS).
	HostMounts []HostMount
	// PostTestScript is called before a container is removed, with the container ID, the test name and whether the test
	// failed: "true" or "false" (COMPLEMENT_POST_TEST_SCRIPT).
	PostTestScript string
	// CPUs limits the cores of a container; 0 means no limit (COMPLEMENT_CONTAINER_CPU_CORES).
	CPUs float64
	// Memory limits the memory of a container, in bytes; 0 means no limit (COMPLEMENT_CONTAINER_MEMORY).
	Memory int64
	// Notices warn the user, one line each, of values that Complement also accepts but ignores.
	Notices []string
}

// HostMount is a folder of the host that is mounted in every container.
type HostMount struct {
	HostPath      string
	ContainerPath string
	ReadOnly      bool
}

// FromEnvironment reads the variables in environment, which has the form of os.Environ. Its error names every variable
// that has a bad value, and says what is allowed.
func FromEnvironment(environment []string) (Options, error) {
	values := map[string]string{}
	options := Options{BaseImages: map[string]string{}}
	var problems []error
	setBy := map[string]string{} // the variable for each host: Complement ignores the case of the host
	for _, variable := range environment {
		name, value, found := strings.Cut(variable, "=")
		if !found {
			continue
		}
		values[name] = value
		if host, isBase := BaseImageHost(name); isBase && value != "" && slices.Contains(Hosts, host) {
			if other, set := setBy[host]; set && options.BaseImages[host] != value {
				problems = append(problems, fmt.Errorf("%s=%q and %s=%q set different images for the server %s: unset one",
					other, options.BaseImages[host], name, value, host))
			}
			options.BaseImages[host], setBy[host] = value, name
		}
	}
	bad := func(name string, err error) {
		if err != nil {
			problems = append(problems, fmt.Errorf("%s=%q: %w", name, values[name], err))
		}
	}
	notice := func(format string, arguments ...any) {
		options.Notices = append(options.Notices, fmt.Sprintf(format, arguments...))
	}
	flag := func(name string) bool {
		switch values[name] {
		case "1":
			return true
		case "", "0":
		default:
			notice("%s=%q is ignored, as in Complement: only 1 turns it on", name, values[name])
		}
		return false
	}

	options.BaseImage = values["COMPLEMENT_BASE_IMAGE"]
	options.Hostname = values["COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT"]
	options.PostTestScript = values["COMPLEMENT_POST_TEST_SCRIPT"]
	options.AlwaysPrintLogs = flag("COMPLEMENT_ALWAYS_PRINT_SERVER_LOGS")
	options.Debug = flag("COMPLEMENT_DEBUG")
	var err error
	if text := values["COMPLEMENT_SPAWN_HS_TIMEOUT_SECS"]; text != "" {
		options.SpawnTimeout, err = parseSeconds(text)
		bad("COMPLEMENT_SPAWN_HS_TIMEOUT_SECS", err)
	}
	if text := values["COMPLEMENT_VERSION_CHECK_ITERATIONS"]; text != "" {
		options.SpawnTimeout, err = parseIterations(text)
		bad("COMPLEMENT_VERSION_CHECK_ITERATIONS", err)
		notice("COMPLEMENT_VERSION_CHECK_ITERATIONS is deprecated, use COMPLEMENT_SPAWN_HS_TIMEOUT_SECS; while set, it takes "+
			"precedence: a server may take %s to start", options.SpawnTimeout)
	}
	if text := values["COMPLEMENT_CONTAINER_CPU_CORES"]; text != "" {
		options.CPUs, err = parseCPUs(text)
		bad("COMPLEMENT_CONTAINER_CPU_CORES", err)
	}
	options.Memory, err = parseBytes(values["COMPLEMENT_CONTAINER_MEMORY"])
	bad("COMPLEMENT_CONTAINER_MEMORY", err)
	options.HostMounts, err = parseHostMounts(values["COMPLEMENT_HOST_MOUNTS"], notice)
	bad("COMPLEMENT_HOST_MOUNTS", err)
	if prefix := values["COMPLEMENT_SHARE_ENV_PREFIX"]; prefix != "" {
		for name, value := range values {
			if shared, isShared := strings.CutPrefix(name, prefix); isShared && shared != "" {
				options.Environment = append(options.Environment, shared+"="+value)
			}
		}
		sort.Strings(options.Environment)
	}
	return options, errors.Join(problems...)
}

// BaseImageHost returns the host, in lower case, that a variable COMPLEMENT_BASE_IMAGE_* names.
func BaseImageHost(name string) (host string, isBaseImage bool) {
	host, isBaseImage = strings.CutPrefix(name, baseImagePrefix)
	return strings.ToLower(host), isBaseImage && host != ""
}

// baseImageVariable returns the name of the variable that selects the image of a host.
func baseImageVariable(host string) string { return baseImagePrefix + strings.ToUpper(host) }

// Shaping returns the names of the variables that are set and affect how a container is created.
func (o Options) Shaping() []string {
	return slices.DeleteFunc(o.ContainersOnly(), func(name string) bool {
		return name != "COMPLEMENT_HOST_MOUNTS" && !strings.HasPrefix(name, "COMPLEMENT_CONTAINER_")
	})
}

// ContainersOnly returns the names of the variables that are set and have no effect without containers.
func (o Options) ContainersOnly() []string {
	var names []string
	for _, host := range slices.Sorted(maps.Keys(o.BaseImages)) {
		names = append(names, baseImageVariable(host))
	}
	for _, variable := range []struct {
		name string
		set  bool
	}{
		{"COMPLEMENT_CONTAINER_CPU_CORES", o.CPUs > 0},
		{"COMPLEMENT_CONTAINER_MEMORY", o.Memory > 0},
		{"COMPLEMENT_HOST_MOUNTS", len(o.HostMounts) > 0},
		{"COMPLEMENT_HOSTNAME_RUNNING_COMPLEMENT", o.Hostname != ""},
		{"COMPLEMENT_POST_TEST_SCRIPT", o.PostTestScript != ""},
	} {
		if variable.set {
			names = append(names, variable.name)
		}
	}
	return names
}

func parseSeconds(text string) (time.Duration, error) {
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 1 || seconds > 24*60*60 {
		return 0, errors.New("must be a whole number of seconds, 1 to 86400")
	}
	return time.Duration(seconds) * time.Second, nil
}

// parseIterations parses how often, at intervals of 50 ms, a server is checked before Complement gives up.
func parseIterations(text string) (time.Duration, error) {
	iterations, err := strconv.Atoi(text)
	if err != nil || iterations < 1 || iterations > 20*24*60*60 {
		return 0, errors.New("must be a whole number of 50 ms, 1 to 1728000")
	}
	return time.Duration(iterations) * 50 * time.Millisecond, nil
}

func parseCPUs(text string) (float64, error) {
	cpus, err := strconv.ParseFloat(text, 64)
	if err != nil || !(cpus >= 0 && cpus <= 4096) { // written so that NaN is refused, too
		return 0, errors.New("must be a number of cores, such as 0.5 or 2, or 0 for no limit")
	}
	return cpus, nil
}

// byteUnits are Complement's, longest first; K, M and G are Docker's and binary.
var byteUnits = []struct {
	suffix string
	bytes  int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40}, {"pib", 1 << 50},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"pb", 1e15},
	{"k", 1 << 10}, {"m", 1 << 20}, {"g", 1 << 30}, {"b", 1}, {"", 1},
}

func parseBytes(text string) (int64, error) {
	normal := strings.ToLower(strings.TrimSpace(text))
	if normal == "" {
		return 0, nil
	}
	for _, unit := range byteUnits {
		digits, found := strings.CutSuffix(normal, unit.suffix)
		if !found {
			continue
		}
		number, err := strconv.ParseInt(strings.TrimSpace(digits), 10, 64)
		if err != nil || number < 0 || number > (1<<62)/unit.bytes {
			break
		}
		return number * unit.bytes, nil
	}
	return 0, errors.New("must be a whole number of bytes, optionally with a unit, such as 512MB or 2GiB, or 0 for no limit")
}

func parseHostMounts(text string, notice func(string, ...any)) ([]HostMount, error) {
	var mounts []HostMount
	for _, one := range strings.Split(text, ";") {
		if strings.TrimSpace(one) == "" {
			continue
		}
		parts := strings.Split(one, ":")
		if len(parts) < 2 || len(parts) > 3 || parts[0] == "" || parts[1] == "" {
			return nil, fmt.Errorf("the mount %q must be HOST-PATH:CONTAINER-PATH or HOST-PATH:CONTAINER-PATH:ro", one)
		}
		if !filepath.IsAbs(parts[0]) || !filepath.IsAbs(parts[1]) {
			return nil, fmt.Errorf("the paths of the mount %q must be absolute", one)
		}
		mount := HostMount{HostPath: parts[0], ContainerPath: parts[1]}
		if len(parts) == 3 {
			switch parts[2] {
			case "ro", "readonly":
				mount.ReadOnly = true
			case "", "rw", "z", "Z": // z and Z request SELinux labels, which such mounts do not get
			default:
				notice("COMPLEMENT_HOST_MOUNTS: the option %[2]q of the mount %[1]q is ignored, as in Complement: use ro or nothing", one, parts[2])
			}
		}
		mounts = append(mounts, mount)
	}
	return mounts, nil
}
