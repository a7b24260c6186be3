// Command wiregen generates package wire from the API document.
//
// The document states the contract; this step states how Go should spell it. It works on a copy:
//   - planned operations go: one handler answers for all of them,
//   - shared parameters are written out where they are used, so that each operation has plain fields for them,
//   - a query parameter named like a header has "Query" at the end of its field,
//   - operation ids lose the tail that repeats their path and method,
//   - answers other than 2xx go: a handler returns an error, and one place turns it to HTTP,
//   - enums and constants become plain strings: package check holds requests to them, the domain's own types the rest,
//   - in what is answered, a nullable field prints null where it would be left out.
//
// Usage: wiregen <document> <generator's config>
package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: wiregen <document> <config>")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "wiregen:", err)
		os.Exit(1)
	}
}

func run(document, config string) error {
	raw, err := os.ReadFile(document)
	if err != nil {
		return err
	}
	shaped, err := shape(raw)
	if err != nil {
		return err
	}
	return generate(shaped, config)
}

func shape(raw []byte) ([]byte, error) {
	doc := object{}
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	if err := dec.Decode(&doc); err != nil {
		return nil, err
	}
	dropPlanned(doc)
	inlineParameters(doc)
	tellApart(doc)
	shortenOperations(doc)
	dropFailures(doc)
	plainEnums(doc)
	printNulls(doc)
	return json.Marshal(doc)
}

// generate runs the generator that tools/go.mod pins, from the folder that holds the root go.mod.
func generate(shaped []byte, config string) error {
	dir, err := os.MkdirTemp("", "wiregen")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	input := filepath.Join(dir, "openapi.json")
	if err := os.WriteFile(input, shaped, 0o600); err != nil {
		return err
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "tool", "-modfile="+filepath.Join(root, "tools", "go.mod"),
		"oapi-codegen", "-config", config, input)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	return filepath.Dir(string(bytes.TrimSpace(out))), nil
}
