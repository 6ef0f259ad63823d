// From Debian's packages to a root file system: debootstrap, in namespaces of its own.

package debianbase

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	keyringPath    = "/usr/share/keyrings/debian-archive-keyring.gpg"
	installTimeout = 5 * time.Minute
)

// canBootstrap says why this machine cannot make a root file system, if so.
func canBootstrap() error {
	if os.Geteuid() != 0 {
		return errors.New("debootstrap needs root: run this once as root, or load the image from a machine that has it (docker save, docker load)")
	}
	return nil
}

// needDebootstrap sees to it that debootstrap is there, with Debian's keyring and what checks signatures.
func needDebootstrap(ctx context.Context, progress func(string)) (keyring string, err error) {
	missing := missingPackages()
	if len(missing) == 0 {
		return keyringPath, nil
	}
	if _, err := lookPath("apt-get"); err != nil {
		return "", fmt.Errorf("debootstrap needs %s: install them", strings.Join(missing, ", "))
	}
	progress("installing " + strings.Join(missing, ", "))
	install := append([]string{"-o", "DPkg::Lock::Timeout=60", "install", "-y", "--no-install-recommends"}, missing...)
	err = aptGet(ctx, install...)
	if err != nil { // as a rule for want of package lists, or for old ones
		err = aptGet(ctx, "-o", "Acquire::Check-Valid-Until=false", "update")
		if err == nil {
			err = aptGet(ctx, install...)
		}
	}
	if err == nil && len(missingPackages()) > 0 {
		err = fmt.Errorf("%s: still missing", strings.Join(missingPackages(), ", "))
	}
	if err != nil {
		return "", fmt.Errorf("install %s, which debootstrap needs: %w", strings.Join(missing, ", "), err)
	}
	return keyringPath, nil
}

func missingPackages() (missing []string) {
	for _, program := range []string{"debootstrap", "gpgv"} {
		if _, err := lookPath(program); err != nil {
			missing = append(missing, program)
		}
	}
	if _, err := os.Stat(keyringPath); err != nil {
		missing = append(missing, "debian-archive-keyring")
	}
	return missing
}

// lookPath looks for a program where root finds it, whatever PATH says.
func lookPath(program string) (string, error) {
	if path, err := exec.LookPath(program); err == nil {
		return path, nil
	}
	return exec.LookPath(filepath.Join("/usr/sbin", program))
}

// aptGet runs apt-get to its end: interrupted, it would leave the machine's own packages half installed. So it has a
// process group of its own, which Ctrl-C does not reach, and a deadline in place of ctx.
func aptGet(ctx context.Context, arguments ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), installTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, "apt-get", arguments...)
	command.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := command.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", strings.Join(command.Args, " "), err, lastLines(string(out), 5))
	}
	return nil
}

// debootstrap makes a minimal system in root, which must not exist. Signatures are always checked.
func debootstrap(ctx context.Context, suite, root, keyring string, progress func(string)) error {
	program, err := lookPath("debootstrap")
	if err != nil {
		return err
	}
	mirror := Mirror(ctx)
	progress("debootstrap of " + suite + " from " + mirror)
	arguments := []string{program, "--variant=minbase", "--force-check-gpg", "--keyring=" + keyring, suite, root, mirror}
	environment := append(os.Environ(), "LC_ALL=C", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
	if proxy := Proxy(ctx); proxy != "" {
		environment = append(environment, "http_proxy="+proxy)
	}
	if err := os.MkdirAll(root, 0o755); err != nil {
		return fmt.Errorf("make the folder for debootstrap: %w", err)
	}
	out, err := runIsolated(ctx, root, arguments, environment)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("%s: %w; its last lines:\n%s", strings.Join(arguments, " "), err, lastLines(out, 15))
	}
	return nil
}

// runIsolated runs arguments in a process and a mount namespace of its own: when it is killed, or this process is,
// every process in it ends and every mount goes, so that nothing is left but files. In folder, devices and programs
// work even where its file system says no. Where namespaces are not allowed (containers), it runs without.
func runIsolated(ctx context.Context, folder string, arguments, environment []string) (out string, err error) {
	const allow = `mount --bind "$0" "$0" && mount -o remount,bind,exec,dev,suid "$0" || echo "W: $0 stays as it is mounted"
exec "$@"`
	isolated := append([]string{"/bin/sh", "-c", allow, folder}, arguments...)
	out, err = run(ctx, isolated, environment, &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWPID, Unshareflags: syscall.CLONE_NEWNS, Pdeathsig: syscall.SIGKILL,
	})
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOSYS) || errors.Is(err, syscall.EINVAL) {
		return run(ctx, arguments, environment, &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL})
	}
	return out, err
}

// run runs arguments to the end and returns their output.
func run(ctx context.Context, arguments, environment []string, attributes *syscall.SysProcAttr) (out string, err error) {
	// The kernel sends Pdeathsig when the thread that started the process ends, so that thread is kept.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	command := exec.CommandContext(ctx, arguments[0], arguments[1:]...)
	command.Env = environment
	command.SysProcAttr = attributes
	command.WaitDelay = 5 * time.Second
	if attributes.Setpgid {
		command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	}
	output, err := command.CombinedOutput()
	return string(output), err
}
