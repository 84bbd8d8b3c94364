package main

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"
)

// A call that was accepted. The state is empty until it is final.
type call struct {
	id          string
	number      string
	token       string
	destination string
	immediate   bool
	state       string
	final       time.Time
}

// service has the calls, and every decision that a dialect or a fault makes otherwise.
type service struct {
	settings
	mutex sync.Mutex
	calls map[string]*call
	order []*call

	front        func(http.Handler) http.Handler
	allows       func(*http.Request) bool
	admits       func(*http.Request) (int, string)
	refuse       func(http.ResponseWriter, *http.Request, int, string)
	bodyLimit    int64
	decode       func(*http.Request, any) error
	objection    func(*trigger) string
	tokenMatches func(given, real string) bool
	denied       func(http.ResponseWriter, *http.Request, *trigger) (goOn bool)
	newID        func() string
	key          func(id string) string
	lookUp       func(id string) *call
	stateOf      func(*call) string
	entry        func(id string, c *call) any
	results      func(entries []any) any
	unwrap       func(given []*string) (ids []string, complete bool)
	polled       func(ids []string)
	finish       func(*call)
	schedule     func(*call, *http.Request)
	send         func(*call, *http.Request) error
	payload      func(*call) (body []byte, headers map[string]string)
}

type reported struct {
	UniqueId      string
	CallRequestId string
	CallState     string
}

func newService(s settings) *service {
	d := &service{settings: s, calls: map[string]*call{}, bodyLimit: 4 << 20}
	d.front = func(next http.Handler) http.Handler { return next }
	d.allows = func(r *http.Request) bool { return r.Method == http.MethodPost }
	d.admits = func(*http.Request) (int, string) { return 0, "" }
	d.refuse = func(w http.ResponseWriter, _ *http.Request, status int, message string) {
		http.Error(w, message, status)
	}
	d.decode = func(r *http.Request, into any) error { return json.NewDecoder(r.Body).Decode(into) }
	d.objection = func(*trigger) string { return "" }
	d.tokenMatches = func(given, real string) bool { return given == real }
	d.denied = func(w http.ResponseWriter, r *http.Request, _ *trigger) bool {
		d.refuse(w, r, http.StatusUnauthorized, "access token and project do not match")
		return false
	}
	d.newID = uuid
	d.key = func(id string) string { return id }
	d.lookUp = func(id string) *call { return d.calls[d.key(id)] }
	d.stateOf = func(c *call) string { return c.state }
	d.entry = func(id string, c *call) any {
		if state := d.stateOf(c); state != "" {
			return reported{id, "", state}
		}
		return nil
	}
	d.results = func(entries []any) any { return map[string]any{"CallResults": entries} }
	d.unwrap = func(given []*string) ([]string, bool) {
		ids := make([]string, len(given))
		for at, id := range given {
			if id == nil {
				return nil, false
			}
			ids[at] = *id
		}
		return ids, true
	}
	d.polled = func([]string) {}
	d.finish = func(c *call) { c.state = d.Lines[c.number] }
	d.send = func(c *call, _ *http.Request) error { return d.post(c) }
	d.schedule = func(c *call, _ *http.Request) { go d.deliver(c) }
	d.payload = func(c *call) ([]byte, map[string]string) {
		body, _ := json.Marshal(reported{c.id, "", c.state})
		return body, map[string]string{"Content-Type": "application/json"}
	}
	return d
}

func (d *service) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/v2/call", d.serve(d.place))
	mux.HandleFunc("/v2/callresult", d.serve(d.poll))
	return mux
}

func (d *service) serve(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if status, message := d.admits(r); status != 0 {
			d.refuse(w, r, status, message)
			return
		}
		if !d.allows(r) {
			w.Header().Set("Allow", http.MethodPost)
			d.refuse(w, r, http.StatusMethodNotAllowed, "method not allowed")
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, d.bodyLimit)
		handler(w, r)
	}
}

func answer(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(value)
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func random(size int) []byte {
	bytes := make([]byte, size)
	if _, err := rand.Read(bytes); err != nil {
		panic(err)
	}
	return bytes
}

func uuid() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// logStranger makes a test fail that dialled anything but a line.
func (d *service) logStranger(number string) {
	if _, known := d.Lines[number]; !known && number != "" {
		fmt.Fprintf(os.Stderr, "STRANGER DIALLED %s\n", number)
	}
}
