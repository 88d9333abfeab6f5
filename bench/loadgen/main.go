// Command loadgen puts load on registries. It reads an order as JSON from stdin, and writes what it measured to stdout.
//
//	loadgen requests   repeat some requests on many connections for a time
//	loadgen images     push images, and pull some in between, with many clients
//	loadgen serve      be a server that does as little as one can: against it, the two above show their own limit
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "loadgen:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	switch {
	case len(arguments) == 3 && arguments[0] == "serve":
		return serve(arguments[1], arguments[2])
	case len(arguments) == 1 && arguments[0] == "requests":
		return obey(measureRequests)
	case len(arguments) == 1 && arguments[0] == "images":
		return obey(measureImages)
	}
	return errors.New("usage: loadgen requests|images, or loadgen serve ADDRESS FILE")
}

// obey carries out the order on stdin.
func obey[Order, Result any](measure func(Order) (Result, error)) error {
	var order Order
	decoder := json.NewDecoder(os.Stdin)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&order); err != nil {
		return fmt.Errorf("the order is no good: %w", err)
	}
	result, err := measure(order)
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result)
}
