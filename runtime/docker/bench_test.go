package docker

import (
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"msc4014/runtime"
	"msc4014/runtime/authority"
	"msc4014/runtime/session"
)

// BenchmarkStart measures how long a server takes to become ready, when new and after a stop, with the image in
// COMPLEMENT_BASE_IMAGE:
//
//	COMPLEMENT_BASE_IMAGE=IMAGE go test ./runtime/docker -run '^$' -bench Start -benchtime 10x
func BenchmarkStart(b *testing.B) {
	reference := os.Getenv("COMPLEMENT_BASE_IMAGE")
	if reference == "" {
		b.Skip("COMPLEMENT_BASE_IMAGE names no image")
	}
	b.Setenv("MSC4014_STATE_DIR", b.TempDir())
	run, err := session.Open()
	require.NoError(b, err)
	defer func() { require.NoError(b, run.Close()) }()
	issuer, err := authority.New(b.TempDir())
	require.NoError(b, err)
	made, err := New(b.Context(), runtime.Artifact{Candidate: reference, Image: reference},
		Options{Session: run, Authority: issuer, Warn: func(line string) { b.Log(line) }})
	require.NoError(b, err)
	defer func() { require.NoError(b, made.Close(b.Context())) }()

	var first, again []time.Duration
	for b.Loop() {
		began := time.Now()
		server, err := made.Start(b.Context(), runtime.ServerOptions{Deployment: "d" + strconv.Itoa(len(first)), Host: "hs1"})
		require.NoError(b, err)
		first = append(first, time.Since(began))
		require.NoError(b, server.Stop(b.Context()))
		began = time.Now()
		require.NoError(b, server.Start(b.Context()))
		again = append(again, time.Since(began))
		require.NoError(b, server.Remove(b.Context()))
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(median(first), "ms-first-start")
	b.ReportMetric(median(again), "ms-next-start")
	b.Log("first starts:", first)
	b.Log("next starts:", again)
}

func median(durations []time.Duration) float64 {
	sorted := slices.Sorted(slices.Values(durations))
	return float64(sorted[len(sorted)/2].Microseconds()) / 1000
}
