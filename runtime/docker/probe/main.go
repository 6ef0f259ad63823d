// A program for a container of its own: it connects to the address that it is given, and tells how that went. Its exit
// status is 0 if it could connect, 1 if not. The docker runtime builds it from this file alone (reach.go).
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	connection, err := net.DialTimeout("tcp", os.Args[1], 10*time.Second)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	_ = connection.Close()
	fmt.Println("connected to", connection.RemoteAddr())
}
