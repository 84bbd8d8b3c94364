package main

import (
	"bytes"
	"compress/gzip"
	"encoding/base32"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// Other conforming ways to serve the API.
var dialects = []variant{
	{"natural", nil, "UUIDs, refusals of http.Error, the decoder's stock behaviour", func(*service) {}},
	{"typed-uuids", nil, "reads ids as UUIDs in any textual form, and reports them in its own", typedUUIDs},
	{"refuses-what-it-does-not-know", nil, "415 for other media types, 400 for unknown members and text behind", strict},
	{"gzipped-deliveries", nil, "sends results gzipped", gzipped},
	{"half-a-second", nil, "429 with Retry-After: 0.5 above 12 requests in half a second", halfASecond},
	{"throttled-in-silence", nil, "429 without Retry-After above 25 requests in a second", silentlyThrottled},
	{"ulids", nil, "ULIDs, which are compared without case, as their specification has it", ulids},
	{"short-values", nil, "refuses values of more than 255 characters, and names of more than 64", shortValues},
	{"long-chunks", nil, "indented answers, flushed line by line: chunked; empty entries for what is not final", chunked},
	{"small-bodies", nil, "413 by Content-Length, above 32 KiB, without reading the body; 414 for a query", smallBodies},
	{"plain-pages", nil, "every refusal is a page of a gateway; connections close after each answer", gatewayPages},
}

var canonical = regexp.MustCompile(`^([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})$`)

func typedUUIDs(d *service) {
	d.key = func(id string) string {
		bare := strings.TrimPrefix(strings.ToLower(strings.TrimSpace(id)), "urn:uuid:")
		bare = strings.TrimSuffix(strings.TrimPrefix(bare, "{"), "}")
		parts := canonical.FindStringSubmatch(bare)
		if parts == nil {
			return ""
		}
		return strings.Join(parts[1:], "-")
	}
	d.entry = func(_ string, c *call) any {
		if c.state == "" {
			return nil
		}
		return reported{c.id, "", c.state}
	}
}

func strict(d *service) {
	d.admits = func(r *http.Request) (int, string) {
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		if r.Method == http.MethodPost && kind != "application/json" {
			return http.StatusUnsupportedMediaType, "Content-Type is not application/json"
		}
		return 0, ""
	}
	d.decode = func(r *http.Request, into any) error {
		decoder := json.NewDecoder(r.Body)
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(into); err != nil {
			return err
		}
		if decoder.Decode(&struct{}{}) != io.EOF {
			return errors.New("text behind the body")
		}
		return nil
	}
}

func gzipped(d *service) {
	natural := d.payload
	d.payload = func(c *call) ([]byte, map[string]string) {
		body, headers := natural(c)
		var packed bytes.Buffer
		writer := gzip.NewWriter(&packed)
		_, _ = writer.Write(body)
		_ = writer.Close()
		headers["Content-Encoding"] = "gzip"
		return packed.Bytes(), headers
	}
}

// throttle admits so many requests in each window, whatever their method.
func throttle(d *service, most int, window time.Duration, retryAfter string) {
	var mutex sync.Mutex
	var began time.Time
	admitted := 0
	refuse := d.refuse
	d.admits = func(*http.Request) (int, string) {
		mutex.Lock()
		defer mutex.Unlock()
		if now := time.Now(); now.Sub(began) > window {
			began, admitted = now, 0
		}
		if admitted++; admitted > most {
			return http.StatusTooManyRequests, "too many requests"
		}
		return 0, ""
	}
	d.refuse = func(w http.ResponseWriter, r *http.Request, status int, message string) {
		if status == http.StatusTooManyRequests && retryAfter != "" {
			w.Header().Set("Retry-After", retryAfter)
		}
		refuse(w, r, status, message)
	}
}

func halfASecond(d *service)       { throttle(d, 12, time.Second/2, "0.5") }
func silentlyThrottled(d *service) { throttle(d, 25, time.Second, "") }

func ulids(d *service) {
	alphabet := base32.NewEncoding("0123456789ABCDEFGHJKMNPQRSTVWXYZ").WithPadding(base32.NoPadding)
	d.newID = func() string {
		stamp := make([]byte, 10)
		for at, rest := 9, time.Now().UnixMilli(); at >= 0; at, rest = at-1, rest>>5 {
			stamp[at] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"[rest&31]
		}
		return string(stamp) + alphabet.EncodeToString(random(10))
	}
	d.key = strings.ToUpper
}

func shortValues(d *service) {
	d.objection = func(t *trigger) string {
		for _, p := range t.ScenarioInputParameters {
			if utf8.RuneCountInString(*p.Value) > 255 || utf8.RuneCountInString(p.Name) > 64 {
				return "a variable is too long"
			}
		}
		return ""
	}
}

func chunked(d *service) {
	d.entry = func(id string, c *call) any { return reported{id, "", c.state} }
	d.front = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(flushing{w}, r) })
	}
}

type flushing struct{ http.ResponseWriter }

func (f flushing) Write(text []byte) (int, error) {
	var indented bytes.Buffer
	if json.Indent(&indented, text, "", "  ") != nil {
		return f.ResponseWriter.Write(text)
	}
	for _, line := range bytes.SplitAfter(indented.Bytes(), []byte("\n")) {
		if _, err := f.ResponseWriter.Write(line); err != nil {
			return 0, err
		}
		f.ResponseWriter.(http.Flusher).Flush()
	}
	return len(text), nil
}

func smallBodies(d *service) {
	d.admits = func(r *http.Request) (int, string) {
		if r.ContentLength > 32<<10 {
			return http.StatusRequestEntityTooLarge, "request entity too large"
		}
		if r.URL.RawQuery != "" {
			return http.StatusRequestURITooLong, "request-URI too large"
		}
		return 0, ""
	}
}

func gatewayPages(d *service) {
	d.front = func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close")
			w.Header().Set("Server", "edge")
			next.ServeHTTP(w, r)
		})
	}
	d.refuse = func(w http.ResponseWriter, _ *http.Request, status int, _ string) {
		page := "<html><body><h1>" + strconv.Itoa(status) + " " + http.StatusText(status) + "</h1></body></html>\r\n"
		w.Header().Set("Content-Type", "text/html; charset=iso-8859-1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, page)
	}
}
