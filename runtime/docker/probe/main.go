// Probe connects to the address in its argument, and prints the result. Its exit status is 0 if it could connect, else 1. With the
// argument "hold" it does nothing until it is ended.
// The docker runtime builds it from this file alone, and runs it in a container (reach.go).
package main

import (
	"fmt"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if os.Args[1] == "hold" {
		ended := make(chan os.Signal, 1)
		signal.Notify(ended, syscall.SIGTERM)
		<-ended
		return
	}
	connection, err := net.DialTimeout("tcp", os.Args[1], 10*time.Second)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	_ = connection.Close()
	fmt.Println("connected to", connection.RemoteAddr())
}
