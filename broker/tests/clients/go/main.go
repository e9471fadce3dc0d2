// Go clients against one broker: `suite franz|sarama BOOTSTRAP PREFIX`. Exits with 1 when any check failed.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// patience bounds every wait for something that must happen.
const patience = 20 * time.Second

type suite struct {
	bootstrap string
	prefix    string
	failed    int
}

func (s *suite) name(name string) string { return s.prefix + name }

// check prints one line for a body: it passes when there is no error and no panic.
func (s *suite) check(name string, body func() error) {
	err := guarded(body)
	if err == nil {
		fmt.Println("ok " + name)
		return
	}
	s.failed++
	fmt.Printf("not ok %s: %s\n", name, strings.ReplaceAll(err.Error(), "\n", " "))
}

func guarded(body func() error) (err error) {
	defer func() {
		if reason := recover(); reason != nil {
			err = fmt.Errorf("panic: %v", reason)
		}
	}()
	return body()
}

// equal is nil when both are the same.
func equal[T comparable](expected, found T, what string) error {
	if expected != found {
		return fmt.Errorf("%s: expected %v, found %v", what, expected, found)
	}
	return nil
}

// first is the first error of several checks.
func first(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) > 1 && runMember(os.Args[1:]) {
		return
	}
	if len(os.Args) != 4 {
		fmt.Fprintln(os.Stderr, "usage: suite franz|sarama BOOTSTRAP PREFIX")
		os.Exit(2)
	}
	s := &suite{bootstrap: os.Args[2], prefix: os.Args[3] + os.Args[1] + "-"}
	switch os.Args[1] {
	case "franz":
		franz(s)
	case "sarama":
		saramaSuite(s)
	default:
		fmt.Fprintln(os.Stderr, "no such client:", os.Args[1])
		os.Exit(2)
	}
	if s.failed > 0 {
		os.Exit(1)
	}
}
