// Package failure makes the failures of builds.
package failure

import (
	"errors"
	"fmt"
	"syscall"

	"github.com/slipwayhq/slipway"
)

// New is a final failure of a build.
func New(step, code, format string, args ...any) *slipway.Failure {
	return &slipway.Failure{Phase: slipway.PhaseBuild, Step: step, Code: code, Message: fmt.Sprintf(format, args...)}
}

// WithHint adds what to do about it.
func WithHint(f *slipway.Failure, format string, args ...any) *slipway.Failure {
	f.Hint = fmt.Sprintf(format, args...)
	return f
}

// During makes a final failure of an error that trying again would not cure and
// that nobody has explained yet: a full disk. Every other error stays as it is.
func During(step string, err error) error {
	if _, known := errors.AsType[*slipway.Failure](err); known || !full(err) {
		return err
	}
	return WithHint(New(step, "disk_full", "The disk is full: %v", err),
		"Free some space below the data folder and deploy again.")
}

func full(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}
