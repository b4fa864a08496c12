// Copyright The tokenrequest-operator Authors
// SPDX-License-Identifier: Apache-2.0

// Command reader reads a token without end, and answers GET /report with what it read.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"time"

	"tokenrequest.dev/operator/test/e2e/reading"
)

// pause is short beside the time in which kubelet swaps files, so that none goes by unread.
const pause = 5 * time.Millisecond

func main() {
	listen := flag.String("listen", ":8080", "TCP `address` to serve the report on")
	volume := flag.String("volume", "/token", "`directory` where the Secret is mounted")
	variable := flag.String("variable", "", "environment `variable` to read in place of the volume")
	flag.Parse()
	source := reading.Volume(*volume)
	if *variable != "" {
		source = reading.Variable(*variable)
	}
	var book reading.Book
	go func() {
		for range time.Tick(pause) {
			book.Read(source, time.Now)
		}
	}()
	http.HandleFunc("GET /report", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(book.Report())
	})
	fmt.Fprintln(os.Stderr, "reader:", http.ListenAndServe(*listen, nil))
	os.Exit(1)
}
