package e2e_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	dockerclient "github.com/moby/moby/client"

	"github.com/slipwayhq/slipway/api/wire"
	"github.com/slipwayhq/slipway/client"
	"github.com/slipwayhq/slipway/internal/dockertest"
	"github.com/slipwayhq/slipway/internal/postgrestest"
)

// tellsPid has the agent's answers say which process gives them.
const tellsPid = `

def reply(state: Chat) -> dict:
    return say(f"pid {os.getpid()}")

`

// Two replicas of an agent server on PostgreSQL share the work. When one is
// killed, requests fail that it had been sent, and no other.
func TestReplicasShareTheWork(t *testing.T) {
	t.Parallel()
	s := aegraServer(t)
	created, err := s.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{
		Name: "pair", Source: "internal_source",
		SourceConfig: wire.SourceConfigRequest{
			AgentServer: new("aegra"), ResourceSpec: &wire.ResourceSpecInput{MinScale: new(2), MaxScale: new(2)},
		},
		Secrets: []wire.Secret{{Name: "POSTGRES_URI_CUSTOM", Value: postgrestest.Empty(t)}},
	})
	must(t, err)
	d := s.made(created)
	graph, err := os.ReadFile("../examples/echo-py/graph.py")
	must(t, err)
	before, after, found := strings.Cut(string(graph), "\ndef reply(state: Chat) -> dict:")
	if !found {
		t.Fatal("the example has no reply any more")
	}
	_, after, _ = strings.Cut(after, "\n\n\n")
	d.deploy(pack(t, "../examples/echo-py", map[string]string{"graph.py": before + tellsPid + "\n" + after}))
	if v, err := s.Deployment(t.Context(), d.id); err != nil || v.Scale == nil || v.Scale.Replicas != 2 || v.Scale.Wanted != 2 {
		t.Fatalf("scale %+v, %v", v.Scale, err)
	}
	answered := d.askAll(t, 12)
	if len(answered) != 2 {
		t.Fatalf("answers came from %v, want two processes", answered)
	}
	killed := slices.Collect(maps.Keys(answered))[0]
	must(t, syscall.Kill(killed, syscall.SIGKILL))
	// As long as it is ending, its sockets take requests that nobody will answer.
	eventually(t, "it is gone", func() bool { return errors.Is(syscall.Kill(killed, 0), syscall.ESRCH) })
	if left := d.askAll(t, 12); left[killed] > 0 {
		t.Errorf("answers came from %v, %d had been killed", left, killed)
	}
	eventually(t, "both serve again", func() bool {
		v, err := s.Deployment(t.Context(), d.id)
		return err == nil && v.Scale.Replicas == 2 && v.Health.State == "healthy" && len(d.askAll(t, 4)) == 2
	})
}

// askAll has so many clients ask at once and says which process answered how
// often.
func (d *deployment) askAll(t *testing.T, clients int) map[int]int {
	t.Helper()
	var mu sync.Mutex
	pids := map[int]int{}
	var asking sync.WaitGroup
	for range clients {
		asking.Go(func() {
			pid, err := d.pid()
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			pids[pid]++
		})
	}
	asking.Wait()
	return pids
}

// pid runs the graph without a thread and reads which process ran it.
func (d *deployment) pid() (int, error) {
	const run = `{"assistant_id": "echo", "input": {"messages": [{"role": "user", "content": "who?"}]}}`
	r, err := http.NewRequestWithContext(d.t.Context(), http.MethodPost, d.url+"/runs/wait", strings.NewReader(run))
	if err != nil {
		return 0, err
	}
	r.Header.Set("X-Api-Key", d.key)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, err
	}
	if answer.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s", answer.Status, body)
	}
	var state struct{ Messages []struct{ Content string } }
	if err := json.Unmarshal(body, &state); err != nil || len(state.Messages) == 0 {
		return 0, fmt.Errorf("the run ended with %s", body)
	}
	var pid int
	_, err = fmt.Sscanf(state.Messages[len(state.Messages)-1].Content, "pid %d", &pid)
	return pid, err
}

// A deployment of a type that sleeps has no process while nobody asks for it.
// The first request wakes it, is answered, and finds all that was there.
func TestSleepAndWake(t *testing.T) {
	t.Parallel()
	s := newServer(t, "--sleep-after", "1s", "--measure-every", "100ms")
	created, err := s.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{
		Name: "dozer", Source: "internal_source", SourceConfig: wire.SourceConfigRequest{DeploymentType: new("dev_zero")},
	})
	must(t, err)
	d := s.made(created)
	d.deploy(pack(t, echo, nil))
	thread, err := client.NewAgent(d.url, d.key).CreateThread(t.Context())
	must(t, err)
	var told []string
	d.remembers(thread, &told, "one")

	d.fallsAsleep()
	d.remembers(thread, &told, "the first after it slept")
	v, err := s.Deployment(t.Context(), d.id)
	must(t, err)
	if v.Scale.Woken == 0 {
		t.Errorf("it was never woken: %+v", v.Scale)
	}

	d.fallsAsleep()
	s.stop()
	s.start()
	if v, err := s.Deployment(t.Context(), d.id); err != nil || !v.Scale.Asleep || v.Health.State != "asleep" {
		t.Errorf("after a restart of the server: %+v %+v %v", v.Scale, v.Health, err)
	}
	if now := mains(s.data); len(now) > 0 {
		t.Errorf("the restart of the server started agents %v", now)
	}
	d.remembers(thread, &told, "the first after the restart")
}

