package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
)

// minimalServer speaks as much of the protocol as the generator needs: it remembers manifests and the sizes of blobs,
// forgets their bytes, checks nothing, and sends bodies out of one small file that the kernel has in its cache.
type minimalServer struct {
	lock      sync.Mutex
	manifests map[string][]byte
	sizes     map[string]int64 // of uploads and of blobs, by path
	uploads   int
}

const fillerSize = 64 << 20

// serve listens until the process is ended. The file is made anew; it is what all bodies are sent from.
func serve(address, file string) error {
	if err := os.WriteFile(file, bytes.Repeat(pattern, fillerSize/blockSize), 0o600); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	server := &minimalServer{manifests: map[string][]byte{}, sizes: map[string]int64{}}
	for {
		socket, err := listener.Accept()
		if err != nil {
			return err
		}
		// A file of its own, since the place to read at belongs to the open file.
		filler, err := os.Open(file)
		if err != nil {
			return err
		}
		go server.talk(&exchange{reader: bufio.NewReaderSize(socket, readBuffer), socket: socket, filler: filler})
	}
}

// exchange is one request with its connection.
type exchange struct {
	method  string
	path    string
	query   string
	length  int64
	ranged  int64 // bytes asked for by Range; 0: no Range
	reader  *bufio.Reader
	socket  net.Conn
	filler  *os.File
	scratch []byte
}

// talk answers requests until the client goes.
func (s *minimalServer) talk(e *exchange) {
	defer e.filler.Close()
	defer e.socket.Close()
	for e.read() == nil && s.answer(e) == nil {
	}
}

func (e *exchange) read() error {
	line, err := e.reader.ReadSlice('\n')
	if err != nil {
		return err
	}
	words := strings.Fields(string(line))
	if len(words) != 3 {
		return fmt.Errorf("not a request: %.40q", line)
	}
	e.method, e.length, e.ranged = words[0], 0, 0
	e.path, e.query, _ = strings.Cut(words[1], "?")
	for {
		line, err := e.reader.ReadSlice('\n')
		if err != nil || len(line) <= 2 {
			return err
		}
		e.note(line)
	}
}

// note keeps what matters of a header line, in the spelling that the generator uses.
func (e *exchange) note(line []byte) {
	if value, found := bytes.CutPrefix(line, []byte("Content-Length: ")); found {
		e.length, _ = strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64)
	}
	if value, found := bytes.CutPrefix(line, []byte("Range: bytes=")); found {
		var from, to int64
		_, _ = fmt.Sscanf(string(value), "%d-%d", &from, &to)
		e.ranged = to - from + 1
	}
}

func (s *minimalServer) answer(e *exchange) error {
	switch e.method {
	case "GET", "HEAD":
		return s.show(e)
	case "POST":
		s.lock.Lock()
		s.uploads++
		location := fmt.Sprintf("%s%d", e.path, s.uploads)
		s.lock.Unlock()
		return e.reply("202 Accepted", "Location: "+location+"\r\n")
	case "PATCH":
		if _, err := io.CopyN(io.Discard, e.reader, e.length); err != nil {
			return err
		}
		s.remember(e.path, e.length)
		return e.reply("202 Accepted", "Location: "+e.path+"\r\n")
	case "PUT":
		return s.put(e)
	}
	return e.reply("405 Method Not Allowed", "")
}

func (s *minimalServer) remember(path string, size int64) {
	s.lock.Lock()
	defer s.lock.Unlock()
	s.sizes[path] = size
}

// put ends an upload, or takes a manifest.
func (s *minimalServer) put(e *exchange) error {
	content := make([]byte, e.length)
	if _, err := io.ReadFull(e.reader, content); err != nil {
		return err
	}
	s.lock.Lock()
	if repository, _, isUpload := strings.Cut(e.path, "uploads/"); isUpload {
		query, _ := url.ParseQuery(e.query) // a query that is no good names no blob
		s.sizes[repository+query.Get("digest")] = s.sizes[e.path]
		delete(s.sizes, e.path)
	} else {
		s.manifests[e.path] = content
	}
	s.lock.Unlock()
	return e.reply("201 Created", "")
}

// show answers with a manifest or a blob; one that it never saw is an empty one.
func (s *minimalServer) show(e *exchange) error {
	s.lock.Lock()
	manifest, size := s.manifests[e.path], s.sizes[e.path]
	s.lock.Unlock()
	status := "200 OK"
	if e.ranged > 0 {
		status, size = "206 Partial Content", e.ranged
	}
	if manifest != nil {
		size = int64(len(manifest))
	}
	e.begin(status, "", size)
	if e.method == "GET" && manifest != nil {
		e.scratch = append(e.scratch, manifest...)
	}
	if _, err := e.socket.Write(e.scratch); err != nil || e.method == "HEAD" || manifest != nil {
		return err
	}
	return e.fill(size)
}

// fill sends a body by the kernel's own way from file to socket.
func (e *exchange) fill(size int64) error {
	for size > 0 {
		if _, err := e.filler.Seek(0, io.SeekStart); err != nil {
			return err
		}
		sent, err := io.Copy(e.socket, io.LimitReader(e.filler, size))
		if err != nil {
			return err
		}
		size -= sent
	}
	return nil
}

func (e *exchange) reply(status, headers string) error {
	e.begin(status, headers, 0)
	_, err := e.socket.Write(e.scratch)
	return err
}

// begin writes the head of an answer into the scratch space.
func (e *exchange) begin(status, headers string, length int64) {
	e.scratch = fmt.Appendf(e.scratch[:0], "HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n", status, headers, length)
}
