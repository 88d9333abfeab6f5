package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand"
)

// The content of every layer repeats one block, which begins with the layer's number: unlike any other, and cheap.
const blockSize = 256 << 10

var pattern = func() []byte {
	block := make([]byte, blockSize)
	random := rand.New(rand.NewSource(1))
	for i := range block {
		block[i] = byte(random.Intn(256))
	}
	return block
}()

// layer is a blob whose content follows from its number and size.
type layer struct {
	number int64
	size   int64
	digest string
}

// block writes the block that the layer repeats into `space`, which has blockSize bytes.
func (l layer) block(space []byte) {
	copy(space, pattern)
	copy(space, fmt.Sprintf("%016x", l.number))
}

// parts calls `take` with the content, piece by piece.
func (l layer) parts(space []byte, take func([]byte) error) error {
	l.block(space)
	for left := l.size; left > 0; left -= blockSize {
		if err := take(space[:min(left, blockSize)]); err != nil {
			return err
		}
	}
	return nil
}

func newLayer(number, size int64, space []byte) layer {
	l := layer{number: number, size: size}
	hash := sha256.New()
	_ = l.parts(space, func(part []byte) error { hash.Write(part); return nil }) // a hash takes everything
	l.digest = "sha256:" + hex.EncodeToString(hash.Sum(nil))
	return l
}

// image is what one push brings.
type image struct {
	layers   []layer
	config   []byte
	manifest []byte
	tag      string
}

const (
	manifestType = "application/vnd.oci.image.manifest.v1+json"
	configType   = "application/vnd.oci.image.config.v1+json"
	layerType    = "application/vnd.oci.image.layer.v1.tar"
)

type descriptor struct {
	MediaType string `json:"mediaType"`
	Digest    string `json:"digest"`
	Size      int64  `json:"size"`
}

func digestOf(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// newImage makes an image with layers of the sizes, unlike the image of any other number.
func newImage(number int64, sizes []int64, space []byte) image {
	made := image{tag: fmt.Sprintf("t%x", number)}
	descriptors := []descriptor{}
	for i, size := range sizes {
		l := newLayer(number<<8|int64(i), size, space)
		made.layers = append(made.layers, l)
		descriptors = append(descriptors, descriptor{layerType, l.digest, l.size})
	}
	made.config = []byte(fmt.Sprintf(`{"architecture":"amd64","os":"linux","rootfs":{"type":"layers"},"author":"%x"}`, number))
	made.manifest, _ = json.Marshal(map[string]any{ // nothing in it can fail to be written
		"schemaVersion": 2,
		"mediaType":     manifestType,
		"config":        descriptor{configType, digestOf(made.config), int64(len(made.config))},
		"layers":        descriptors,
	})
	return made
}

func (i image) size() int64 {
	total := int64(len(i.config) + len(i.manifest))
	for _, l := range i.layers {
		total += l.size
	}
	return total
}
