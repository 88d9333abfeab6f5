package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

const (
	// Large enough for few system calls, small enough to stay in the processor's cache.
	readBuffer = 256 << 10
	patience   = 60 * time.Second
)

// connection is one HTTP/1.1 connection that is kept open. Requests are written as bytes that were made beforehand, and
// answers are read without a map of headers: the generator shares its cores with the server that it measures.
type connection struct {
	address string
	giveUp  time.Time // when to stop waiting for an answer
	socket  net.Conn
	reader  *bufio.Reader
}

// answer is what is needed of a response's head.
type answer struct {
	status   int
	length   int64 // of the body; -1: until the connection ends
	chunked  bool
	closing  bool
	location string
}

func dial(address string) (*connection, error) {
	c := &connection{address: address, reader: bufio.NewReaderSize(nil, readBuffer)}
	return c, c.reopen()
}

func (c *connection) reopen() error {
	c.close()
	socket, err := net.DialTimeout("tcp", c.address, patience)
	if err != nil {
		return err
	}
	c.socket = socket
	c.reader.Reset(socket)
	return nil
}

func (c *connection) close() {
	if c.socket != nil {
		_ = c.socket.Close() // nothing is waiting in it any more
	}
}

// send writes one whole request, or a head whose body follows.
func (c *connection) send(request []byte) error {
	if err := c.socket.SetDeadline(c.giveUp); err != nil {
		return err
	}
	_, err := c.socket.Write(request)
	return err
}

// receive reads the head of the answer to a request by `method`.
func (c *connection) receive(method string) (answer, error) {
	for {
		got, err := c.head()
		if err != nil || got.status >= 200 { // 100 Continue announces the real one
			if method == "HEAD" || got.status == 204 || got.status == 304 {
				got.length, got.chunked = 0, false
			}
			return got, err
		}
	}
}

func (c *connection) head() (answer, error) {
	got := answer{length: -1}
	line, err := c.reader.ReadSlice('\n')
	if err != nil {
		return got, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.1 ")) {
		return got, fmt.Errorf("not HTTP/1.1: %.40q", line)
	}
	if got.status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return got, fmt.Errorf("no status: %.40q", line)
	}
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return got, err
		}
		if len(line) <= 2 {
			return got, nil
		}
		if err := got.note(line); err != nil {
			return got, err
		}
	}
}

// note keeps what matters of one header line.
func (a *answer) note(line []byte) error {
	colon := bytes.IndexByte(line, ':')
	if colon < 0 {
		return fmt.Errorf("not a header: %.40q", line)
	}
	name, value := line[:colon], bytes.TrimSpace(line[colon+1:])
	var err error
	switch {
	case isName(name, "content-length"):
		a.length, err = strconv.ParseInt(string(value), 10, 64)
	case isName(name, "transfer-encoding"):
		a.chunked = isName(value, "chunked")
	case isName(name, "connection"):
		a.closing = isName(value, "close")
	case isName(name, "location"):
		a.location = string(value)
	}
	return err
}

func isName(text []byte, name string) bool {
	return len(text) == len(name) && bytes.EqualFold(text, []byte(name))
}

// drain reads the body and forgets it; `arrived` is told of the bytes as they come and may end it by returning false.
func (c *connection) drain(got answer, arrived func(int64) bool) error {
	if !got.chunked {
		if got.length < 0 {
			return errors.New("an answer without a length")
		}
		return c.discard(got.length, arrived)
	}
	for {
		line, err := c.reader.ReadSlice('\n')
		if err != nil {
			return err
		}
		size, err := strconv.ParseInt(string(bytes.TrimSpace(line)), 16, 64)
		if err != nil {
			return fmt.Errorf("not a chunk: %.40q", line)
		}
		if err := c.discard(size, arrived); err != nil {
			return err
		}
		if _, err := c.reader.Discard(2); err != nil || size == 0 {
			return err
		}
	}
}

var errStopped = errors.New("stopped")

func (c *connection) discard(size int64, arrived func(int64) bool) error {
	for size > 0 {
		if c.reader.Buffered() == 0 {
			if _, err := c.reader.Peek(1); err != nil {
				return err
			}
		}
		part := min(size, int64(c.reader.Buffered()))
		if _, err := c.reader.Discard(int(part)); err != nil {
			return err
		}
		size -= part
		if !arrived(part) {
			return errStopped
		}
	}
	return nil
}

// excerpt reads the beginning of a small body, to be shown in a message.
func (c *connection) excerpt(got answer) string {
	if got.chunked || got.length <= 0 {
		return ""
	}
	text, _ := io.ReadAll(io.LimitReader(c.reader, got.length)) // a message cut short still says something
	return string(text[:min(len(text), 300)])
}
