package daemon_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/slipwayhq/slipway"
	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/build/kind"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/driver/drivertest"
	"github.com/slipwayhq/slipway/internal/daemon"
	"github.com/slipwayhq/slipway/internal/testsignal"
)

// standin is a kind of agent whose program is there already.
type standin struct {
	plain
	program string
}

func (standin) Fingerprint() string { return "standin" }

func (s standin) Launch(context.Context, kind.Bundle) (slipway.Launch, error) {
	return slipway.Launch{Args: []string{s.program}}, nil
}

// kept is the reserve of a server on a small disk.
const kept = 32 << 20

// onSmallDisk is a server of real processes with a disk of its own, which can be
// filled.
func onSmallDisk(t *testing.T) *world {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a disk")
	}
	program, err := drivertest.BuildStandin(t.TempDir())
	must(t, err)
	data := t.TempDir()
	must(t, unix.Mount("slipway-test", data, "tmpfs", 0, "size=192m,mode=0755"))
	t.Cleanup(func() { must(t, unix.Unmount(data, unix.MNT_DETACH)) })
	return newWorldWith(t, func(c *daemon.Config) {
		c.Data, c.Reserve, c.OpenDriver = data, kept, nil
		port := drivertest.FreePort(t)
		c.Ports = slipway.PortRange{First: port, Last: port + 7}
		c.Kinds = []func(string, string) kind.Kind{func(string, string) kind.Kind { return standin{program: program} }}
	})
}

// runs has a deployment of the stand-in serve, and says where.
func (w *world) runs(name string) (id, url string) {
	w.t.Helper()
	id, object := w.create(name)
	w.t.Cleanup(func() {
		if err := w.client.DeleteDeployment(context.Background(), id, client.DeleteOptions{Now: true}); !client.IsNotFound(err) {
			must(w.t, err)
		}
		must(w.t, w.client.WaitGone(context.Background(), id))
	})
	w.deploy(id, object)
	testsignal.Until(w.t, name+" to serve", func() bool {
		d, err := w.client.Deployment(w.t.Context(), id)
		must(w.t, err)
		return d.Status == "READY" && d.ActiveRevisionID != nil
	})
	return id, "http://" + w.config.Listen + "/d/" + name
}

// at asks an agent and returns the status, 0 for none.
func (w *world) at(method, url string) (int, string) {
	r, err := http.NewRequestWithContext(w.t.Context(), method, url, nil)
	must(w.t, err)
	r.Header.Set("X-Api-Key", w.key)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}
	defer answer.Body.Close()
	body, _ := io.ReadAll(answer.Body)
	return answer.StatusCode, string(body)
}

// An agent that fills the disk of the server, whatever it may keep, is ended, and
// what it wrote goes. Its neighbour and the server are well throughout.
func TestAgentFillsTheDisk(t *testing.T) {
	w := onSmallDisk(t)
	_, neighbour := w.runs("neighbour")
	id, greedy := w.runs("greedy")
	_, before := w.at(http.MethodGet, greedy+"/birth")
	filled := make(chan struct{})
	go func() {
		defer close(filled)
		w.at(http.MethodPost, greedy+"/fill?bytes=1000000000")
	}()
	testsignal.Until(t, "that another has its place, and serves", func() bool {
		if status, _ := w.at(http.MethodGet, neighbour+"/ok"); status != http.StatusOK {
			t.Errorf("the neighbour answers %d", status)
		}
		if _, err := w.client.Deployment(t.Context(), id); err != nil {
			t.Errorf("the server: %v", err)
		}
		status, now := w.at(http.MethodGet, greedy+"/birth")
		return status == http.StatusOK && now != before
	})
	<-filled
	if free := w.free(); free < kept {
		t.Errorf("%d bytes are free", free)
	}
	w.runs("another")
}

// While the disk is almost full nothing new is taken, and what runs is served.
func TestDiskIsAlmostFull(t *testing.T) {
	w := onSmallDisk(t)
	id, agent := w.runs("agent")
	u, err := w.client.UploadURL(t.Context(), id)
	must(t, err)
	ballast := filepath.Join(w.config.Data, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, w.free()-kept+(8<<20)), 0o600))
	for what, err := range map[string]error{
		"an upload":          w.client.Upload(t.Context(), u.UploadURL, bytes.NewReader([]byte("x")), 1),
		"an address for one": func() error { _, err := w.client.UploadURL(t.Context(), id); return err }(),
	} {
		if refused, ok := errors.AsType[*client.Error](err); !ok || refused.Status != http.StatusInsufficientStorage || !strings.Contains(refused.Error(), "Free space") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if status, body := w.at(http.MethodGet, "http://"+w.config.Listen+"/readyz"); status != http.StatusOK || !strings.Contains(body, `"disk":"full"`) {
		t.Errorf("ready: %d %s", status, body)
	}
	if status, _ := w.at(http.MethodGet, agent+"/ok"); status != http.StatusOK {
		t.Errorf("the agent answers %d", status)
	}
	testsignal.Until(t, "that it is said", func() bool { return w.log.says("the disk is almost full") })
	must(t, os.Remove(ballast))
	w.runs("another")
	testsignal.Until(t, "that it is over", func() bool { return w.log.says("the disk has room again") })
}

// free is what is left of the server's disk.
func (w *world) free() int64 {
	var s unix.Statfs_t
	must(w.t, unix.Statfs(w.config.Data, &s))
	return int64(s.Bavail) * s.Bsize
}

// On a disk that is full a DELETE is taken, and makes room; what needs more than
// that is told why it is refused.
func TestDeleteOnAFullDisk(t *testing.T) {
	w := onSmallDisk(t)
	id, _ := w.runs("agent")
	filler := filepath.Join(w.config.Data, "filler")
	fill := func() {
		f, err := os.OpenFile(filler, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		must(t, err)
		defer f.Close()
		for err == nil {
			_, err = f.Write(make([]byte, 64<<10))
		}
		if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
	fill()
	must(t, w.client.DeleteDeployment(t.Context(), id, client.DeleteOptions{Now: true}))
	testsignal.Until(t, "nothing to be left", func() bool {
		d, err := w.client.Deletion(t.Context(), id)
		return err == nil && d.State == string(slipway.DeletionDone)
	})
	if !w.log.says("what was set aside for the store is used") {
		t.Error("the disk was not full")
	}
	var refused *client.Error
	for refused == nil { // until the store has filled what it has of its own
		fill()
		_, err := w.client.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{Name: fmt.Sprint("another-", w.free()), Source: "internal_source"})
		refused, _ = errors.AsType[*client.Error](err)
	}
	if refused.Status != http.StatusInsufficientStorage || !strings.Contains(refused.Error(), "Free space") {
		t.Errorf("refused with %v", refused)
	}
	must(t, os.Remove(filler))
	w.runs("third")
	testsignal.Until(t, "room to be set aside again", func() bool {
		_, err := os.Stat(filepath.Join(w.config.Data, "slipway.db-spare"))
		return err == nil
	})
}
