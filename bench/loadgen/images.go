package main

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// A counted order may take this long.
const longest = time.Hour

// imagesOrder either has Count, the number of images to push, or Seconds. Each client works in its own repository.
type imagesOrder struct {
	Address string         `json:"address"`
	Clients []clientsOrder `json:"clients"`
	Layers  []int64        `json:"layers"` // sizes in bytes
	Count   int64          `json:"count"`
	Warmup  float64        `json:"warmup"`
	Seconds float64        `json:"seconds"`
	Rate    float64        `json:"rate"` // images started a second by all clients together; 0: as many as they can
	// A client pulls Pulls times, then pushes once; 0: it only pushes.
	Pulls int `json:"pulls"`
}

type clientsOrder struct {
	Repository    string   `json:"repository"`
	Authorization string   `json:"authorization"`
	Pull          []string `json:"pull"` // paths: the manifest and the blobs of the image to pull
}

type imagesResult struct {
	Pushes   int       `json:"pushes"`
	Pulls    int       `json:"pulls"`
	Bytes    int64     `json:"bytes"` // of all images pushed, outside of the window too
	Seconds  float64   `json:"seconds"`
	Push     latencies `json:"push"`
	Pull     latencies `json:"pull"`
	Failures *failures `json:"failures"`
	// One of the images pushed, for whoever wants to read it back.
	Manifest string   `json:"manifest"`
	Blobs    []string `json:"blobs"`
}

// workload is what the clients share.
type workload struct {
	order    imagesOrder
	first    int64
	end      time.Time
	started  atomic.Int64
	prepared []image
	tick     <-chan time.Time
	failures *failures
}

func measureImages(order imagesOrder) (imagesResult, error) {
	// Numbers from the clock: no image of this run is like one of an earlier run.
	w := &workload{order: order, first: time.Now().UnixMicro() << 4, failures: newFailures()}
	if order.Rate > 0 {
		ticker := time.NewTicker(duration(1 / order.Rate))
		defer ticker.Stop()
		w.tick = ticker.C
	}
	clients := make([]*client, len(order.Clients))
	for i, its := range order.Clients {
		connection, err := dial(order.Address)
		if err != nil {
			return imagesResult{}, err
		}
		clients[i] = &client{connection: connection, workload: w, its: its, space: make([]byte, blockSize)}
	}
	w.prepare(clients[0].space)
	during := newWindow(order.Warmup, order.Seconds)
	if order.Count > 0 {
		during.end = during.start.Add(longest)
	}
	w.end = during.end
	var working sync.WaitGroup
	for _, c := range clients {
		c.pushes.window, c.pulls.window = during, during
		c.giveUp = during.end.Add(patience)
		working.Add(1)
		go func() { defer working.Done(); c.run() }()
	}
	working.Wait()
	return w.sum(clients, time.Since(during.start)), nil
}

// prepare makes the images of a counted order ahead, so that hashing large ones is not measured.
func (w *workload) prepare(space []byte) {
	for i := range w.order.Count {
		w.prepared = append(w.prepared, newImage(w.first+i, w.order.Layers, space))
	}
}

// next returns the image to push next; false where the order is fulfilled.
func (w *workload) next(space []byte) (image, bool) {
	if w.tick != nil {
		<-w.tick
	}
	number := w.started.Add(1) - 1
	if w.order.Count > 0 {
		if number >= w.order.Count {
			return image{}, false
		}
		return w.prepared[number], true
	}
	return newImage(w.first+number, w.order.Layers, space), time.Now().Before(w.end)
}

func (w *workload) sum(clients []*client, elapsed time.Duration) imagesResult {
	result := imagesResult{Failures: w.failures, Blobs: []string{}}
	var pushing, pulling []*record
	for _, c := range clients {
		pushing, pulling = append(pushing, &c.pushes), append(pulling, &c.pulls)
		result.Bytes += c.bytes
		if c.last.tag != "" {
			result.Manifest, result.Blobs = c.its.path("manifests/"+c.last.tag), c.blobPaths()
		}
	}
	pushes, seconds := together(pushing)
	pulls, _ := together(pulling)
	if w.order.Count > 0 {
		seconds = elapsed.Seconds()
	}
	result.Pushes, result.Pulls, result.Seconds = len(pushes), len(pulls), seconds
	result.Push, result.Pull = summarize(pushes), summarize(pulls)
	return result
}

func (o clientsOrder) path(rest string) string { return "/v2/" + o.Repository + "/" + rest }

// client pushes and pulls on one connection, as one build machine would.
type client struct {
	*connection
	*workload
	its    clientsOrder
	space  []byte
	pushes record
	pulls  record
	bytes  int64
	last   image
}

