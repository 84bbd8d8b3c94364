package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Faults that Go programs have.
var faults = []variant{
	{"racy-counter", []string{"ACK-03", "STA-03"}, "takes ids from a counter without a lock", racyCounter},
	{"nil-end-user", []string{"REQ-03"}, "dereferences EndUser, which may be absent; the panic drops the connection", nilEndUser},
	{"index-out-of-range", []string{"ROB-01"}, "reads the first id of an empty list; the panic becomes a 500", indexOutOfRange},
	{"equal-fold-token", []string{"REQ-15"}, "compares tokens with strings.EqualFold", equalFold},
	{"token-with-prefix", []string{"REQ-15"}, "accepts a token that begins with the right one", prefixToken},
	{"no-return-after-error", []string{"REQ-16", "REQ-15"}, "writes 401 for a wrong token, and goes on", goesOn},
	{"omitempty", []string{"RES-03"}, "leaves out an empty CallRequestId", omitEmpty},
	{"nil-slice", []string{"RES-02"}, "answers null for a slice that was never made", nilSlice},
	{"prefix-scan", []string{"RES-06"}, "scans for keys that begin with the id, as etcd does", prefixScan},
	{"loop-variable", []string{"DST-02", "DST-06"}, "goroutines share a loop variable: of results due together, the last is sent for each", loopVariable},
	{"request-context", []string{"DST-01", "DST-02"}, "delivers with the context of the request, which ends with its answer", requestContext},
	{"unbuffered-channel", []string{"ROB-03", "DST-07"}, "one goroutine delivers, and triggers wait for it", unbuffered},
	{"bytes-for-characters", []string{"REQ-08"}, "counts bytes where it limits characters", bytesForCharacters},
	{"form-value", []string{"TRN-03"}, "answers GET /v2/callresult?UniqueIds=", formValue},
	{"echoes-the-request", []string{"ROB-04"}, "prints the trigger with %+v in its refusals", echoes},
	{"stack-in-the-answer", []string{"ROB-05"}, "writes the stack in its refusals", stackPage},
	{"evicts", []string{"STA-04"}, "forgets a call half a second after it became final", evicts},
	{"state-before-final", []string{"STA-05"}, "reports the zero value of its enumeration, Answered, while the call rings", early},
	{"delivers-at-once", []string{"DST-03", "DST-08"}, "delivers before the call is final", deliversAtOnce},
	{"zero-value-state", []string{"STA-01", "STA-03"}, "formats a state that its table lacks with %v of its number", zeroState},
	{"map-order", []string{"RES-04"}, "reports at most 8 calls of a poll, in the order of a map", mapOrder},
	{"null-is-zero", []string{"RES-08"}, "reads null among the ids as an empty string, as the decoder does", nullIsZero},
	{"integer-ids", []string{"ROB-01", "RES-07"}, "panics when an id is not a number, 500", integerIDs},
}

func racyCounter(d *service) {
	next := 100000
	d.newID = func() string {
		mine := next
		time.Sleep(20 * time.Millisecond)
		next = mine + 1
		return fmt.Sprintf("%x-%d", random(2)[:0], mine)
	}
}

func nilEndUser(d *service) {
	d.objection = func(t *trigger) string {
		if strings.ContainsRune(t.EndUser.Phone, '\n') {
			return "EndUser.Phone has a line break"
		}
		return ""
	}
}

// recovers answers 500 where a handler panicked.
func recovers(d *service) {
	d.front = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			defer func() {
				if recover() != nil {
					http.Error(w, "internal server error", http.StatusInternalServerError)
				}
			}()
			next.ServeHTTP(w, r)
		})
	}
}

func indexOutOfRange(d *service) {
	recovers(d)
	d.polled = func(ids []string) { _ = ids[0] }
}

func equalFold(d *service)   { d.tokenMatches = strings.EqualFold }
func prefixToken(d *service) { d.tokenMatches = strings.HasPrefix }

func goesOn(d *service) {
	d.denied = func(w http.ResponseWriter, r *http.Request, t *trigger) bool {
		w.WriteHeader(http.StatusUnauthorized)
		return true
	}
}

func omitEmpty(d *service) {
	d.entry = func(id string, c *call) any {
		if c.state == "" {
			return nil
		}
		return struct {
			UniqueId      string
			CallRequestId string `json:",omitempty"`
			CallState     string
		}{id, "", c.state}
	}
}

func nilSlice(d *service) {
	d.results = func(entries []any) any {
		var found []any
		return map[string]any{"CallResults": append(found, entries...)}
	}
}

func prefixScan(d *service) {
	d.lookUp = func(id string) *call {
		for _, c := range d.order {
			if id != "" && strings.HasPrefix(c.id, id) {
				return c
			}
		}
		return nil
	}
}

