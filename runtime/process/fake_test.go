package process

import (
	"context"
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"msc4014/runtime"
	"msc4014/runtime/authority"
)

// playVariable says what the test binary plays: a candidate, or a suite that is killed.
const playVariable = "MSC4014_TEST_PLAY"

func TestMain(m *testing.M) {
	switch play := os.Getenv(playVariable); play {
	case "":
		os.Exit(runTests(m))
	case "suite":
		playSuite()
	default:
		playServer(play)
	}
}

// testDir is the folder for what tests share.
var testDir string

func runTests(m *testing.M) int {
	var err error
	if testDir, err = os.MkdirTemp("", "msc4014-process-test-"); err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(testDir) }()
	return m.Run()
}

// lateAnswer is the number of the response to /versions after which a server that plays "late" opens its federation port.
const lateAnswer = 5

// playServer is a candidate: "ready" (and counts its starts in its data), or one with a fault.
func playServer(play string) {
	fmt.Println("server", os.Getenv("SERVER_NAME"), "plays", play)
	switch play {
	case "exit":
		fmt.Println("cannot open the database")
		os.Exit(3)
	case "silent":
		select {}
	case "deaf":
		signal.Ignore(unix.SIGTERM)
	case "child", "stray":
		child := exec.Command("sleep", "1000")
		child.SysProcAttr = &unix.SysProcAttr{Setsid: play == "stray"} // leaves the group that ends with the server
		if err := child.Start(); err != nil {
			panic(err)
		}
		fmt.Println("child", child.Process.Pid)
	}
	file, err := os.OpenFile("starts", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(file, "start")
	certificate, err := playedCertificate()
	if err != nil {
		panic(err)
	}
	federate := sync.OnceFunc(func() {
		federation := http.Server{
			Addr: os.Getenv("MSC4014_HTTPS_ADDRESS"), TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}},
		}
		go func() { panic(federation.ListenAndServeTLS("", "")) }()
	})
	if play != "late" && play != "clients only" {
		federate()
	}
	var answers atomic.Int32
	mux := http.NewServeMux()
	mux.HandleFunc("/_matrix/client/versions", func(w http.ResponseWriter, r *http.Request) {
		switch play {
		case "unready":
			http.Error(w, "not yet", http.StatusServiceUnavailable)
		case "hanging":
			<-r.Context().Done()
		case "redirecting":
			http.Redirect(w, r, os.Getenv("REDIRECT"), http.StatusFound)
		default:
			fmt.Fprint(w, `{"versions":["v1.11"]}`)
			if play == "late" && answers.Add(1) == lateAnswer {
				federate()
			}
		}
	})
	mux.HandleFunc("/die", func(http.ResponseWriter, *http.Request) {
		fmt.Println("dying")
		os.Exit(7)
	})
	panic(http.ListenAndServe(os.Getenv("MSC4014_HTTP_ADDRESS"), mux))
}

func playedCertificate() (tls.Certificate, error) {
	ca, err := authority.Load(os.Getenv("MSC4014_CA_DIR"))
	if err != nil {
		return tls.Certificate{}, err
	}
	return ca.Issue(os.Getenv("SERVER_NAME"))
}

// playSuite starts a server, prints its process ID, and waits to be killed.
func playSuite() {
	dir := os.Getenv("MSC4014_TEST_DIR")
	ca, err := authority.New(filepath.Join(dir, "ca"))
	if err != nil {
		panic(err)
	}
	r, err := New(runtime.Artifact{Candidate: "fake", Program: os.Args[0]}, Options{
		SessionDir: dir, Authority: ca, Environment: []string{playVariable + "=ready"},
	})
	if err != nil {
		panic(err)
	}
	started, err := r.Start(context.Background(), runtime.ServerOptions{Deployment: "d1", Host: "hs1"})
	if err != nil {
		panic(err)
	}
	fmt.Println(started.(*server).life().command.Process.Pid)
	select {}
}
