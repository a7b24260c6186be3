//go:build race

package confine

import "os"

// A program that looks for races waits a second at its end for more of them. A
// child does next to nothing of its own, and a build has many.
func init() { childEnv = append(childEnv, "GORACE=atexit_sleep_ms=10 "+os.Getenv("GORACE")) }
