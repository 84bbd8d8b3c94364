// A deployment with net/http and encoding/json as they come. This file: the command line, start and end.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
)

type settings struct {
	Project         string            `json:"project"`
	Tenant          string            `json:"tenant"`
	AccessToken     string            `json:"access_token"`
	Lines           map[string]string `json:"lines"`
	RingSeconds     float64           `json:"ring_seconds"`
	DeliverySeconds float64           `json:"delivery_seconds"`
	QueuedSeconds   float64           `json:"queued_delivery_seconds"`
}

type listed struct {
	Name    string   `json:"name"`
	Clauses []string `json:"clauses,omitempty"`
	Summary string   `json:"summary"`
}

func listing(variants []variant) []listed {
	entries := []listed{}
	for _, v := range variants {
		entries = append(entries, listed{v.name, v.clauses, v.summary})
	}
	return entries
}

func pick(variants []variant, name string) func(*service) {
	for _, v := range variants {
		if v.name == name {
			return v.change
		}
	}
	log.Fatalf("there is no %q; see --list", name)
	return nil
}

func main() {
	log.SetFlags(0)
	path := flag.String("settings", "", "settings file")
	dialect := flag.String("dialect", "natural", "another conforming way")
	fault := flag.String("fault", "", "a fault")
	list := flag.Bool("list", false, "print dialects and faults")
	flag.Parse()
	if *list {
		out := map[string][]listed{"dialects": listing(dialects), "faults": listing(faults)}
		_ = json.NewEncoder(os.Stdout).Encode(out)
		return
	}
	text, err := os.ReadFile(*path)
	if err != nil {
		log.Fatal(err)
	}
	var s settings
	if err := json.Unmarshal(text, &s); err != nil {
		log.Fatal(err)
	}
	service := newService(s)
	pick(dialects, *dialect)(service)
	if *fault != "" {
		pick(faults, *fault)(service)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	go func() { log.Fatal(http.Serve(listener, service.front(service.routes()))) }()
	_, _ = io.Copy(io.Discard, os.Stdin)
}