func loopVariable(d *service) {
	var mutex sync.Mutex
	var due []*call
	flush := func() {
		mutex.Lock()
		batch := due
		due = nil
		mutex.Unlock()
		var group sync.WaitGroup
		for _, c := range batch {
			group.Add(1)
			go func() {
				defer group.Done()
				_ = d.post(c)
			}()
		}
		group.Wait()
	}
	d.schedule = func(c *call, _ *http.Request) {
		go func() {
			if c.immediate {
				d.deliver(c)
				return
			}
			d.wait(c)
			mutex.Lock()
			due = append(due, c)
			mutex.Unlock()
		}()
	}
	go func() {
		for range time.Tick(seconds(d.QueuedSeconds)) {
			flush()
		}
	}()
}

func requestContext(d *service) {
	d.schedule = func(c *call, r *http.Request) {
		go func() {
			d.wait(c)
			request, err := http.NewRequestWithContext(r.Context(), http.MethodPost, c.destination, strings.NewReader(c.id))
			if err == nil {
				_ = do(request, nil)
			}
		}()
	}
}

func unbuffered(d *service) {
	queue := make(chan *call)
	go func() {
		for c := range queue {
			d.wait(c)
			_ = d.post(c)
		}
	}()
	d.schedule = func(c *call, _ *http.Request) { queue <- c }
}

func bytesForCharacters(d *service) {
	d.objection = func(t *trigger) string {
		for _, p := range t.ScenarioInputParameters {
			if len(*p.Value) > 255 {
				return "a value has more than 255 characters"
			}
		}
		return ""
	}
}

func formValue(d *service) {
	natural := d.decode
	d.allows = func(r *http.Request) bool {
		return r.Method == http.MethodPost || r.URL.Query().Has("UniqueIds")
	}
	d.decode = func(r *http.Request, into any) error {
		if r.Method == http.MethodPost {
			return natural(r, into)
		}
		text, _ := json.Marshal(map[string][]string{"UniqueIds": r.URL.Query()["UniqueIds"]})
		return json.Unmarshal(text, into)
	}
}

func echoes(d *service) {
	d.denied = func(w http.ResponseWriter, r *http.Request, t *trigger) bool {
		d.refuse(w, r, http.StatusUnauthorized, fmt.Sprintf("not authorised: %+v", *t))
		return false
	}
}

func stackPage(d *service) {
	d.refuse = func(w http.ResponseWriter, _ *http.Request, status int, message string) {
		http.Error(w, message+"\n"+string(debug.Stack()), status)
	}
}

func evicts(d *service) {
	natural := d.finish
	d.finish = func(c *call) {
		natural(c)
		time.AfterFunc(time.Second/2, func() {
			d.mutex.Lock()
			defer d.mutex.Unlock()
			delete(d.calls, c.id)
		})
	}
}

func early(d *service) {
	d.stateOf = func(c *call) string {
		if c.state == "" {
			return state(0).String()
		}
		return c.state
	}
}

func deliversAtOnce(d *service) {
	d.schedule = func(c *call, _ *http.Request) { go func() { _ = d.post(c) }() }
}

type state int

func (s state) String() string {
	names := [...]string{"Answered", "Busy", "Error", "Invalid Number", "No Answer", "Rejected"}
	if int(s) < len(names) {
		return names[s]
	}
	return "state(" + strconv.Itoa(int(s)) + ")"
}

func zeroState(d *service) {
	d.finish = func(c *call) {
		for number := state(0); ; number++ {
			if number > 5 || number.String() == d.Lines[c.number] {
				c.state = number.String()
				return
			}
		}
	}
}

func mapOrder(d *service) {
	d.results = func(entries []any) any {
		shuffled := map[int]any{}
		for at, entry := range entries {
			shuffled[at] = entry
		}
		some := []any{}
		for _, entry := range shuffled {
			if len(some) < 8 {
				some = append(some, entry)
			}
		}
		return map[string]any{"CallResults": some}
	}
}

func integerIDs(d *service) {
	recovers(d)
	last := time.Now().UnixNano()
	d.newID = func() string {
		d.mutex.Lock()
		defer d.mutex.Unlock()
		last += 1 + int64(random(1)[0])<<20
		return strconv.FormatInt(last, 10)
	}
	d.polled = func(ids []string) {
		for _, id := range ids {
			if _, err := strconv.ParseInt(id, 10, 64); err != nil {
				panic(err)
			}
		}
	}
}

func nullIsZero(d *service) {
	d.unwrap = func(given []*string) ([]string, bool) {
		ids := make([]string, len(given))
		for at, id := range given {
			if id != nil {
				ids[at] = *id
			}
		}
		return ids, true
	}
}
