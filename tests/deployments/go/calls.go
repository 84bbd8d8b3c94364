package main

import (
	"bytes"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

type parameter struct {
	Name  string
	Value *string
}

type trigger struct {
	Project         string
	Tenant          string
	ConversationId  string
	AccessToken     string
	ScenarioPath    string
	OrchestratorUrl string
	EndUser         *struct {
		Name  string
		Phone string
		Email string
	}
	Locale                  string
	ScenarioInputParameters []parameter
	ResultDestination       string
	SendResultImmediately   bool
}

func (t *trigger) input(name string) string {
	value := ""
	for _, p := range t.ScenarioInputParameters {
		if p.Name == name && p.Value != nil {
			value = *p.Value
		}
	}
	return value
}

func (t *trigger) missing() string {
	required := []struct{ name, value string }{
		{"Project", t.Project},
		{"Tenant", t.Tenant},
		{"ConversationId", t.ConversationId},
		{"AccessToken", t.AccessToken},
		{"ScenarioPath", t.ScenarioPath},
		{"OrchestratorUrl", t.OrchestratorUrl},
		{"_DisplayNumber", t.input("_DisplayNumber")},
		{"_Destination", t.input("_Destination")},
	}
	for _, field := range required {
		if field.value == "" {
			return field.name + " is required"
		}
	}
	for _, p := range t.ScenarioInputParameters {
		if p.Name == "" || p.Value == nil {
			return "each input needs a Name and a Value"
		}
	}
	return ""
}

// place answers a trigger.
func (d *service) place(w http.ResponseWriter, r *http.Request) {
	var t trigger
	if err := d.decode(r, &t); err != nil {
		d.refuse(w, r, http.StatusBadRequest, "the body is not a trigger")
		return
	}
	number := t.input("_Destination")
	d.logStranger(number)
	if message := t.missing(); message != "" {
		d.refuse(w, r, http.StatusBadRequest, message)
		return
	}
	if message := d.objection(&t); message != "" {
		d.refuse(w, r, http.StatusUnprocessableEntity, message)
		return
	}
	authorised := t.Project == d.Project && d.tokenMatches(t.AccessToken, d.AccessToken)
	if !authorised && !d.denied(w, r, &t) {
		return
	}
	if _, known := d.Lines[number]; !known {
		d.refuse(w, r, http.StatusUnprocessableEntity, "the number is not served")
		return
	}
	if u, err := url.Parse(t.ResultDestination); err != nil || (t.ResultDestination != "" && u.Host == "") {
		d.refuse(w, r, http.StatusUnprocessableEntity, "ResultDestination is not a URL")
		return
	}
	c := &call{
		id: d.newID(), number: number, token: t.AccessToken,
		destination: t.ResultDestination, immediate: t.SendResultImmediately,
	}
	c.final = time.Now().Add(seconds(d.RingSeconds))
	d.mutex.Lock()
	d.calls[d.key(c.id)] = c
	d.order = append(d.order, c)
	d.mutex.Unlock()
	time.AfterFunc(time.Until(c.final), func() {
		d.mutex.Lock()
		defer d.mutex.Unlock()
		d.finish(c)
	})
	if c.destination != "" {
		d.schedule(c, r)
	}
	answer(w, map[string]string{"UniqueId": c.id})
}

// poll answers with the results of the calls that it names.
func (d *service) poll(w http.ResponseWriter, r *http.Request) {
	var asked struct{ UniqueIds []*string }
	err := d.decode(r, &asked)
	ids, complete := d.unwrap(asked.UniqueIds)
	if err != nil || asked.UniqueIds == nil || !complete {
		d.refuse(w, r, http.StatusBadRequest, "UniqueIds must be a list of strings")
		return
	}
	d.polled(ids)
	d.mutex.Lock()
	defer d.mutex.Unlock()
	entries := []any{}
	for _, id := range ids {
		if c := d.lookUp(id); c != nil {
			if entry := d.entry(id, c); entry != nil {
				entries = append(entries, entry)
			}
		}
	}
	answer(w, d.results(entries))
}

// deliver waits until the result is due, and sends it; it tries again until it arrives.
func (d *service) deliver(c *call) {
	d.wait(c)
	for _, pause := range []time.Duration{200, 400, 800, 1600, 0} {
		if d.send(c, nil) == nil {
			return
		}
		time.Sleep(pause * time.Millisecond)
	}
}

func (d *service) wait(c *call) {
	after := d.QueuedSeconds
	if c.immediate {
		after = d.DeliverySeconds
	}
	time.Sleep(time.Until(c.final.Add(seconds(after))))
}

func (d *service) post(c *call) error {
	d.mutex.Lock()
	body, headers := d.payload(c)
	d.mutex.Unlock()
	request, err := http.NewRequest(http.MethodPost, c.destination, bytes.NewReader(body))
	if err != nil {
		return err
	}
	return do(request, headers)
}

func do(request *http.Request, headers map[string]string) error {
	for name, value := range headers {
		request.Header.Set(name, value)
	}
	client := http.Client{Timeout: 5 * time.Second}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode >= 500 {
		return fmt.Errorf("answered %d", response.StatusCode)
	}
	return nil
}
