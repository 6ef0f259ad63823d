//go:build !linux

// Elsewhere than on Linux there is no debootstrap.

package debianbase

import (
	"context"
	"errors"
)

func canBootstrap() error {
	return errors.New("debootstrap runs on Linux only: load the image from a machine that has it (docker save, docker load)")
}

func needDebootstrap(context.Context, func(string)) (string, error) { return "", canBootstrap() }

func debootstrap(context.Context, string, string, string, func(string)) error { return canBootstrap() }
