package readiness

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These tests use the fake clock of testing/synctest.

func TestAwaitKeepsTheBoundThatItReports(t *testing.T) {
	late := &Problem{"did not accept federation connections on port 8448", "connection refused"}
	hanging := func(ctx context.Context) error {
		<-ctx.Done()
		return &Problem{What: "did not answer"}
	}
	for name, each := range map[string]struct {
		bound Bound
		ask   func(context.Context) error
		want  string
	}{
		"refused": {Bound{Limit: 30 * time.Second}, func(context.Context) error { return late },
			"did not accept federation connections on port 8448 within 30s: connection refused"},
		"hanging": {Bound{Limit: 30 * time.Second}, hanging, "did not answer within 30s"},
		"lengthened": {Bound{99 * time.Second, "30s, and 1m9s more because this machine is busy"}, hanging,
			"did not answer within 1m39s (30s, and 1m9s more because this machine is busy)"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				err := Await(t.Context(), each.bound, nil, each.ask)
				assert.Equal(t, each.bound.Limit, time.Since(began))
				var tooLate *LateError
				require.ErrorAs(t, err, &tooLate)
				assert.EqualError(t, err, each.want)
			})
		})
	}
}

func TestTheLastProblemBeforeTheDeadlineIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		err := Await(t.Context(), Bound{Limit: time.Second}, nil, func(ctx context.Context) error {
			if asked++; asked == 1 {
				return &Problem{What: "answered 503"}
			}
			<-ctx.Done()
			return &Problem{What: "did not answer"}
		})
		assert.EqualError(t, err, "answered 503 within 1s")
	})
}

func TestReadyAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		opens := time.Now().Add(15 * time.Second)
		err := Await(t.Context(), Bound{Limit: DefaultTimeout}, nil, func(context.Context) error {
			if time.Now().Before(opens) {
				return &Problem{What: "not yet"}
			}
			return nil
		})
		require.NoError(t, err)
		assert.Less(t, time.Since(opens), pollInterval)
	})
}

func TestAwaitEndsImmediately(t *testing.T) {
	fault := errors.New("the engine is gone")
	hang := func(ctx context.Context) error {
		<-ctx.Done()
		return &Problem{What: "did not answer"}
	}
	for name, each := range map[string]struct {
		ask  func(context.Context) error
		want error
	}{
		"with the server":      {hang, ErrEnded},
		"with its context":     {hang, context.Canceled},
		"by a fault elsewhere": {func(context.Context) error { return fault }, fault},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ended := make(chan struct{})
				began := time.Now()
				switch each.want {
				case ErrEnded:
					time.AfterFunc(time.Second, func() { close(ended) })
				case context.Canceled:
					time.AfterFunc(time.Second, cancel)
				}
				assert.ErrorIs(t, Await(ctx, Bound{Limit: time.Hour}, ended, each.ask), each.want)
				assert.LessOrEqual(t, time.Since(began), time.Second)
			})
		})
	}
}
