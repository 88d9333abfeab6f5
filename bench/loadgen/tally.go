package main

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"
)

// window is the time that counts. What is done from `opened` to `start` warms up the server.
type window struct{ opened, start, end time.Time }

func newWindow(warmup, seconds float64) window {
	opened := time.Now()
	start := opened.Add(duration(warmup))
	return window{opened, start, start.Add(duration(seconds))}
}

func duration(seconds float64) time.Duration { return time.Duration(seconds * float64(time.Second)) }

func (w window) holds(moment time.Time) bool { return !moment.Before(w.start) && moment.Before(w.end) }

// record is what one client did: how long each piece of work took that was done inside the window, or after its end.
type record struct {
	window window
	inside []time.Duration
	late   []time.Duration
	last   time.Time
}

func (r *record) add(began time.Time) {
	done := time.Now()
	if r.window.holds(done) {
		r.inside = append(r.inside, done.Sub(began))
	} else if !done.Before(r.window.end) {
		r.late, r.last = append(r.late, done.Sub(began)), done
	}
}

// together joins the records of all clients and returns over how many seconds they count. Where a server is so slow that
// nothing was done inside the window, what was done late counts, over the whole time that it took.
func together(records []*record) (samples []time.Duration, seconds float64) {
	var late []time.Duration
	var last time.Time
	for _, r := range records {
		samples, late = append(samples, r.inside...), append(late, r.late...)
		if r.last.After(last) {
			last = r.last
		}
	}
	window := records[0].window
	if len(samples) == 0 && len(late) > 0 {
		return late, last.Sub(window.opened).Seconds()
	}
	return samples, window.end.Sub(window.start).Seconds()
}

// latencies are in milliseconds.
type latencies struct {
	Count  int     `json:"count"`
	Median float64 `json:"p50"`
	P90    float64 `json:"p90"`
	P99    float64 `json:"p99"`
	Worst  float64 `json:"worst"`
}

func summarize(samples []time.Duration) latencies {
	slices.Sort(samples)
	at := func(share float64) float64 {
		if len(samples) == 0 {
			return 0
		}
		return float64(samples[int(share*float64(len(samples)-1))]) / float64(time.Millisecond)
	}
	return latencies{len(samples), at(0.5), at(0.9), at(0.99), at(1)}
}

// failures counts what went wrong, by kind, and keeps the first message of each.
type failures struct {
	lock     sync.Mutex
	Counts   map[string]int    `json:"counts"`
	Messages map[string]string `json:"messages"`
}

func newFailures() *failures {
	return &failures{Counts: map[string]int{}, Messages: map[string]string{}}
}

// refusal is an answer with another status than the one that was needed.
type refusal struct {
	step    string
	status  int
	excerpt string
}

func (r refusal) Error() string { return fmt.Sprintf("%s: status %d %s", r.step, r.status, r.excerpt) }

func (f *failures) add(err error) {
	kind := "connection"
	var refused refusal
	if errors.As(err, &refused) {
		kind = fmt.Sprint(refused.status)
	}
	f.lock.Lock()
	defer f.lock.Unlock()
	f.Counts[kind]++
	if f.Counts[kind] == 1 {
		f.Messages[kind] = err.Error()
	}
}