// fallsAsleep waits until nothing of a deployment runs, and its status says so.
func (d *deployment) fallsAsleep() {
	d.t.Helper()
	eventually(d.t, "it falls asleep", func() bool {
		v, err := d.Deployment(d.t.Context(), d.id)
		return err == nil && v.Scale.Asleep && v.Health.State == "asleep" && v.Scale.Replicas == 0 && len(mains(d.data)) == 0
	})
}

// Containers on one PostgreSQL are as many as their runs ask for, of which each
// tells, go on when one of them is killed, and are none while nobody asks: also
// where the server starts again. Who asks then is held, and wakes them once.
func TestContainersScaleAndSleep(t *testing.T) {
	t.Parallel()
	e, registry := dockertest.Shared(t), dockertest.NewRegistry(t)
	s := onEngine(t, e, "--measure-every", "100ms", "--scale-up-after", "1s", "--scale-down-after", "1s", "--sleep-after", "3s")
	created, err := s.CreateDeployment(t.Context(), wire.DeploymentCreateRequest{
		Name: "visited", Source: "external_docker", Secrets: []wire.Secret{},
		SourceConfig:         wire.SourceConfigRequest{DeploymentType: new("serverless"), ResourceSpec: &wire.ResourceSpecInput{MaxScale: new(5)}},
		SourceRevisionConfig: wire.SourceRevisionConfigRequest{ImageURI: new(visitor(t, registry))},
	})
	must(t, err)
	d := s.made(created)
	d.serves()
	visits := 0
	visit := func() {
		t.Helper()
		if visits++; d.visits() != strconv.Itoa(visits) {
			t.Errorf("visit %d is not counted", visits)
		}
	}
	visit()

	d.queues(11)
	d.replicas(e, 2)
	d.queues(21)
	d.replicas(e, 3)
	visit()
	_, err = e.Client(t).ContainerKill(t.Context(), d.containers(e)[0], dockerclient.ContainerKillOptions{Signal: "SIGKILL"})
	must(t, err)
	for range 6 {
		visit()
	}
	d.replicas(e, 3)
	d.queues(1)
	d.replicas(e, 1)
	if added := d.added(); !slices.Equal(added, []string{"2", "3", "1"}) {
		t.Errorf("there were to be %s replicas, one after the other", added)
	}

	d.queues(0)
	asleep := func() {
		t.Helper()
		eventually(t, "it falls asleep", func() bool {
			v, err := s.Deployment(t.Context(), d.id)
			return err == nil && v.Scale.Asleep && v.Health.State == "asleep" && v.Scale.Replicas == 0 && len(d.containers(e)) == 0
		})
	}
	asleep()
	s.kill()
	s.start()
	d.Client = s.Client
	asleep()
	before, err := s.Deployment(t.Context(), d.id)
	must(t, err)
	var asking sync.WaitGroup
	for range 4 {
		asking.Go(func() {
			if status, body, err := d.get("/visits"); err != nil || status != http.StatusOK {
				t.Errorf("while it wakes: %d %s %v", status, body, err)
			}
		})
	}
	asking.Wait()
	if v, err := s.Deployment(t.Context(), d.id); err != nil || v.Scale.Woken != before.Scale.Woken+1 {
		t.Errorf("woken once, it is %+v, was %+v, %v", v.Scale, before.Scale, err)
	}
	visits += 4
	visit()
	asleep()
	d.removed(e)
}

// queues has so many runs wait.
func (d *deployment) queues(n int) {
	d.t.Helper()
	status, body, err := d.post(d.t.Context(), fmt.Sprint("/queue?length=", n), nil)
	if err != nil || status != http.StatusOK {
		d.t.Fatalf("queue: %d %s %v", status, body, err)
	}
}

// replicas waits until so many containers serve, and each of them answers.
func (d *deployment) replicas(e *dockertest.Engine, n int) {
	d.t.Helper()
	eventually(d.t, fmt.Sprint(n, " replicas serve"), func() bool {
		v, err := d.Deployment(d.t.Context(), d.id)
		must(d.t, err)
		births := map[string]bool{}
		for range n {
			_, birth, _ := d.get("/birth")
			births[birth] = true
		}
		return v.Scale.Replicas == n && v.Scale.Wanted == n && v.Health.State == "healthy" && len(d.containers(e)) == n && len(births) == n
	})
}

// added is how many replicas there were to be, as the server's log has it.
func (d *deployment) added() (all []string) {
	log, err := os.ReadFile(d.log)
	must(d.t, err)
	for line := range strings.Lines(string(log)) {
		_, rest, scaled := strings.Cut(line, "deployment scaled")
		_, rest, _ = strings.Cut(rest, " replicas=")
		if n, rest, _ := strings.Cut(rest, " "); scaled && strings.HasPrefix(rest, "asleep=false") {
			all = append(all, n)
		}
	}
	return all
}
