package main

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// A server that fails this often in a row on one connection is not worth the rest of the time.
const mostFailures = 50

type requestsOrder struct {
	Address     string    `json:"address"`
	Connections int       `json:"connections"`
	Warmup      float64   `json:"warmup"`
	Seconds     float64   `json:"seconds"`
	Requests    []request `json:"requests"`
}

type request struct {
	Method  string            `json:"method"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
}

type requestsResult struct {
	Requests int       `json:"requests"`
	Bytes    int64     `json:"bytes"` // of bodies
	Seconds  float64   `json:"seconds"`
	Latency  latencies `json:"latency"`
	Failures *failures `json:"failures"`
}

// render writes the request as it goes over the wire.
func (r request) render(address string) []byte {
	var text strings.Builder
	fmt.Fprintf(&text, "%s %s HTTP/1.1\r\nHost: %s\r\n", r.Method, r.Path, address)
	for name, value := range r.Headers {
		fmt.Fprintf(&text, "%s: %s\r\n", name, value)
	}
	text.WriteString("\r\n")
	return []byte(text.String())
}

// repeater sends its requests in turn on one connection, each when the one before is answered.
type repeater struct {
	*connection
	record
	methods  []string
	rendered [][]byte
	next     int
	failures *failures
	bytes    int64
}

func measureRequests(order requestsOrder) (requestsResult, error) {
	repeaters := make([]*repeater, order.Connections)
	result := requestsResult{Failures: newFailures()}
	for i := range repeaters {
		connection, err := dial(order.Address)
		if err != nil {
			return result, err
		}
		repeaters[i] = &repeater{connection: connection, next: i, failures: result.Failures}
		for _, request := range order.Requests {
			repeaters[i].methods = append(repeaters[i].methods, request.Method)
			repeaters[i].rendered = append(repeaters[i].rendered, request.render(order.Address))
		}
	}
	var working sync.WaitGroup
	during := newWindow(order.Warmup, order.Seconds)
	for _, r := range repeaters {
		r.window = during
		r.giveUp = during.end.Add(patience)
		working.Add(1)
		go func() { defer working.Done(); r.run() }()
	}
	working.Wait()
	var records []*record
	for _, r := range repeaters {
		records = append(records, &r.record)
		result.Bytes += r.bytes
	}
	samples, seconds := together(records)
	result.Requests, result.Seconds, result.Latency = len(samples), seconds, summarize(samples)
	return result, nil
}

func (r *repeater) run() {
	defer r.close()
	inARow := 0
	for inARow < mostFailures {
		began := time.Now()
		if !began.Before(r.window.end) {
			return
		}
		err := r.once(began)
		switch {
		case errors.Is(err, errStopped):
			return
		case err != nil:
			inARow++
			r.failures.add(err)
			if r.reopen() != nil {
				return
			}
		default:
			inARow = 0
		}
	}
}

func (r *repeater) once(began time.Time) error {
	i := r.next % len(r.rendered)
	r.next++
	if err := r.send(r.rendered[i]); err != nil {
		return err
	}
	got, err := r.receive(r.methods[i])
	if err != nil {
		return err
	}
	if got.status >= 300 {
		return refusal{r.methods[i], got.status, r.excerpt(got)}
	}
	if err := r.drain(got, r.arrived); err != nil {
		return err
	}
	r.add(began)
	if got.closing {
		return r.reopen()
	}
	return nil
}

// arrived counts bytes that come inside the window, so that a long body cut by its end counts for what came. A client
// that has nothing to show by then reads on.
func (r *repeater) arrived(bytes int64) bool {
	now := time.Now()
	if r.window.holds(now) {
		r.bytes += bytes
	}
	return now.Before(r.window.end) || r.bytes == 0
}
