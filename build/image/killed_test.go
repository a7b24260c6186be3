package image_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/build/image"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/engine"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// child has a run of this test's binary build on an engine, by one of its
// builders.
const (
	child    = "SLIPWAY_IMAGE_TEST_CHILD"
	childKit = "SLIPWAY_IMAGE_TEST_BUILDKIT"
)

const childSleeps = "98763"

func TestChild(t *testing.T) {
	host := os.Getenv(child)
	if host == "" {
		return
	}
	c := connect(t, host, os.Getenv(childKit) == "true")
	b := image.New(image.Options{Engine: &engine.Engine{Client: c}, Owner: "killed", Bases: image.Bases{Node: shellBase}})
	_, err := b.Build(t.Context(), script(t, "4", "echo begun; sleep "+childSleeps), os.Stdout)
	fmt.Println("ended:", err)
}

// When the server is killed, so is what it builds, and the next one removes what
// was left, though not what another installation has.
func TestKilled(t *testing.T) {
	e := dockertest.Shared(t)
	b, c := shell(t, true)
	kept, _ := build(t, b, script(t, "5", "true"))
	for _, kit := range []bool{true, false} {
		kill(t, e.Host(), kit)
		testsignal.Eventually(t, "the engine to notice", func() bool { return !running(t, "sleep\x00"+childSleeps) })
		untilNoContainer(t, c)
		next := image.New(image.Options{Engine: b.Engine, Owner: "killed", Bases: b.Bases})
		made, _ := build(t, next, script(t, "6", "true"))
		list, err := c.ImageList(t.Context(), client.ImageListOptions{Filters: make(client.Filters).Add("label", "slipway.image.owner="+installation(next))})
		if err != nil || len(list.Items) != 1 || list.Items[0].ID != made.Image {
			t.Errorf("images %v, %v", owned(t, next, c), err)
		}
		if err := next.Remove(t.Context(), made.Digest); err != nil {
			t.Error(err)
		}
	}
	if has, err := b.Engine.Has(t.Context(), kept.Image); !has || err != nil {
		t.Errorf("another installation's image: %v, %v", has, err)
	}
}

// kill has a process begin a build, and kills it.
func kill(t *testing.T, host string, kit bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestChild$")
	cmd.Env = append(os.Environ(), child+"="+host, childKit+"="+strconv.FormatBool(kit))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	said := bufio.NewScanner(out)
	var all []string
	for said.Scan() && said.Text() != "begun" {
		all = append(all, said.Text())
	}
	if slices.ContainsFunc(all, func(line string) bool { return strings.HasPrefix(line, "ended:") }) {
		t.Fatal(strings.Join(all, "\n"))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}
