package docker

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"msc4014/runtime"
	"msc4014/runtime/authority"
	"msc4014/runtime/docker/engine"
	"msc4014/runtime/session"
)

// The test runs this binary again, with the image in this variable, as a run that can be killed.
const imageVariable = "MSC4014_TEST_HOLDER_IMAGE"

// hold sets up a run step by step, prints each step before it takes it, and never returns.
func hold() {
	must := func(err error) {
		if err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
	}
	fmt.Println("opening")
	run, err := session.Open()
	must(err)
	fmt.Println("making", run.ID)
	issuer, err := authority.New(run.Dir)
	must(err)
	made, err := New(context.Background(), runtime.Artifact{Image: os.Getenv(imageVariable)}, Options{Session: run, Authority: issuer})
	must(err)
	fmt.Println("starting")
	_, err = made.Start(context.Background(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
	must(err)
	fmt.Println("ready")
	<-time.After(10 * time.Minute)
	os.Exit(1)
}

func TestAKilledRunLeavesNothing(t *testing.T) {
	live := newRuntime(t, Options{})
	server := start(t, live, "d1", "hs1")
	cli := connect(t)

	for _, last := range []string{"opening", "making", "starting", "ready"} {
		t.Run("killed while "+last, func(t *testing.T) {
			holder := exec.Command(os.Args[0])
			holder.Env = append(os.Environ(), imageVariable+"="+live.artifacts.Main.Image)
			output, err := holder.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, holder.Start())
			id := ""
			for lines := bufio.NewScanner(output); lines.Scan(); {
				step, rest, _ := strings.Cut(lines.Text(), " ")
				require.NotEqual(t, "error:", step, rest)
				if rest != "" {
					id = rest
				}
				if step == last {
					break
				}
			}
			require.NoError(t, holder.Process.Kill())
			_ = holder.Wait()

			require.NoError(t, session.CleanDead(t.Context(), func(line string) { t.Log(line) }))
			_, err = ask(t, server, "/environment")
			require.NoError(t, err, "the live run")
			if id == "" {
				return
			}
			left, err := engine.List(t.Context(), cli, session.LabelRun+"="+id)
			require.NoError(t, err)
			assert.Empty(t, left)
		})
	}
}