func (c *client) run() {
	defer c.close()
	for turn, inARow := 1, 0; inARow < mostFailures; turn++ {
		if !time.Now().Before(c.end) {
			return
		}
		err := c.turn(turn)
		if errors.Is(err, errStopped) {
			return
		}
		inARow++
		if err == nil {
			inARow = 0
			continue
		}
		c.failures.add(err)
		if c.reopen() != nil {
			return
		}
	}
}

func (c *client) turn(turn int) error {
	if c.order.Pulls > 0 && turn%(c.order.Pulls+1) != 0 {
		return c.pull()
	}
	pushed, more := c.next(c.space)
	if !more {
		return errStopped
	}
	began := time.Now()
	if err := c.push(pushed); err != nil {
		return err
	}
	c.pushes.add(began)
	c.last = pushed
	c.bytes += pushed.size()
	return nil
}

func (c *client) pull() error {
	began := time.Now()
	for _, path := range c.its.Pull {
		if _, err := c.ask("pull", "GET", path, nil, 200); err != nil {
			return err
		}
	}
	c.pulls.add(began)
	return nil
}

// push does what docker does: it asks for each blob, uploads it by POST, PATCH and PUT, and puts the manifest last.
func (c *client) push(i image) error {
	for _, l := range i.layers {
		send := func(take func([]byte) error) error { return l.parts(c.space, take) }
		if err := c.upload(l.digest, l.size, send); err != nil {
			return err
		}
	}
	config := func(take func([]byte) error) error { return take(i.config) }
	if err := c.upload(digestOf(i.config), int64(len(i.config)), config); err != nil {
		return err
	}
	put := c.compose("PUT", c.its.path("manifests/"+i.tag), int64(len(i.manifest)), manifestType)
	_, err := c.exchange("manifest", "PUT", put, func(take func([]byte) error) error { return take(i.manifest) }, 201)
	return err
}

type body func(take func([]byte) error) error

func (c *client) upload(digest string, size int64, content body) error {
	// New content, so a registry says 404 here; loadgen's own server says 200.
	if _, err := c.ask("blob HEAD", "HEAD", c.its.path("blobs/"+digest), nil, 404, 200); err != nil {
		return err
	}
	got, err := c.ask("POST", "POST", c.its.path("blobs/uploads/"), nil, 202)
	if err != nil {
		return err
	}
	patch := c.compose("PATCH", target(got.location), size, "application/octet-stream")
	if got, err = c.exchange("PATCH", "PATCH", patch, content, 202); err != nil {
		return err
	}
	separator := "?"
	if strings.Contains(got.location, "?") {
		separator = "&"
	}
	_, err = c.ask("PUT", "PUT", target(got.location)+separator+"digest="+url.QueryEscape(digest), nil, 201)
	return err
}

func (c *client) blobPaths() []string {
	paths := []string{c.its.path("blobs/" + digestOf(c.last.config))}
	for _, l := range c.last.layers {
		paths = append(paths, c.its.path("blobs/"+l.digest))
	}
	return paths
}

func (c *client) compose(method, path string, size int64, contentType string) []byte {
	headers := map[string]string{"Authorization": c.its.Authorization, "Accept": manifestType}
	if method != "GET" && method != "HEAD" {
		headers["Content-Length"] = fmt.Sprint(size)
	}
	if contentType != "" {
		headers["Content-Type"] = contentType
	}
	return request{method, path, headers}.render(c.address)
}

func (c *client) ask(step, method, path string, content body, wanted ...int) (answer, error) {
	return c.exchange(step, method, c.compose(method, path, 0, ""), content, wanted...)
}

// exchange sends a request, reads the whole answer, and refuses a status that is not wanted.
func (c *client) exchange(step, method string, head []byte, content body, wanted ...int) (answer, error) {
	if err := c.send(head); err != nil {
		return answer{}, err
	}
	if content != nil {
		if err := content(c.send); err != nil {
			return answer{}, fmt.Errorf("%s: %w", step, err)
		}
	}
	got, err := c.receive(method)
	if err != nil {
		return got, fmt.Errorf("%s: %w", step, err)
	}
	if !slices.Contains(wanted, got.status) {
		return got, refusal{step, got.status, c.excerpt(got)}
	}
	if err := c.drain(got, func(int64) bool { return true }); err != nil {
		return got, fmt.Errorf("%s: %w", step, err)
	}
	if got.closing {
		return got, c.reopen()
	}
	return got, nil
}

// target turns a Location, which may be a whole URL, into the path and query to ask for next.
func target(location string) string {
	parsed, err := url.Parse(location)
	if err != nil {
		return location
	}
	return parsed.RequestURI()
}
